"""Reading the files of settings: the owner's over the machine's."""

from pathlib import Path

from backupkit.config import ConfigUnreadable, Layer, Settings, read_layer, settle

MOST_BYTES = 1 << 20


def read_settings(own: Path, machine: Path, *, own_must_exist: bool, home: Path, profile: str | None) -> Settings:
    """Read the owner's file over the machine's, with the profile that was asked for on top.

    Raises:
        ConfigProblem: one of them cannot be used, or a file that was named is not there.
    """
    layers = [
        layer
        for path, must_exist in ((own, own_must_exist), (machine, False))
        if (layer := _layer(path, home, must_exist=must_exist)) is not None
    ]
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
        raise ConfigUnreadable(file=str(path), reason="too-large")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ConfigUnreadable(file=str(path), reason="not-utf-8") from problem
    return read_layer(text, str(path), home=home)
