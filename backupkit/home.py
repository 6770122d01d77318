"""The owner's home folder: where settings, state and caches lie below."""

import os
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
