"""Where the guard keeps its files."""

import time
from pathlib import Path

import pytest
from flushes import Flushes, open_files

from backupkit.codec.malformed import MalformedObject
from backupkit.guard.places import UNFINISHED_FOR, GuardPlaces, clear_unfinished, write_whole
from backupkit.ids import AppPackage


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/b", "..", ".x", "", "a\nb", "a\0", "a" * 300])
def test_no_package_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    places = GuardPlaces(tmp_path)

    for path_of in (places.record_of, places.pass_of, places.consent_of, places.hint_of):
        with pytest.raises(MalformedObject):
            path_of(AppPackage(name))


def test_an_app_has_files_of_its_own(tmp_path: Path) -> None:
    assert GuardPlaces(tmp_path).pass_of(AppPackage("com.tencent.mm")) == tmp_path / "passes" / "com.tencent.mm.pass"


def test_what_a_killed_process_left_unfinished_is_cleared_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = GuardPlaces(tmp_path / "guard")
    names = [
        places.pins,
        places.witness,
        *(of(AppPackage("org.a")) for of in (places.record_of, places.pass_of, places.consent_of, places.hint_of)),
    ]
    for path in names:
        write_whole(path, b"whole")
        with monkeypatch.context() as killed:
            # What a kill -9 between the write and the rename leaves: neither step after it happens.
            killed.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("killed")))
            killed.setattr(Path, "unlink", lambda *_, **__: None)
            with pytest.raises(OSError, match="killed"):
                write_whole(path, b"half")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"not ours")
    (places.root / ".link.0123456789ab").symlink_to(elsewhere)
    (places.root / ".ledger.jsonl.backup").write_bytes(b"the owner's")
    left = {path for path in places.root.rglob("*") if path.name.startswith(".")}
    young = time.time() + UNFINISHED_FOR - 5

    clear_unfinished(places, young)
    assert {path for path in places.root.rglob("*") if path.name.startswith(".")} == left
    clear_unfinished(places, young + 60)

    kept = {path.name for path in places.root.rglob("*") if path.name.startswith(".")}
    assert kept == {".link.0123456789ab", ".ledger.jsonl.backup"}
    assert elsewhere.read_bytes() == b"not ours"
    assert all(path.read_bytes() == b"whole" for path in names)


def test_a_guard_that_was_never_used_has_nothing_to_clear(tmp_path: Path) -> None:
    clear_unfinished(GuardPlaces(tmp_path / "none"), time.time())

    assert not (tmp_path / "none").exists()


def test_what_was_written_survives_a_power_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "policy.json"
    flushes = Flushes(monkeypatch)

    write_whole(path, b"whole")

    # First what is in it, then its name.
    assert flushes.place_of(path) < flushes.place_of(tmp_path)


def test_writing_leaves_no_file_open(tmp_path: Path) -> None:
    write_whole(tmp_path / "policy.json", b"whole")
    before = open_files()

    for _ in range(20):
        write_whole(tmp_path / "policy.json", b"whole")

    assert open_files() == before
