"""One person's backup in a folder: a real repository, a clock that steps, and a record of all that was told."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backupkit.ops.checking.verify import Verified, verify_snapshot
from backupkit.ops.events import Event, Found, Notice
from backupkit.ops.keys.confirm_recovery import confirm_recovery
from backupkit.ops.keys.initialise import initialise
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import PLACE_FILE, Repository, open_repository
from backupkit.ops.restoring.restore import Restored, restore
from backupkit.ops.saving.snapshot import SnapshotTaken, SourceSpec, take_snapshot
from backupkit.ops.unlock import Secret
from backupkit.store import layout

PASSPHRASE = "correct horse battery staple"
JUNE = datetime(2018, 6, 1, 12, tzinfo=UTC)


@dataclass
class SteppingClock:
    """A clock that moves by a second each time somebody looks, so that no two statements are of the same moment."""

    at: datetime = JUNE

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@dataclass
class Scene:
    """Everything that lies on the disk. `words` are the recovery code's."""

    folder: Path
    words: str = ""
    clock: SteppingClock = field(default_factory=SteppingClock)
    told: list[Event] = field(default_factory=list)

    @property
    def places(self) -> Places:
        return Places(self.folder / "repository", self.folder / "state", self.folder / "cache")

    @property
    def repository(self) -> Repository:
        return open_repository(self.places)

    @property
    def memory(self) -> Path:
        return self.repository.memory

    def initialise(self, *, confirm: bool = True) -> None:
        made = initialise(self.places, passphrase=PASSPHRASE, clock=self.clock, tell=self.tell)
        self.words = " ".join(made.sheet.words_en)
        if confirm:
            confirm_recovery(self.places, self.words, self.clock)

    def tell(self, event: Event) -> None:
        self.told.append(event)

    def codes(self) -> list[str]:
        return [event.code for event in self.told if isinstance(event, Found | Notice)]

    def secret(self) -> Secret:
        """The recovery code: unlike a passphrase, it costs no time."""
        return Secret(recovery_words=self.words)

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file below `chats`."""
        path = self.folder / "chats" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    @property
    def chats(self) -> Path:
        return self.folder / "chats"

    def take(
        self,
        *paths: Path,
        app: str | None = None,
        package: str | None = None,
        verify: bool = False,
        stop: Callable[[], bool] = lambda: False,
        **more: Any,
    ) -> SnapshotTaken:
        specs = [SourceSpec(path, path.name, app, package) for path in paths or (self.chats,)]
        return take_snapshot(
            self.places, specs, clock=self.clock, tell=self.tell, verify=verify, stop=stop, **more
        )  # fmt: skip

    def verify(self, snapshot: str = "latest", *, opened: bool = False) -> Verified:
        secret = self.secret if opened else None
        return verify_snapshot(self.places, snapshot, open_with=secret, clock=self.clock, tell=self.tell)

    def restore(self, snapshot: str = "latest", to: Path | None = None, **more: Any) -> Restored:
        target = to or self.folder / "back"
        return restore(
            self.places, snapshot, target, secret=self.secret, clock=self.clock, tell=self.tell, **more
        )  # fmt: skip

    def largest_pack(self) -> Path:
        """The pack that holds the most: what names the files lies elsewhere, where the chats are of any size."""
        names = self.repository.backend.names(layout.PACKS)
        return max((self.places.repository / name for name in names), key=lambda path: path.stat().st_size)

    def damage_largest_pack(self) -> None:
        """Turn a bit over in the middle of it."""
        path = self.largest_pack()
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    def copy_to(self, folder: Path) -> "Scene":
        """Another person's disk that is just like this one: not a copy that knows where it came from."""
        shutil.copytree(self.folder, folder, symlinks=True)
        for place in (folder / "state" / "repositories").glob(f"*/{PLACE_FILE}"):
            place.unlink()
        return Scene(folder, self.words, SteppingClock(self.clock.at))


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def some_chats(scene: Scene, seed: int = 1) -> None:
    """A few files of a few kinds."""
    dice = random.Random(seed)
    scene.write("notes.txt", "在吗 are you there\n" * 2000)
    scene.write("photo.jpg", b"\xff\xd8\xff" + dice.randbytes(40_000))
    scene.write("deep/er/still.txt", "still here")
    scene.write("empty", b"")
