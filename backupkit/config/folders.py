"""Where things lie on this machine. Pure on Linux: home and environment come in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAME = "backupkit"


@dataclass(frozen=True, slots=True)
class Folders:
    """backupkit's own folders: settings, the default repository's parent, what must not be lost, what may be."""

    config: Path
    data: Path
    state: Path
    cache: Path
    system_config: Path

    @property
    def config_file(self) -> Path:
        """The owner's settings."""
        return self.config / "config.toml"

    @property
    def repository(self) -> Path:
        """The repository that is used where none is named."""
        return self.data / "repository"


def standard_folders(environment: Mapping[str, str], home: Path, system: str) -> Folders:
    """Find the folders by the XDG base directory rules, or by the system's own on macOS and Windows.

    `system` is what `sys.platform` says. As the XDG rules ask, a variable that holds no absolute path is ignored.
    """
    if system in {"darwin", "win32"}:
        return _by_library()

    def base(variable: str, *fallback: str) -> Path:
        named = Path(environment.get(variable, ""))
        return (named if named.is_absolute() else home.joinpath(*fallback)) / NAME

    return Folders(
        config=base("XDG_CONFIG_HOME", ".config"),
        data=base("XDG_DATA_HOME", ".local", "share"),
        state=base("XDG_STATE_HOME", ".local", "state"),
        cache=base("XDG_CACHE_HOME", ".cache"),
        system_config=Path("/etc") / NAME,
    )


def _by_library() -> Folders:
    from platformdirs import PlatformDirs  # noqa: PLC0415  -- only where the rules are not ours

    own = PlatformDirs(NAME, appauthor=False)
    return Folders(
        own.user_config_path, own.user_data_path, own.user_state_path, own.user_cache_path, own.site_config_path
    )
