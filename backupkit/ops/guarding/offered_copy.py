"""A copy of the offered package, out of reach of others: what is judged, and what is installed.

The original may be anything by then: swapped, still growing, a pipe or a device in its place.
"""

from collections.abc import Sequence
from pathlib import Path

from backupkit.guard.apk.package_file import MOST_BYTES, PackageFile
from backupkit.guard.apk.reasons import Doubt, PackageUndecided
from backupkit.guard.package_source import read_facts
from backupkit.ops.guarding.adb_phone import Phone


def copy_offered(files: Sequence[Path], folder: Path) -> list[Path]:
    """Copy the package files of one app into a new folder.

    Raises:
        PackageUndecided: one cannot be read, changed while it was read, or they are too large.
    """
    folder.mkdir(mode=0o700)
    left = MOST_BYTES
    copies = []
    for path in files:
        copy = folder / path.name
        with PackageFile(path) as package:
            left -= package.size
            if left < 0:
                raise PackageUndecided(Doubt.TOO_LARGE)
            try:
                with copy.open("xb") as file:
                    file.writelines(package.stream(0, package.size))
            except OSError as error:
                # Told by the place that has no room, and not by the package, which can be read.
                raise OSError(error.errno, error.strerror, str(copy)) from error
            package.check_identity()
        copies.append(copy)
    return copies


def install_judged(phone: Phone, files: Sequence[Path], sha256: str | None, *, device_sdk: int | None) -> None:
    """Install the files over the installed app if they are still those that were judged.

    Raises:
        PackageUndecided, PackageNotGenuine: they are not, and nothing was installed.
        PhoneRefused, PhoneNotUnderstood: the phone did not install them, or nobody can tell.
    """
    if read_facts(*files, device_sdk=device_sdk).sha256 != sha256:
        raise PackageUndecided(Doubt.CHANGED_WHILE_READ)
    phone.install(files)
