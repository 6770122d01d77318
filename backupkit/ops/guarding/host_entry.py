"""The entry that makes a host ask the guard: for apt, one file of its configuration."""

import os
from pathlib import Path

from backupkit.errors import BackupkitError, ExitCode

APT_ENTRY = Path("/etc/apt/apt.conf.d/99backupkit")
_MARK = "// Written by backupkit guard install. Remove it with backupkit guard uninstall before you remove backupkit.\n"
_MOST_BYTES = 64 << 10


class HostEntryUnwritable(BackupkitError):
    """The host's configuration cannot be read or changed. Facts: `path`, `reason`."""

    code = "host-entry-unwritable"
    exit_code = ExitCode.USAGE


class HostEntryForeign(BackupkitError):
    """There is a file of that name that backupkit did not write. Facts: `path`."""

    code = "host-entry-foreign"
    exit_code = ExitCode.USAGE


class HostPathUnusable(BackupkitError):
    """A path with such characters cannot be written into the host's configuration. Facts: `path`."""

    code = "host-path-unusable"
    exit_code = ExitCode.USAGE


def apt_entry(program: Path, state: Path) -> str:
    """Return the entry that makes apt ask `program` about the guard below `state`.

    Raises:
        HostPathUnusable: apt would read one of the paths as something else.
    """
    for path in (program, state):
        # apt takes the command up to the first space for its name, and a shell runs it.
        if not all(letter.isalnum() or letter in "/._-+" for letter in str(path)):
            raise HostPathUnusable(path=str(path))
    return (
        f'{_MARK}DPkg::Pre-Install-Pkgs {{"{program} apt --state {state}";}};\n'
        f'DPkg::Tools::Options::{program}::Version "3";\n'
    )


def install_entry(path: Path, text: str) -> None:
    """Write the entry, whole or not at all.

    Raises:
        HostEntryForeign, HostEntryUnwritable: it cannot be done, and nothing was changed.
    """
    _require_ours(path)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, "utf-8")
        fresh.chmod(0o644)
        # apt reads no file whose name begins with a dot, so it sees the whole entry or none.
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise HostEntryUnwritable(path=str(path), reason=error.strerror or "unwritable") from error


def uninstall_entry(path: Path) -> bool:
    """Remove the entry; False where there was none.

    Raises:
        HostEntryForeign, HostEntryUnwritable: it cannot be done, and nothing was changed.
    """
    if not _require_ours(path):
        return False
    try:
        path.unlink()
    except OSError as error:
        raise HostEntryUnwritable(path=str(path), reason=error.strerror or "unwritable") from error
    return True


def _require_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            found = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise HostEntryUnwritable(path=str(path), reason=error.strerror or "unreadable") from error
    if not found.startswith(_MARK.encode()):
        raise HostEntryForeign(path=str(path))
    return True
