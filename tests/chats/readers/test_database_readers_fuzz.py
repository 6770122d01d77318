"""Hostile databases and sealed backups: one typed error or a finding, never a traceback, never another format."""

import itertools
import random
import shutil
from pathlib import Path

import chat_samples
import pytest
from database_samples import SAMPLES
from hypothesis import HealthCheck, given, settings, strategies as st

from backupkit.chats.backups.opened_backups import ChatKeyWrong
from backupkit.chats.counting.summary import summarise
from backupkit.chats.readers import sealed
from backupkit.chats.readers.registry import READERS
from backupkit.chats.sources.source import open_source

EVERY_EXAMPLE = itertools.count()
QUICK = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MAY_BECOME = {"sealed-database", "mixed", *(reader.format for reader in sealed.READERS)}


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backupkit.chats.backups.signal_backup.ROUNDS", 50)


def made(tmp_path: Path, name: str) -> Path:
    """Make the sample once, and a fresh copy of it each time."""
    original = tmp_path / "original"
    if not original.exists():
        original.mkdir()
        SAMPLES[name][0](original)
    copy = tmp_path / f"copy-{next(EVERY_EXAMPLE)}"
    shutil.copytree(original, copy)
    return copy


def must_be_honest(folder: Path, name: str) -> None:
    keys = SAMPLES[name][1]
    with open_source(folder, keys=keys) as source:
        for reader in READERS:
            reader.recognise(source)
    try:
        summary = summarise(folder, keys=keys)
    except ChatKeyWrong:
        assert keys
        return
    if summary is not None:
        assert summary.format in {name.split(maxsplit=1)[0], *MAY_BECOME}
        assert "unexpected-shape" not in {finding.facts.get("reason") for finding in summary.findings}
    shutil.rmtree(folder)


def test_every_reader_has_a_sample_that_is_damaged_somewhere() -> None:
    text = {name.split(maxsplit=1)[0] for name in chat_samples.SAMPLES}
    bytes_ = {name.split(maxsplit=1)[0] for name in SAMPLES}
    closed = {reader.format for reader in sealed.READERS}

    # What is never opened has nothing to damage; `test_sealed.py` feeds it noise.
    assert {reader.format for reader in READERS} - closed <= text | bytes_


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_its_own_format(tmp_path: Path, name: str) -> None:
    summary = summarise(made(tmp_path, name), keys=SAMPLES[name][1])

    assert summary is not None
    assert summary.format == name.split(maxsplit=1)[0]
    assert summary.messages
    assert not summary.is_damaged


@pytest.mark.parametrize("name", SAMPLES)
@QUICK
@given(seed=st.integers(0, 2**32))
def test_bytes_changed_anywhere_are_never_a_traceback(tmp_path: Path, name: str, seed: int) -> None:
    folder, dice = made(tmp_path, name), random.Random(seed)
    target = dice.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    data = bytearray(target.read_bytes())
    for _change in range(dice.randrange(1, 8)):
        # Headers and lists of cells, which decide what the rest means, stand at the beginnings of pages.
        at = dice.choice(
            [dice.randrange(len(data) or 1), dice.randrange(len(data) // 4096 + 1) * 4096 + dice.randrange(120)]
        )
        junk = dice.choice([dice.randbytes(dice.randrange(1, 9)), b"\xff" * 4, b"\0" * 8, b"\x7f\xff\xff\xff"])
        data[at : at + (len(junk) if dice.random() < 0.8 else dice.randrange(30))] = junk
    target.write_bytes(bytes(data))

    must_be_honest(folder, name)


@pytest.mark.parametrize("name", SAMPLES)
@QUICK
@given(seed=st.integers(0, 2**32))
def test_files_cut_lost_or_swapped_are_never_a_traceback(tmp_path: Path, name: str, seed: int) -> None:
    folder, dice = made(tmp_path, name), random.Random(seed)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    target, other = dice.choice(files), dice.choice(files)
    match dice.randrange(4):
        case 0:
            target.write_bytes(target.read_bytes()[: dice.randrange(target.stat().st_size + 1)])
        case 1:
            target.unlink()
        case 2:
            target.write_bytes(other.read_bytes())
        case _:
            data = target.read_bytes()
            at = dice.randrange(len(data) or 1)
            target.write_bytes(data[:at] + data[:at] + data[at:])

    must_be_honest(folder, name)
