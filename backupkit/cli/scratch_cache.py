"""A cache for this run only, where the usual one cannot be written.

A backup is often read where nothing may be changed: from a rescue system, or on a disk that is mounted read-only. Caches may
be lost at any time, so a run with none goes on with an empty one, private to its owner and deleted when the run ends.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from backupkit.capture.scratch import discard


def can_write(folder: Path) -> bool:
    """Tell whether files can be made in `folder`; where it does not exist yet, whether it can be made."""
    for place in (folder, *folder.parents):
        if place.exists():
            return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    return False


def scratch_cache(ending: ExitStack) -> Path:
    """Make an empty folder where the system keeps temporary files; it goes with `ending`."""
    folder = Path(tempfile.mkdtemp(prefix="backupkit-"))
    ending.callback(discard, folder)
    return folder
