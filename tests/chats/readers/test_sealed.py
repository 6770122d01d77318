"""Encrypted chat data is recognised by its structure and told apart from noise, and stays closed."""

import io
import os
import random
import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from chat_factory import write_chat_database
from chat_reading import message_identities, summary_of
from hypothesis import HealthCheck, given, settings, strategies as st

from backupkit.chats.counting.summary import summarise
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.reading.signal_files import media_names


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def protobuf(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2, len(data)]) + data


def signal_backup() -> bytes:
    header = protobuf(1, protobuf(1, noise(16)) + protobuf(2, noise(32)) + b"\x18\x01")
    return len(header).to_bytes(4, "big") + header + noise(5000)


def crypt(kind: int, *, has_features: bool) -> bytes:
    key = protobuf(2, noise(77)) if kind == 0 else protobuf(3, noise(26))
    body = bytes([8, kind]) + key + protobuf(6 if kind else 4, noise(20))
    return bytes([len(body)]) + (b"\x01" if has_features else b"") + body + noise(5000)


FILES = {
    "MicroMsg/0f/EnMicroMsg.db": ("wechat-sealed-database", "wechat", noise(64 * 1024)),
    "db_storage/message/message_0.db": ("wechat-sealed-database", "wechat", noise(64 * 4096)),
    "nt_data/nt_msg.db": (
        "qq-sealed-database",
        "qq",
        (b"SQLite header 3\0" + bytes(16) + b"QQ_NT DB").ljust(1024, b"\0") + noise(8 * 4096),
    ),
    "signal-2026-01-01.backup": ("signal-backup", "signal", signal_backup()),
    "msgstore.db.crypt14": ("whatsapp-crypt14", "whatsapp", crypt(0, has_features=True)),
    "msgstore-old.db.crypt14": ("whatsapp-crypt14", "whatsapp", crypt(0, has_features=False)),
    "msgstore.db.crypt15": ("whatsapp-crypt15", "whatsapp", crypt(1, has_features=True)),
    "msgstore.db.crypt12": ("whatsapp-crypt12", "whatsapp", b"\x00\x01\x02" + noise(5000)),
    "Tencent Files/10001/Msg3.0.db": ("qq-sealed-database", "qq", b"SQLite header 3\0" + noise(8 * 4096)),
    "全部消息记录.bak": ("qq-backup", "qq", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise(9000)),
    "phone.ab": (
        "android-backup",
        None,
        b"ANDROID BACKUP\n5\n1\nAES-256\n" + noise(64).hex().encode() + b"\n" + noise(5000),
    ),
    "secret.sqlite": ("sealed-database", None, noise(8 * 4096)),
}


def lay(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", FILES)
def test_each_kind_is_recognised_and_its_messages_are_unknown(tmp_path: Path, name: str) -> None:
    format_name, app, data = FILES[name]
    lay(tmp_path, name, data)

    summary = summary_of(tmp_path)

    assert (summary.format, summary.app, summary.sealed) == (format_name, app, True)
    assert (summary.messages, summary.conversations, summary.media, summary.high_water) == (None, None, None, None)
    assert [finding.code for finding in summary.findings] == ["sealed"]
    assert message_identities(tmp_path) == []


def test_signal_desktop_is_known_by_its_folder(tmp_path: Path) -> None:
    lay(tmp_path, "Signal/sql/db.sqlite", noise(8 * 4096))
    lay(tmp_path, "Signal/config.json", b'{"encryptedKey": "00"}')

    assert summary_of(tmp_path).format == "signal-desktop-db"


def test_wechats_own_backup_folder_needs_all_its_parts(tmp_path: Path) -> None:
    lay(tmp_path, "BackupFiles/d/Backup.db", noise(8 * 4096))
    lay(tmp_path, "BackupFiles/d/BAK_0_TEXT", noise(5000))

    summary = summary_of(tmp_path)
    missing = [finding.facts for finding in summary.findings if finding.code == "shard-missing"]
    lay(tmp_path, "BackupFiles/d/BAK_0_MEDIA", noise(5000))

    assert summary.format == "wechat-backup-folder"
    assert missing == [{"name": "BAK_0_MEDIA", "count": 1}]
    assert not summary_of(tmp_path).is_damaged


def test_pages_and_commits_are_told_without_a_key(tmp_path: Path) -> None:
    plain = write_chat_database(tmp_path / "made" / "x.db", messages=300).path
    log = (
        b"\x37\x7f\x06\x82"
        + (3007000).to_bytes(4, "big")
        + (4096).to_bytes(4, "big")
        + bytes(4)
        + b"saltsalt"
        + bytes(8)
    )
    for number in range(5):
        commit = 31 if number % 2 else 0
        log += (number + 1).to_bytes(4, "big") + commit.to_bytes(4, "big") + b"saltsalt" + bytes(8) + noise(4096)
    lay(tmp_path, "Msg/Multi/MSG0.db", noise(31 * 4096))
    lay(tmp_path, "Msg/Multi/MSG0.db-wal", log + b"torn tail")
    plain.unlink()

    (finding,) = summary_of(tmp_path / "Msg").findings

    assert finding.facts == {"bytes": 31 * 4096, "pages": 31, "log_frames": 5, "log_commits": 2}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("photo.db", bytes(8 * 4096)),
        ("text.db", b"hello there " * 4096),
        ("MSG0.db", b"\x89PNG" + bytes(4092)),
        ("random.bin", noise(8 * 4096)),
        ("odd.db", noise(8 * 4096 + 5)),
        ("small.db", noise(1024)),
        ("x.crypt12", b"\x00\x01\x02" + bytes(5000)),
        ("x.crypt14", crypt(0, has_features=True)[:120] + bytes(5000)),
        ("signal.backup", b"\x00\x00\x00\x50" + bytes(5000)),
    ],
)
def test_what_has_only_the_name_or_only_the_noise_is_nobodys(tmp_path: Path, name: str, data: bytes) -> None:
    assert summarise(lay(tmp_path, name, data)) is None


def test_a_plain_database_beside_sealed_ones_is_still_counted(tmp_path: Path) -> None:
    write_chat_database(tmp_path / "msgstore.db", messages=50)
    lay(tmp_path, "msgstore.db.crypt15", crypt(1, has_features=True))

    summary = summary_of(tmp_path)

    assert (summary.format, summary.app, summary.messages, summary.sealed) == ("mixed", "whatsapp", 50, True)


@pytest.mark.corpus
def test_every_sealed_file_of_the_corpus_is_known_as_sealed(corpus: Path) -> None:
    folder = corpus / "chats"
    expected = {
        "_synthetic/qq/nt_msg_wrapped.db": "qq-sealed-database",
        "whatsapp/wa-crypt-tools/msgstore.db.crypt12": "whatsapp-crypt12",
        "whatsapp/wa-crypt-tools/msgstore-noexpiry.db.crypt14": "whatsapp-crypt14",
        **{
            str(path.relative_to(folder)): "sealed-database" for path in (folder / "_synthetic" / "sqlcipher").iterdir()
        },
    }

    assert {name: summary_of(folder / name).format for name in expected} == expected


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from([b"", b"\x81\x01\x08\x01", b"\x62\x08\x00", b"\0\0\0\x40\x0a"]),
    data=st.binary(max_size=300),
    tail=st.integers(0, 2),
)
def test_no_head_is_too_odd_to_look_at(tmp_path: Path, start: bytes, data: bytes, tail: int) -> None:
    path = lay(tmp_path, "x.db", start + data + os.urandom(tail * 2048))

    summary = summarise(path)

    assert summary is None or summary.sealed or summary.messages is not None


def test_signals_newer_backup_is_known_by_its_three_files(tmp_path: Path) -> None:
    for part in ("main", "metadata", "files"):
        lay(tmp_path, f"SignalBackups/signal-backup-2026-01-02-03-04-05/{part}", noise(5000))

    summary = summary_of(tmp_path)

    assert (summary.format, summary.app, summary.messages) == ("signal-backup-folder", "signal", None)


def signal_backups(folder: Path, listed: list[str], *, spoil: bytes = b"") -> Path:
    """Lay out a backup whose list names these media; all but those given away later lie where they belong."""
    backup = "SignalBackups/signal-backup-2026-01-02-03-04-05"
    records = b"".join(bytes([66, 0x0A, 64]) + name.encode() for name in listed)
    lay(folder, f"{backup}/main", noise(5000))
    lay(folder, f"{backup}/metadata", noise(100))
    lay(folder, f"{backup}/files", records + spoil)
    for name in listed:
        lay(folder, f"SignalBackups/files/{name[:2]}/{name}", noise(600))
    return folder / "SignalBackups"


def findings_of(folder: Path) -> dict[str, dict[str, object]]:
    return {one.code: dict(one.facts) for one in summary_of(folder).findings if one.code != "sealed"}


def test_signals_list_of_media_is_compared_with_the_files(tmp_path: Path) -> None:
    names = [f"{number:064x}" for number in (1, 2, 1 << 250, 7 << 240)]
    backups = signal_backups(tmp_path, names)
    assert findings_of(tmp_path) == {}

    (backups / "files" / names[1][:2] / names[1]).unlink()
    (backups / "files" / names[3][:2] / names[3]).write_bytes(b"")

    assert findings_of(tmp_path) == {
        "media-missing": {"count": 1, "name": names[1]},
        "media-corrupt": {"count": 1, "name": names[3]},
    }
    shutil.rmtree(backups / "files")
    assert findings_of(tmp_path)["media-missing"] == {"count": 4, "name": names[0]}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (bytes([66, 0x0A, 64]) + b"a" * 30, "export-cut"),
        (b"\x80", "export-cut"),
        (bytes([66, 0x0A, 64]) + b"../" + b"a" * 61, "export-damaged"),
        (b"\xff" * 9, "export-damaged"),
        (b"\xff\x7f", "export-damaged"),
        (b"\x00", "export-damaged"),
    ],
)
def test_a_damaged_list_of_media_is_told_and_what_lies_before_is_compared(
    tmp_path: Path, spoil: bytes, code: str
) -> None:
    backups = signal_backups(tmp_path, [f"{number:064x}" for number in (1, 2)], spoil=spoil)
    (backups / "files" / "00" / f"{1:064x}").unlink()

    found = findings_of(tmp_path)

    assert set(found) == {"media-missing", code}
    assert found["media-missing"]["count"] == 1


@given(data=st.binary(max_size=400))
def test_no_list_of_media_is_too_odd(data: bytes) -> None:
    with suppress(MalformedExport):
        assert all(re.fullmatch("[0-9a-f]{64}", name) for name in media_names(io.BytesIO(data), "files"))
