"""Each object of a small repository deleted, cut and changed, one at a time: the rest comes back, and the loss is named."""

import json
import os
import random
import re
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from computer import Answer, Computer, files_of

SHARE = float(os.environ.get("BACKUPKIT_TEST_DAMAGE", "0"))
"""Which part of all faults is tried, of each kind of fault in each kind of object at least one; 1 tries every one."""

KEPT_ONCE = ("packs", "index", "parity")
KINDS = {"config", "keyring", "slots", "domains", "packs", "index", "packlists", "snapshots", "signatures", "statements",
         "log/entries", "log/checkpoint", "parity"}  # fmt: skip


@dataclass
class Saved:
    """A computer with three snapshots of two sources, and what the sources hold."""

    computer: Computer
    words: Path
    chats: Path
    files: dict[str, bytes]

    def restore(self, to: Path) -> Answer:
        words = ("--recovery-words-file", self.words)
        return self.computer.run_here("restore", "latest", "--to", to, *words, "--json", expect=None)

    def require_whole(self, to: Path) -> None:
        assert self.restore(to).code == 0
        assert files_of(to / "chats") == self.files


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    folder = tmp_path_factory.mktemp("damage")
    computer = Computer(folder / "home")
    computer.initialise()
    dice = random.Random(1)
    chats, other = folder / "chats", folder / "other"
    (chats / "below").mkdir(parents=True)
    other.mkdir()
    (chats / "words.txt").write_text("hello\n" * 5000)
    (chats / "photo.jpg").write_bytes(b"\xff\xd8\xff" + dice.randbytes(300_000))
    (chats / "below" / "more.txt").write_text("x" * 100)
    (other / "o.txt").write_text("other" * 100)
    with sqlite3.connect(chats / "messages.db") as database:
        database.execute("CREATE TABLE t(x)")
        database.executemany("INSERT INTO t VALUES (?)", [(dice.randbytes(200),) for _ in range(500)])
    database.close()
    computer.run_here("snapshot", chats)
    computer.run_here("snapshot", other)
    (chats / "new.txt").write_text("new" * 1000)
    computer.run_here("snapshot", chats)
    computer.run_here("repair")
    return Saved(computer, computer.home / "words", chats, files_of(chats))


def objects(repository: Path) -> list[str]:
    return sorted(str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file() and path.name != ".lock")  # fmt: skip


def faults(data: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Each way to harm an object, and what is left of it."""
    yield "deleted", None
    for size in sorted({0, 1, len(data) // 2, len(data) - 1}):
        yield f"cut to {size}", data[:size]
    for at in sorted({0, 5, 11, len(data) // 3, len(data) // 2, len(data) - 40, len(data) - 1}):
        if 0 <= at < len(data):
            yield f"changed at {at}", data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    yield "longer", data + b"\0"


def harm(path: Path, left: bytes | None) -> None:
    path.unlink() if left is None else path.write_bytes(left)


def kind_of(name: str) -> str:
    """Name the kind of an object, and whether it is a copy."""
    whole = re.sub(r"^copies/[12]/", "", name)
    kind = "signatures" if whole.endswith(".sshsig") else whole.partition("/")[0]
    kind = "/".join(whole.split("/")[:2]) if kind == "log" else kind
    return kind if whole == name else f"copies of {kind}"


def chosen_faults(repository: Path, dice: random.Random) -> tuple[list[tuple[str, str]], int]:
    """Choose objects and faults: some of each kind of fault in each kind of object. Return them, and how many there are."""
    by_kind: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name in objects(repository):
        for fault, _ in faults((repository / name).read_bytes()):
            by_kind.setdefault((kind_of(name), fault.split()[0]), []).append((name, fault))
    assert {kind for kind, _ in by_kind} == KINDS | {f"copies of {kind}" for kind in KINDS - set(KEPT_ONCE)}
    chosen = [one for every in by_kind.values() for one in dice.sample(every, max(1, round(SHARE * len(every))))]
    return chosen, sum(len(every) for every in by_kind.values())


@pytest.mark.slow
def test_every_fault_in_every_object_is_survived_and_named(
    saved: Saved, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    computer, home = saved.computer, saved.computer.home
    pristine = tmp_path / "pristine"
    shutil.copytree(home, pristine)
    chosen, every = chosen_faults(computer.repository, random.Random(20))
    outcomes: Counter[tuple[str, int, int]] = Counter()
    for number, (name, fault) in enumerate(chosen):
        data = (computer.repository / name).read_bytes()
        harm(computer.repository / name, dict(faults(data))[fault])
        place = f"{name} {fault}"

        verified = computer.run_here("verify", "--json", expect=None)
        restored = saved.restore(tmp_path / "back")
        back = files_of(tmp_path / "back" / "chats") if (tmp_path / "back" / "chats").is_dir() else {}

        whole = {path for path, content in saved.files.items() if back.get(path) == content}
        wrong = {path for path in back if path in saved.files and path not in whole}
        assert not wrong, f"{place}: {wrong} came back changed under their own names"
        assert verified.code in {0, 20}, f"{place}: {verified.out} {verified.err}"
        assert restored.code in {0, 20}, f"{place}: {restored.out} {restored.err}"
        assert (restored.code == 20) == (whole != set(saved.files)), place
        if restored.code == 20:
            named = " ".join(json.dumps(one, ensure_ascii=False) for one in restored.objects)
            lost = set(saved.files) - whole
            assert all(path in named for path in lost) or "lost" in named, f"{place}: {lost} not named in {named}"
            assert verified.code == 20, f"{place}: verify did not see what restore lost"
        if verified.code == 20:
            assert Path(name).name in verified.out, f"{place}: verify did not name it: {verified.out}"
        if kind_of(name) != "packs":
            assert (verified.code, restored.code) == (0, 0), f"{place}: a copy, or what can be made anew"
        # There are two ways out: what is lost comes back from parity, or the next snapshot saves it again.
        if number % 2:
            mended = computer.run_here("repair", "--json")
            assert mended.last["state"] in {"repaired", "whole"}, f"{place}: {mended.out}"
            assert computer.run_here("repair", "--json").last["state"] == "whole", place
            saved.require_whole(tmp_path / "again")
        else:
            computer.run_here("snapshot", saved.chats)
        assert computer.run_here("verify", "--json").last["state"] == "verified", place
        outcomes[kind_of(name), verified.code, restored.code] += 1
        for folder in (tmp_path / "back", tmp_path / "again"):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(home)
        shutil.copytree(pristine, home)

    with capsys.disabled():
        sys.stdout.write(
            f" {len(chosen)} of {every} faults in {len({kind for kind, *_ in outcomes})} kinds of objects "
        )


@pytest.mark.parametrize("name", ["config", "keyring", "domains", "log/checkpoint", "snapshots"])
@pytest.mark.parametrize("how", ["gone", "garbage", "another's", "newer"])
def test_an_object_that_is_lost_with_all_its_copies_has_a_documented_exit_code(
    saved: Saved, tmp_path: Path, name: str, how: str
) -> None:
    computer = saved.computer.double(tmp_path / "home")
    repository = computer.repository
    found = [path for path in objects(repository) if path == name or path.startswith(f"{name}/")]
    other = tmp_path / "other"
    Computer(other).run_here("init", "--no-input", "--recovery-sheet", tmp_path / "sheet.html")
    for path in found:
        for copy in ("", "copies/1/", "copies/2/"):
            place = repository / (copy + path)
            if not place.exists():
                continue
            data = place.read_bytes()
            mark = bytes([data[0]]) + data[1:10] + b"\x00\x63" + data[12:] if len(data) > 12 else b""
            stranger = Computer(other).repository / path
            left = {"gone": None, "garbage": b"garbage", "newer": mark}
            harm(place, left[how] if how != "another's" else (stranger.read_bytes() if stranger.exists() else b"{}"))

    words = ("--recovery-words-file", saved.words)
    answers = [
        computer.run_here(*command, "--json", expect=None)
        for command in (
            ("verify",),
            ("restore", "latest", "--to", tmp_path / "back", *words),
            ("status",),
            ("snapshots",),
            ("snapshot", saved.chats),
        )
    ]

    codes = [answer.code for answer in answers]
    assert set(codes) <= {0, 5, 10, 13, 20, 21, 22}, [answer.out.splitlines()[-1] for answer in answers]
    assert codes[0] != 0
    for answer in answers:
        assert answer.last["type"] in {"summary", "error"}
    if name == "log/checkpoint":
        assert files_of(tmp_path / "back" / "chats") == saved.files


def test_swapped_snapshots_are_not_believed(saved: Saved, tmp_path: Path) -> None:
    computer = saved.computer.double(tmp_path / "home")
    ids = [line["snapshot"] for line in computer.run_here("snapshots", "--json").objects if line["type"] == "snapshot"]
    first, last = ids[0], ids[-1]
    for copy in ("", "copies/1/", "copies/2/"):
        folder = computer.repository / copy / "snapshots"
        contents = (folder / first).read_bytes(), (folder / last).read_bytes()
        (folder / last).write_bytes(contents[0])
        (folder / first).write_bytes(contents[1])

    assert computer.run_here("verify", last, "--json", expect=None).code in {20, 21}
    restored = computer.run_here(
        "restore", "latest", "--to", tmp_path / "back", "--recovery-words-file", saved.words, "--json", expect=None
    )
    assert restored.code == 20
    assert last in restored.out


def test_a_repository_put_back_to_an_older_state_is_exit_21_and_still_restores(saved: Saved, tmp_path: Path) -> None:
    computer = saved.computer.double(tmp_path / "home")
    older = tmp_path / "older"
    shutil.copytree(computer.repository, older)
    computer.run_here("snapshot", saved.chats)
    shutil.rmtree(computer.repository)
    older.rename(computer.repository)

    for command in (("verify",), ("snapshot", saved.chats), ("snapshots",), ("status",)):
        answer = computer.run_here(*command, "--json", expect=21)
        assert answer.last["code"] == "history-rolled-back"
    restored = computer.run_here(
        "restore", "latest", "--to", tmp_path / "back", "--recovery-words-file", saved.words, "--json", expect=21
    )
    assert restored.last["code"] == "history-rolled-back"
    assert files_of(tmp_path / "back" / "chats") == saved.files
