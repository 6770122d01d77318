"""The settings as the rest of backupkit sees them: complete, valid, with every default filled in."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RepositorySettings:
    """Which repository, and where its passphrase comes from. The passphrase itself never stands in a file of settings."""

    path: Path | None
    passphrase_command: str | None
    passphrase_file: Path | None


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """A folder or file with chats. `app` None means: find out from the files. The key of sealed backups never stands here itself."""

    name: str
    path: Path
    app: str | None
    package: str | None
    chat_key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class KeepSettings:
    """How many snapshots stay: the newest of all, and the last one of so many days, weeks, months and years."""

    last: int
    daily: int
    weekly: int
    monthly: int
    yearly: int


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """What is read back after a snapshot (`all` or `none`), and how often a drill is due."""

    after_snapshot: str
    drill: str

    @property
    def drill_every(self) -> timedelta | None:
        """The longest time between two drills; None where none is wanted."""
        days = {"daily": 1, "weekly": 7, "monthly": 31}.get(self.drill)
        return None if days is None else timedelta(days=days)


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """What the guard asks for before an update that would wipe the chats."""

    max_backup_age: timedelta
    needs: str
    needs_second_copy: bool
    needs_challenge: bool
    consent_from: str
    when_unsure: str


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How long a source must be quiet before the watcher takes a snapshot."""

    settle: timedelta


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. `origins` are the files they were read from, the first one wins."""

    repository: RepositorySettings
    sources: tuple[SourceSettings, ...]
    keep: KeepSettings
    verify: VerifySettings
    guard: GuardSettings
    watch: WatchSettings
    origins: tuple[str, ...] = ()

    def source(self, name: str) -> SourceSettings | None:
        """Return the source of that name."""
        return next((source for source in self.sources if source.name == name), None)
