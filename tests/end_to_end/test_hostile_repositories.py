"""Repositories that somebody prepared: each command answers as written down, in bounded memory, and nothing leaves the target."""

import hashlib
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from backup_scene import bytes_of
from hostile_repositories import BASE, HOSTILE, Case, answers_of, hostile_cases, open_base, spoil

CASES = hostile_cases()
ROOM = 768 << 20
"""What a command may take beyond what the process has: a bomb is 1 GiB. The passphrase's own cost is 64 MiB."""
GOLDEN: dict[str, set[str]] = {}
for sources in json.loads((BASE / "facts.json").read_text("utf-8"))["files"].values():
    for source, files in sources.items():
        for path, digest in files.items():
            GOLDEN.setdefault(f"{source}/{path}", set()).add(digest)


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Let a bomb be a MemoryError, which no command may answer with."""
    (pages,) = Path("/proc/self/statm").read_text().split()[:1]
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (int(pages) * resource.getpagesize() + ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_repository_is_answered_as_it_is_written_down(case: Case, tmp_path: Path) -> None:
    if os.geteuid() and any(change["do"] == "device" for change in case.changes):
        pytest.skip("only root may make a device, so none was met")
    for number, (command, expected) in enumerate(case.answers.items()):
        folder = tmp_path / str(number)
        scene = open_base(folder / "inside")
        (folder / "outside").mkdir()
        (folder / "outside" / "of others").write_bytes(b"not to be touched")
        spoil(scene.places.repository, case, HOSTILE / case.name)

        with bounded_memory():
            answers = answers_of(scene, command)

        assert answers == expected, f"{case.about}: {command}"
        assert bytes_of(folder / "outside") == {"of others": b"not to be touched"}
        assert {path.name for path in folder.iterdir()} == {"inside", "outside"}
        back = folder / "inside" / "back"
        for path in (path for path in back.rglob("*") if path.is_file() and not path.is_symlink()):
            known = GOLDEN.get(str(path.relative_to(back)))
            assert known is None or hashlib.sha256(path.read_bytes()).hexdigest() in known, f"{path} came back changed"


def test_every_case_has_an_answer_and_every_file_a_case() -> None:
    assert {path.name for path in HOSTILE.iterdir() if path.is_dir()} <= {case.name for case in CASES}
    assert all(case.answers for case in CASES)
    assert len(CASES) >= 40
    # A crash is no answer.
    assert not [case.name for case in CASES for one in case.answers.values() if one["exit"] == 1]
