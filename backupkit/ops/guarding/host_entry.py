"""The entry that makes a host ask the guard: for apt one file of its configuration, for pacman one hook."""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from backupkit.errors import BackupkitError, ExitCode
from backupkit.guard.desktop import WATCHED
from backupkit.ids import AppPackage

_MARK = "Written by backupkit guard install. Remove it with backupkit guard uninstall before you remove backupkit.\n"
_MOST_BYTES = 64 << 10
MOST_IN_A_LINE = 4000
"""pacman cuts longer lines in two, does not understand the second half, and then carries out nothing at all any more."""


class HostEntryUnwritable(BackupkitError):
    """The host's configuration cannot be read or changed. Facts: `path`, `reason`, `host`."""

    code = "host-entry-unwritable"
    exit_code = ExitCode.USAGE


class HostEntryForeign(BackupkitError):
    """There is a file of that name that backupkit did not write. Facts: `path`."""

    code = "host-entry-foreign"
    exit_code = ExitCode.USAGE


class HostEntryUnread(BackupkitError):
    """The host passes over files of such a name, so the entry would guard nothing. Facts: `path`, `host`, `usual`."""

    code = "host-entry-unread"
    exit_code = ExitCode.USAGE


class HostEntryTooLong(BackupkitError):
    """The entry has a line that the host would not read whole. Facts: `host`, `most`."""

    code = "host-entry-too-long"
    exit_code = ExitCode.USAGE


class HostPathUnusable(BackupkitError):
    """A path with such characters cannot be written into the host's configuration. Facts: `path`, `host`."""

    code = "host-path-unusable"
    exit_code = ExitCode.USAGE


class HostPathOutside(BackupkitError):
    """There is no such path inside the root that the host works in. Facts: `path`, `root`."""

    code = "host-path-outside"
    exit_code = ExitCode.USAGE


class Host(NamedTuple):
    """A package manager that can be made to ask: where its entry usually lies, which file names it reads, and what is in the file."""

    name: str
    usual: Path
    comment: str
    reads: re.Pattern[str]
    text: Callable[[str, Path, list[str]], str]

    @property
    def mark(self) -> str:
        """The first line of each entry: what begins otherwise is not ours."""
        return f"{self.comment} {_MARK}"

    def entry_below(self, root: Path) -> Path:
        """Return where the entry usually lies in a system below `root`."""
        return root / self.usual.relative_to("/")

    def entry(self, python: Path, program: Path, state: Path, watched: Mapping[str, AppPackage]) -> str:
        """Return the entry that makes the host ask `program`, run by `python`, with the guard below `state` about the packages in `watched`.

        Raises:
            HostPathUnusable, HostEntryTooLong: the host would read it as something else.
        """
        for path in (python, program, state):
            # Both take the command up to the first space for its name; apt gives it to a shell.
            if not all(letter.isalnum() or letter in "/._-+" for letter in str(path)):
                raise HostPathUnusable(path=str(path), host=self.name)
        words = [f"--watch {name}={app}" for name, app in sorted(watched.items()) if WATCHED.get(name) != app]
        words += [f"--except {name}" for name in sorted(WATCHED.keys() - watched.keys())]
        # -E: a PYTHONPATH or PYTHONHOME of whoever runs the host must neither stop the hook nor answer in its place.
        command = " ".join([str(python), "-E", str(program), self.name, "--state", str(state), *words])
        text = self.mark + self.text(command, python, sorted(watched))
        if any(len(line.encode()) > MOST_IN_A_LINE for line in text.splitlines()):
            raise HostEntryTooLong(host=self.name, most=MOST_IN_A_LINE)
        return text


def _apt(command: str, python: Path, _: list[str]) -> str:
    # What apt is told of a command it looks up by the command's first word.
    return f'DPkg::Pre-Install-Pkgs {{"{command}";}};\nDPkg::Tools::Options::{python}::Version "3";\n'


def _pacman(command: str, _: Path, names: list[str]) -> str:
    # Each name and not "*": a program of ours that is broken must not stop the update that would mend it.
    targets = "".join(f"Target = {name}\n" for name in names)
    return (
        f"[Trigger]\nOperation = Upgrade\nOperation = Remove\nType = Package\n{targets}\n"
        "[Action]\nDescription = Asking backupkit whether the chats are safe...\nWhen = PreTransaction\n"
        f"Exec = {command}\nAbortOnFail\nNeedsTargets\n"
    )


HOSTS = {
    host.name: host
    for host in (
        Host("apt", Path("/etc/apt/apt.conf.d/99backupkit"), "//", re.compile(r"[A-Za-z0-9_-]+|[\w.-]+\.conf"), _apt),
        # Hooks run in the order of their names, and the first that fails ends it: before others have done their work.
        Host("pacman", Path("/etc/pacman.d/hooks/00-backupkit.hook"), "#", re.compile(r".+\.hook"), _pacman),
    )
}


def usual_entry(host: Host, root: Path, pacman_conf: str | None) -> Path:
    """Return where the entry of a host lies in a system below `root`: where the host's own settings have it read.

    `pacman_conf` is the program that knows pacman's settings, None where there is none.
    """
    path = host.entry_below(root)
    folders = _hook_folders(root, pacman_conf) if host.name == "pacman" and pacman_conf is not None else []
    if not folders or host.usual.parent in folders:
        return path
    # Of two hooks with one name, that in the last folder counts.
    return root / folders[-1].relative_to("/") / path.name


def _hook_folders(root: Path, pacman_conf: str) -> list[Path]:
    command = [pacman_conf, "--config", str(root / "etc/pacman.conf"), "HookDir"]
    try:
        said = subprocess.run(command, capture_output=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        # No settings of pacman's, so those that are built into it.
        return []
    folders = [Path(os.fsdecode(line)) for line in said.splitlines() if line]
    return [folder for folder in folders if folder.is_absolute()]


def seen_inside(path: Path, root: Path) -> Path:
    """Return a path as a host sees it whose root is `root`: one below it, or one that is in there at the same place.

    Raises:
        HostPathOutside: it is neither, so that the entry would name nothing.
    """
    if path.is_relative_to(root):
        return Path("/") / path.relative_to(root)
    if not (root / path.relative_to("/")).exists():
        raise HostPathOutside(path=str(path), root=str(root))
    return path


def install_entry(host: Host, path: Path, text: str) -> None:
    """Write the entry, whole or not at all.

    Raises:
        HostEntryForeign, HostEntryUnread, HostEntryUnwritable: it cannot be done, and nothing was changed.
    """
    require_read(host, path)
    _require_ours(host, path)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if host.name == "pacman" and path.parent.parent.is_dir():
            # A new Arch has no folder for hooks yet.
            path.parent.mkdir(exist_ok=True)
        fresh.write_text(text, "utf-8")
        fresh.chmod(0o644)
        # No host reads a file of such a name, so it sees the whole entry or none.
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise HostEntryUnwritable(path=str(path), reason=error.strerror or "unwritable", host=host.name) from error


def uninstall_entry(host: Host, path: Path) -> bool:
    """Remove the entry; False where there was none.

    Raises:
        HostEntryForeign, HostEntryUnwritable: it cannot be done, and nothing was changed.
    """
    if not _require_ours(host, path):
        return False
    try:
        path.unlink()
    except OSError as error:
        raise HostEntryUnwritable(path=str(path), reason=error.strerror or "unwritable", host=host.name) from error
    return True


def require_read(host: Host, path: Path) -> None:
    """Return if the host reads a file of that name.

    Raises:
        HostEntryUnread: it does not.
    """
    if not host.reads.fullmatch(path.name):
        raise HostEntryUnread(path=str(path), host=host.name, usual=host.usual.name)


def _require_ours(host: Host, path: Path) -> bool:
    try:
        with path.open("rb") as file:
            found = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise HostEntryUnwritable(path=str(path), reason=error.strerror or "unreadable", host=host.name) from error
    if not found.startswith(host.mark.encode()):
        raise HostEntryForeign(path=str(path))
    return True
