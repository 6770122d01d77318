"""Which files of settings count, and reading them."""

from pathlib import Path
from typing import TYPE_CHECKING

from backupkit.config import ConfigUnreadable, Layer, Settings, read_layer, settle

if TYPE_CHECKING:
    from backupkit.cli.session import Session

MOST_BYTES = 1 << 20


def settings_file(session: "Session") -> Path:
    """Return the owner's file of settings: flag, environment, default."""
    named = session.asked.config or session.environment.get("BACKUPKIT_CONFIG")
    return Path(named).absolute() if named else session.folders.config_file


def read_settings(session: "Session") -> Settings:
    """Read the owner's file over the machine's, with the profile that was asked for on top.

    Raises:
        ConfigProblem: one of them cannot be used, or a file that was named is not there.
    """
    was_named = bool(session.asked.config or session.environment.get("BACKUPKIT_CONFIG"))
    layers = [
        layer
        for path, must_exist in (
            (settings_file(session), was_named),
            (session.folders.system_config / "config.toml", False),
        )
        if (layer := _layer(path, session.process.home, must_exist=must_exist)) is not None
    ]
    profile = session.asked.profile or session.environment.get("BACKUPKIT_PROFILE") or None
    return settle(layers, profile=profile)


def _layer(path: Path, home: Path, *, must_exist: bool) -> Layer | None:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError as problem:
        if not must_exist:
            return None
        raise ConfigUnreadable(file=str(path), reason=problem.strerror or "missing") from problem
    except OSError as problem:
        raise ConfigUnreadable(file=str(path), reason=problem.strerror or "unreadable") from problem
    if len(data) > MOST_BYTES:
        raise ConfigUnreadable(file=str(path), reason="larger than 1 MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ConfigUnreadable(file=str(path), reason="not UTF-8") from problem
    return read_layer(text, str(path), home=home)
