"""The disk is pulled out in the middle: that is what is said, nothing is called damaged, and with the disk back all goes on."""

import random
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from computer import Computer, files_of, grow

from backupkit.store.backends.posix_backend import PosixBackend


class Pulled:
    """Counts what is asked of the repository's disk, and takes it away before one of the questions."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place = place
        self.away = place.with_name(f"{place.name}-unplugged")
        self.asked = 0
        self.before = 0
        for name in ("create", "overwrite", "read", "size", "names", "delete", "swap", "set_aside"):
            monkeypatch.setattr(PosixBackend, name, self._counted(getattr(PosixBackend, name)))

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def counted(backend: PosixBackend, *arguments: Any, **more: Any) -> Any:
            if backend.root.absolute() == self.place:
                self.asked += 1
                if self.asked == self.before:
                    self.place.rename(self.away)
            return method(backend, *arguments, **more)

        return counted

    def arm(self, before: int) -> None:
        self.asked, self.before = 0, before

    def back(self) -> None:
        """Plug it in again."""
        if self.away.exists():
            assert not self.place.exists(), "nothing was written where the disk had been"
            self.away.rename(self.place)
        self.arm(0)


COMMANDS: dict[str, list[str]] = {
    "snapshot": ["snapshot", "chats"],
    "verify": ["verify"],
    "verify-open": ["verify", "--open"],
    "restore": ["restore", "latest", "--to", "back"],
    "repair": ["repair"],
    "copy": ["copy", "--to", "usb"],
    "copied-to": ["copy", "--to", "usb"],
    "drill": ["drill"],
    "sweep": ["sweep"],
    "status": ["status"],
    "snapshots": ["snapshots"],
}


@pytest.mark.parametrize("what", COMMANDS)
def test_a_disk_that_is_pulled_out_is_said_to_be_gone_and_nothing_to_be_damaged(
    ready_computer: Computer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    computer, dice = ready_computer, random.Random(what)
    monkeypatch.chdir(tmp_path)
    grow(tmp_path / "chats", dice, 4)
    computer.run_here("snapshot", "chats")
    computer.run_here("copy", "--to", "usb")
    grow(tmp_path / "chats", dice, 2)
    pulled = Pulled(tmp_path / "usb" if what == "copied-to" else computer.repository, monkeypatch)
    pulled.arm(0)
    computer.run_here(*COMMANDS[what], "--json", expect=None)
    steps = pulled.asked
    wrong = []
    assert steps > 2
    for before in sorted({2, *dice.sample(range(2, steps), min(9, steps - 2)), steps}):
        grow(tmp_path / "chats", dice, 1)
        pulled.arm(before)
        answer = computer.run_here(
            *[one.replace("back", f"back-{before}") for one in COMMANDS[what]], "--json", expect=None
        )
        was_pulled = pulled.away.exists()
        pulled.back()
        code = answer.last.get("code") if answer.last["type"] == "error" else None
        # Done before the disk was looked at again is done.
        if was_pulled and (answer.code, code) not in {(10, "disk-gone"), (10, "no-repository"), (0, None)}:
            wrong.append((before, steps, answer.code, code, answer.last))

    assert wrong == []
    assert computer.run_here("snapshot", "chats", "--json").last["state"] == "verified"
    assert computer.run_here("verify", "--open", "--json").last["findings"] == []
    computer.run_here("copy", "--to", "usb")
    computer.run_here("restore", "latest", "--to", "at-last")
    assert files_of(tmp_path / "at-last/chats") == files_of(tmp_path / "chats")
