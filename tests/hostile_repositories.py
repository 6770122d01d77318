"""The hostile repositories of `tests/vectors/hostile`: how one is laid out, and how it is asked."""

import io
import json
import os
import shutil
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from backup_scene import Scene, SteppingClock

from backupkit.cli.main import answer
from backupkit.cli.session import Process
from backupkit.clock import FixedClock

VECTORS = Path(__file__).parent / "vectors"
BASE = VECTORS / "whole"
HOSTILE = VECTORS / "hostile"
COMMANDS = ("verify", "verify --open", "restore", "snapshot")
GIANT = 1 << 40

Answers: TypeAlias = dict[str, Any]
"""What a command answered: `exit`, `code` of the error, the `findings` that were told."""


@dataclass(frozen=True, slots=True)
class Case:
    """A hostile repository: what differs from the golden one, and what each command must answer."""

    name: str
    about: str
    changes: tuple[dict[str, Any], ...]
    answers: dict[str, Answers]


def hostile_cases() -> list[Case]:
    found = json.loads((HOSTILE / "cases.json").read_text("ascii"))
    return [Case(name, one["about"], tuple(one["changes"]), one["answers"]) for name, one in found.items()]


def open_base(folder: Path) -> Scene:
    """Lay out the golden repository, with the machine that it was made on."""
    facts = json.loads((BASE / "facts.json").read_text("utf-8"))
    scene = Scene(folder, facts["words"], SteppingClock(datetime(2030, 1, 2, tzinfo=UTC)))
    shutil.copytree(BASE / "repository", scene.places.repository)
    id_ = json.loads((BASE / "repository" / "config").read_bytes()[12:])["signed"]["repository"]
    shutil.copytree(BASE / "state", scene.places.state / "repositories" / id_)
    (folder / "passphrase").write_text(facts["passphrase"] + "\n")
    (folder / "words").write_text(facts["words"])
    for secret in ("passphrase", "words"):
        (folder / secret).chmod(0o600)
    return scene


def spoil(root: Path, case: Case, files: Path) -> None:
    """Make a golden repository hostile."""
    packs = sorted(path for path in (root / "packs").rglob("*") if path.is_file())
    largest = str(max(packs, key=lambda path: path.stat().st_size).relative_to(root))
    for change in case.changes:
        path = root / (largest if change["path"] == "PACK" else os.fsdecode(change["path"].encode("utf-8", "surrogateescape")))  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or path.is_file():
            path.unlink()
        match change["do"]:
            case "write":
                path.write_bytes((files / change["file"]).read_bytes())
            case "file":
                path.write_bytes(b"odd")
            case "folder":
                path.mkdir()
            case "giant":
                path.touch()
                os.truncate(path, GIANT)
            case "pipe":
                os.mkfifo(path)
            case "link":
                path.symlink_to(change["to"])
            case "device":
                os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))


def answers_of(scene: Scene, command: str) -> Answers:
    """Run a command of a person who has this repository on a disk, and return what it answered."""
    (scene.chats).mkdir(exist_ok=True)
    (scene.chats / "new.txt").write_text("a new message\n")
    words = ("--recovery-words-file", str(scene.folder / "words"))
    arguments = {
        "verify": ("verify",),
        "verify --quick": ("verify", "--quick"),
        "verify --open": ("verify", "--open", *words),
        "restore": ("restore", "latest", "--to", str(scene.folder / "back"), *words),
        "restore with passphrase": ("restore", "latest", "--to", str(scene.folder / "back")),
        "snapshot": ("snapshot", str(scene.chats)),
        "repair": ("repair",),
    }[command]
    out, notes = io.StringIO(), io.StringIO()
    environment = {
        "HOME": str(scene.folder),
        "LANG": "en_US.UTF-8",
        "PATH": os.environ["PATH"],
        "BACKUPKIT_REPO": str(scene.places.repository),
        "BACKUPKIT_PASSPHRASE_FILE": str(scene.folder / "passphrase"),
        "XDG_STATE_HOME": str(scene.folder / "xdg"),
        "XDG_CACHE_HOME": str(scene.folder / "xdg-cache"),
    }
    (scene.folder / "xdg").mkdir(exist_ok=True)
    if not (scene.folder / "xdg" / "backupkit").exists():
        (scene.folder / "xdg" / "backupkit").symlink_to(scene.places.state)
    process = Process(environment, out, notes, FixedClock(datetime(2030, 1, 3, tzinfo=UTC)))
    code = int(answer(process, [*arguments, "--json"]))
    told = [json.loads(line) for line in (out.getvalue() + notes.getvalue()).splitlines() if line.startswith("{")]
    last = json.loads(out.getvalue().splitlines()[-1])
    findings = sorted({one["code"] for one in told if one["type"] == "finding"})
    return {"exit": code, "code": last.get("code") if last["type"] == "error" else None, "findings": findings}
