"""WhatsApp's sealed backups, opened with their owner's own key."""

import random
import zipfile
from pathlib import Path

import pytest
from chat_factory import write_chat_database
from sealing import WHATSAPP_KEY as KEY, seal_whatsapp

from backupkit.chats.backups.opened_backups import ChatKeyWrong
from backupkit.chats.counting.summary import ChatSummary, summarise
from backupkit.chats.owner_keys import ExportKeyWrong, OwnerKeys, owner_keys


def sealed_file(tmp_path: Path) -> Path:
    plain = write_chat_database(tmp_path / "made" / "x.db", messages=120).path.read_bytes()
    path = tmp_path / "msgstore.db.crypt15"
    path.write_bytes(seal_whatsapp(plain))
    return path


def opened(path: Path, key: bytes = KEY) -> ChatSummary:
    summary = summarise(path, keys=OwnerKeys(whatsapp=(key,)))
    assert summary is not None
    return summary


def test_with_the_owners_key_the_messages_are_counted(tmp_path: Path) -> None:
    path = sealed_file(tmp_path)
    before = path.read_bytes()

    summary = opened(path)

    assert (summary.format, summary.messages, summary.sealed, summary.findings) == (
        "whatsapp-android-db",
        120,
        False,
        (),
    )
    assert path.read_bytes() == before


def test_a_sealed_backup_inside_an_archive_is_opened_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "phone.zip", "w") as archive:
        archive.write(sealed_file(tmp_path), "Databases/msgstore.db.crypt15")

    assert opened(tmp_path / "phone.zip").messages == 120


def test_of_several_keys_the_right_one_is_taken(tmp_path: Path) -> None:
    summary = summarise(sealed_file(tmp_path), keys=OwnerKeys(whatsapp=(bytes(32), bytes([7]) * 32, KEY)))

    assert summary is not None
    assert (summary.messages, summary.findings) == (120, ())


def test_a_key_of_another_kind_leaves_it_sealed_and_says_so(tmp_path: Path) -> None:
    summary = summarise(sealed_file(tmp_path), keys=OwnerKeys(signal=(b"1" * 30,), passwords=(b"secret",)))

    assert summary is not None
    assert (summary.sealed, summary.messages, summary.is_damaged) == (True, None, False)
    assert {one.code for one in summary.findings} == {"sealed", "sealed-without-key"}


def reason_of(summary: ChatSummary) -> object:
    assert (summary.format, summary.sealed, summary.messages, summary.is_damaged) == (
        "whatsapp-crypt15",
        True,
        None,
        True,
    )
    return next(finding.facts["reason"] for finding in summary.findings if finding.code == "sealed-not-opened")


def test_another_key_and_a_damaged_file_are_told_apart(tmp_path: Path) -> None:
    path = sealed_file(tmp_path)
    data = bytearray(path.read_bytes())

    with pytest.raises(ChatKeyWrong) as wrong:
        opened(path, bytes(32))
    assert wrong.value.facts["file"] == "msgstore.db.crypt15"

    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert reason_of(opened(path)) == "backup-damaged"


@pytest.mark.parametrize("share", [0.2, 0.9, 0.9999])
def test_a_cut_file_is_never_taken_for_a_whole_one(tmp_path: Path, share: float) -> None:
    path = sealed_file(tmp_path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    assert reason_of(opened(path)) == "backup-damaged"


def test_what_swells_beyond_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backupkit.chats.backups.whatsapp_crypt15.FREE_BYTES", 0)
    path = tmp_path / "msgstore.db.crypt15"
    path.write_bytes(seal_whatsapp(bytes(4_000_000)))

    assert reason_of(opened(path)) == "backup-swells"


def test_noise_is_never_a_traceback(tmp_path: Path) -> None:
    path = sealed_file(tmp_path)
    whole = path.read_bytes()
    for seed in range(40):
        dice = random.Random(seed)
        data = bytearray(whole[: dice.randrange(len(whole))] if seed % 2 else whole)
        at = dice.randrange(60)
        data[at : at + dice.randrange(1, 5)] = dice.randbytes(dice.randrange(5))
        path.write_bytes(bytes(data))

        summarise(path, keys=OwnerKeys(whatsapp=(KEY,)))


@pytest.mark.parametrize("text", [b"", b"\n", b"0" * 63, b"0" * 65, b"1" * 29, b"\xff\xfe", b"two\nlines", b"x" * 1025])
def test_a_key_file_without_a_key_is_one_typed_error(text: bytes) -> None:
    with pytest.raises(ExportKeyWrong):
        owner_keys(text)


def test_the_digits_may_be_grouped_as_the_app_shows_them() -> None:
    digits = KEY.hex()

    assert owner_keys(" \n".join(digits[at : at + 4] for at in range(0, 64, 4)).encode()).whatsapp == (KEY,)
