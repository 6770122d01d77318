"""The owner's home folder, where settings, state and caches lie below, and folders in it that nobody else may enter."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path


def home_of(environment: Mapping[str, str]) -> Path:
    """Return the home folder that `HOME` names, or the system's list of users where it names none.

    An empty or relative `HOME` names none: state that lies below the root, or below wherever one stands, would be another each time.
    """
    named = Path(environment.get("HOME", ""))
    if named.is_absolute():
        return named
    try:
        import pwd  # noqa: PLC0415 - Windows has none
    except ImportError:  # pragma: no cover - Windows finds it by other variables
        return Path.home()
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        # A user that no list knows, as in some containers.
        return Path(os.sep)


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter, and those above it that are missing likewise.

    `mkdir(parents=True)` would leave the ones above to the umask, and whoever may write there may put another folder in the place of this one.

    Raises:
        OSError: it cannot be made, or something else is in its place.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
    except FileNotFoundError:
        if folder.parent == folder:
            raise
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    else:
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            # What a default access list of the folder above added.
            folder.chmod(0o700)


def is_open_to_others(folder: Path) -> bool:
    """Whether another user of the computer, root aside, could put files into a folder, or owns it. One that is not there is not open.

    Raises:
        OSError: it cannot be looked at.
    """
    try:
        status = folder.stat()
    except FileNotFoundError:
        return False
    if not hasattr(os, "geteuid"):  # pragma: no cover - Windows has access lists, which modes say nothing of
        return False
    # Root answers for everybody, and then the folder is somebody else's.
    is_ours = os.geteuid() in {0, status.st_uid} or status.st_uid == 0
    return not is_ours or bool(status.st_mode & 0o022)
