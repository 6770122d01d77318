"""Signal's sealed backups, opened with their owner's own passphrase."""

import random
from contextlib import suppress
from pathlib import Path

import pytest
from sealing import SIGNAL_PASSPHRASE as PASSPHRASE, seal_signal

from backupkit.chats.backups.opened_backups import ChatKeyWrong
from backupkit.chats.counting.summary import ChatSummary, summarise
from backupkit.chats.model import DeletionState, Direction, MediaState, Message, MessageKind
from backupkit.chats.owner_keys import OwnerKeys, owner_keys
from backupkit.chats.readers.signal_android_db import SignalAndroidDatabase
from backupkit.chats.sources.source import open_source


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backupkit.chats.backups.signal_backup.ROUNDS", 50)


def opened(path: Path, key: bytes = PASSPHRASE) -> ChatSummary:
    summary = summarise(path, keys=OwnerKeys(signal=(key,)))
    assert summary is not None
    return summary


@pytest.mark.parametrize("version", [0, 1])
def test_with_the_owners_passphrase_the_messages_are_counted(tmp_path: Path, version: int) -> None:
    path = tmp_path / "signal.backup"
    path.write_bytes(seal_signal(version, rounds=50))

    summary = opened(path)
    with open_source(path, keys=OwnerKeys(signal=(PASSPHRASE,))) as source:
        reader = SignalAndroidDatabase()
        told = list(reader.read(source, reader.recognise(source)))
    messages = {one.native_seq: one for one in told if isinstance(one, Message)}

    assert (summary.format, summary.messages, summary.conversations, summary.findings) == (
        "signal-android-db",
        12,
        1,
        (),
    )
    assert summary.by_conversation[0].title == "Ada"
    assert (messages[1].sender_name, messages[1].direction, messages[2].direction) == (
        "Ada",
        Direction.IN,
        Direction.OUT,
    )
    assert (messages[3].deletion, messages[3].kind) == (DeletionState.RECALLED, MessageKind.RECALL)
    assert [one.state for one in messages[5].media] == [MediaState.PRESENT, MediaState.MISSING]


def test_a_backup_without_its_last_frame_gives_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "signal.backup"
    path.write_bytes(seal_signal(is_ended=False, rounds=50))

    assert [(one.code, one.facts["reason"]) for one in opened(path).findings] == [("export-cut", "backup-cut")]
    assert opened(path).messages == 12


def test_a_damaged_frame_ends_the_reading_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "signal.backup"
    data = bytearray(seal_signal(messages=40, rounds=50))
    data[len(data) * 4 // 10] ^= 1
    path.write_bytes(bytes(data))

    summary = opened(path)

    assert summary.messages is not None
    assert 0 < summary.messages < 40
    assert [one.facts["reason"] for one in summary.findings] == ["backup-damaged"]


def test_another_passphrase_is_one_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "signal.backup"
    path.write_bytes(seal_signal(rounds=50))

    with pytest.raises(ChatKeyWrong):
        opened(path, b"0" * 30)


def test_of_several_passphrases_the_right_one_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "signal.backup"
    path.write_bytes(seal_signal(rounds=50))

    summary = summarise(path, keys=OwnerKeys(signal=(b"0" * 30, PASSPHRASE)))

    assert summary is not None
    assert (summary.messages, summary.findings) == (12, ())


def test_an_attachment_with_a_wrong_mac_is_told(tmp_path: Path) -> None:
    path = tmp_path / "signal.backup"
    whole = seal_signal(rounds=50)
    path.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])

    summary = opened(path)

    assert (summary.messages, summary.is_damaged) == (12, True)
    assert [one.facts["reason"] for one in summary.findings] == ["backup-damaged"]


def test_the_rounds_are_those_that_signal_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    from backupkit.chats.backups import signal_backup

    monkeypatch.undo()

    assert signal_backup.ROUNDS == 250_000


def test_noise_is_never_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "signal.backup"
    whole = seal_signal(rounds=50)
    for seed in range(40):
        dice = random.Random(seed)
        data = bytearray(whole[: dice.randrange(len(whole))] if seed % 2 else whole)
        at = dice.randrange(len(data) or 1)
        data[at : at + dice.randrange(1, 5)] = dice.randbytes(dice.randrange(5))
        path.write_bytes(bytes(data))

        with suppress(ChatKeyWrong):
            summarise(path, keys=OwnerKeys(signal=(PASSPHRASE,)))


def test_the_digits_may_be_grouped_as_the_app_shows_them() -> None:
    assert owner_keys(b"12345 67890 12345\n67890 12345 67890\n").signal == (PASSPHRASE,)
