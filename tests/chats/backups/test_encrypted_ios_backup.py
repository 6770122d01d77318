"""Encrypted iPhone backups, opened with their owner's own password."""

import hashlib
import os
import plistlib
import random
import sqlite3
import zipfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from chat_schemas import CHAT_STORAGE
from sealing import IPHONE_PASSWORD, seal_iphone

from backupkit.chats.archives.members import DiskMember
from backupkit.chats.backups.ios_keybag import DecryptedMember
from backupkit.chats.backups.opened_backups import ChatKeyWrong
from backupkit.chats.counting.summary import ChatSummary, summarise, summarise_source
from backupkit.chats.model import MediaState, Message
from backupkit.chats.owner_keys import OwnerKeys, owner_keys
from backupkit.chats.readers.registry import read_all, recognise
from backupkit.chats.sources.source import open_members, open_source

GROUP = "AppDomainGroup-group.net.whatsapp.WhatsApp.shared"
STORAGE = (GROUP, "ChatStorage.sqlite")
PICTURE = (GROUP, "Message/Media/1/a.jpg")
assert (len(STORAGE[1]) % 2, len(PICTURE[1]) % 2) == (0, 1)
KEYS = OwnerKeys(passwords=(IPHONE_PASSWORD,))


def storage(folder: Path) -> bytes:
    with closing(sqlite3.connect(folder / "made.db")) as connection:
        connection.executescript(CHAT_STORAGE)
    return (folder / "made.db").read_bytes()


@pytest.fixture
def files(tmp_path: Path) -> dict[tuple[str, str], bytes]:
    return {
        STORAGE: storage(tmp_path),
        PICTURE: b"\xff\xd8picture",
        ("CameraRollDomain", "Media/DCIM/1.JPG"): b"nobody's chat",
    }


def opened(path: Path, keys: OwnerKeys = KEYS) -> ChatSummary:
    summary = summarise(path, keys=keys)
    assert summary is not None
    return summary


def messages(path: Path) -> list[Message]:
    with open_source(path, keys=KEYS) as source:
        return [told for _reader, told in read_all(source, recognise(source)) if isinstance(told, Message)]


def test_with_the_owners_password_the_messages_and_media_are_there(
    tmp_path: Path, files: dict[tuple[str, str], bytes]
) -> None:
    folder = seal_iphone(tmp_path / "backup", files)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    summary = opened(folder)

    assert (summary.format, summary.messages, summary.sealed, summary.findings) == ("whatsapp-iphone-db", 3, False, ())
    assert [one.text for one in messages(folder)] == ["hello", "", ""]
    assert [media.state for one in messages(folder) for media in one.media] == [MediaState.PRESENT]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_without_it_the_backup_stays_sealed_and_another_is_one_typed_error(
    tmp_path: Path, files: dict[tuple[str, str], bytes]
) -> None:
    folder = seal_iphone(tmp_path / "backup", files)

    sealed = opened(folder, OwnerKeys())
    other_kind = opened(folder, OwnerKeys(signal=(b"1" * 30,)))

    assert (sealed.format, sealed.messages, sealed.waits_for_a_key) == ("ios-encrypted-backup", None, True)
    assert {one.code for one in other_kind.findings} == {"sealed", "sealed-without-key"}
    with pytest.raises(ChatKeyWrong) as wrong:
        opened(folder, OwnerKeys(passwords=(b"another",)))
    assert wrong.value.facts["file"] == "Manifest.db"


def test_of_several_passwords_the_right_one_is_taken(tmp_path: Path, files: dict[tuple[str, str], bytes]) -> None:
    folder = seal_iphone(tmp_path / "backup", files)

    assert opened(folder, OwnerKeys(passwords=(b"old", IPHONE_PASSWORD))).messages == 3


def test_the_password_is_what_stands_in_the_line(tmp_path: Path, files: dict[tuple[str, str], bytes]) -> None:
    folder = seal_iphone(tmp_path / "backup", files, password=b" with spaces ")

    assert opened(folder, owner_keys(b"\xef\xbb\xbf with spaces \r\n")).messages == 3


def test_a_manifest_that_lags_behind_its_files_costs_nothing(
    tmp_path: Path, files: dict[tuple[str, str], bytes]
) -> None:
    folder = seal_iphone(tmp_path / "backup", files, shrunk=4000)

    summary = opened(folder)

    assert (summary.messages, summary.findings) == (3, ())


def stored(folder: Path, wanted: tuple[str, str]) -> Path:
    name = hashlib.sha1("-".join(wanted).encode(), usedforsecurity=False).hexdigest()
    return folder / name[:2] / name


def test_a_cut_file_is_told_and_read_as_far_as_it_goes(tmp_path: Path, files: dict[tuple[str, str], bytes]) -> None:
    folder = seal_iphone(tmp_path / "backup", files)
    path = stored(folder, STORAGE)
    path.write_bytes(path.read_bytes()[: -4096 - 16])

    summary = opened(folder)

    assert summary.is_damaged
    assert "backup-files-cut" in {one.code for one in summary.findings}


def test_a_database_in_a_sealed_backup_is_read_with_its_log(
    tmp_path: Path, files: dict[tuple[str, str], bytes]
) -> None:
    path = tmp_path / "live.db"
    path.write_bytes(files[STORAGE])
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = wal")
    connection.execute("insert into ZWAMESSAGE (Z_PK, ZCHATSESSION, ZISFROMME, ZMESSAGEDATE, ZMESSAGETYPE, ZTEXT) values (4, 1, 1, 705692900.0, 0, 'late')")  # fmt: skip
    connection.commit()
    logged = {
        **files,
        STORAGE: path.read_bytes(),
        (GROUP, "ChatStorage.sqlite-wal"): path.with_name("live.db-wal").read_bytes(),
    }
    connection.close()

    assert opened(seal_iphone(tmp_path / "backup", logged)).messages == 4


def test_a_sealed_backup_inside_a_snapshot_is_opened_too(tmp_path: Path, files: dict[tuple[str, str], bytes]) -> None:
    folder = seal_iphone(tmp_path / "backup", files)
    members = {
        "phone/" + path.relative_to(folder).as_posix(): DiskMember(str(path), path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file()
    }

    with open_members("phone", members, Path, keys=KEYS) as source:
        summary = summarise_source(source)

    assert summary is not None
    assert (summary.messages, summary.sealed) == (3, False)


def changed(folder: Path, **properties: object) -> None:
    path = folder / "Manifest.plist"
    path.write_bytes(plistlib.dumps({**plistlib.loads(path.read_bytes()), **properties}))


@pytest.mark.parametrize("tag", [b"DPIC", b"ITER"])
@pytest.mark.parametrize("rounds", [0, 0xFFFFFFFF])
def test_work_without_measure_is_refused(
    tmp_path: Path, files: dict[tuple[str, str], bytes], tag: bytes, rounds: int
) -> None:
    folder = seal_iphone(tmp_path / "backup", files)
    bag = plistlib.loads((folder / "Manifest.plist").read_bytes())["BackupKeyBag"]
    at = bag.index(tag) + 8
    changed(folder, BackupKeyBag=bag[:at] + rounds.to_bytes(4, "big") + bag[at + 4 :])

    summary = opened(folder)

    assert (summary.sealed, summary.is_damaged) == (True, True)
    assert "backup-header-broken" in {one.facts.get("reason") for one in summary.findings}


def test_a_damaged_class_key_costs_its_own_files_only(tmp_path: Path, files: dict[tuple[str, str], bytes]) -> None:
    folder = seal_iphone(tmp_path / "backup", {STORAGE: files[STORAGE], PICTURE: files[PICTURE]}, shrunk=100)
    bag = bytearray(plistlib.loads((folder / "Manifest.plist").read_bytes())["BackupKeyBag"])
    # The picture's name has an odd length, so it is of class 4; the list and the database are of class 3.
    at = bag.index(b"CLAS\0\0\0\4" + (4).to_bytes(4, "big"))
    bag[bag.index(b"WPKY", at) + 10] ^= 1
    changed(folder, BackupKeyBag=bytes(bag))

    summary = opened(folder)

    assert summary.messages == 3
    assert "backup-files-locked" in {one.code for one in summary.findings}


@pytest.mark.parametrize("seed", range(30))
def test_noise_is_never_a_traceback(tmp_path: Path, files: Mapping[tuple[str, str], bytes], seed: int) -> None:
    folder = seal_iphone(tmp_path / "backup", files)
    dice = random.Random(seed)
    target = dice.choice([folder / "Manifest.plist", folder / "Manifest.db", stored(folder, STORAGE)])
    data = bytearray(target.read_bytes())
    for _change in range(dice.randrange(1, 6)):
        at = dice.randrange(len(data))
        data[at : at + dice.randrange(1, 40)] = dice.randbytes(dice.randrange(40))
    target.write_bytes(bytes(data))

    try:
        summary = summarise(folder, keys=KEYS)
    except ChatKeyWrong:
        return
    assert summary is None or "unexpected-shape" not in {one.facts.get("reason") for one in summary.findings}


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 65535, 65536, 65537, 200_000])
def test_a_file_is_read_from_anywhere(tmp_path: Path, length: int) -> None:
    data = random.Random(length).randbytes(length)
    folder = seal_iphone(tmp_path / "backup", {(GROUP, "x.bin"): data})
    with open_source(folder, keys=KEYS) as source:
        member = source.member(f"{GROUP}/x.bin")
        assert isinstance(member, DecryptedMember)
        assert member.size_bytes == length
        with member.open() as stream:
            assert stream.read() == data
            for at in (0, 1, 16, 17, length // 2, length):
                stream.seek(at)
                assert stream.read(100) == data[at : at + 100]
            stream.seek(-min(5, length), os.SEEK_END)
            assert stream.read() == data[length - min(5, length) :]


def test_a_backup_inside_an_archive_is_opened_too(tmp_path: Path, files: dict[tuple[str, str], bytes]) -> None:
    folder = seal_iphone(tmp_path / "backup", files)
    with zipfile.ZipFile(tmp_path / "phone.zip", "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, "phone" / path.relative_to(folder))

    summary = opened(tmp_path / "phone.zip")

    assert (summary.format, summary.messages, summary.findings) == ("whatsapp-iphone-db", 3, ())
    with pytest.raises(ChatKeyWrong):
        opened(tmp_path / "phone.zip", OwnerKeys(passwords=(b"another",)))
