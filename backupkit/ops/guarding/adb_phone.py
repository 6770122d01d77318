"""A phone on a cable, through Android's own `adb`: what is installed there, and installing what the guard allowed.

Nothing here removes an app. What adb and the phone say is read strictly and within bounds: a phone may be anybody's. The
outputs are those of adb 1.0.32 and later and of Android 4.4 and later (AOSP `packages/modules/adb`, `PackageManagerShellCommand`).
"""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from backupkit.errors import BackupkitError, ExitCode
from backupkit.guard.device_facts import Device
from backupkit.guard.package_name import is_package_name
from backupkit.ids import AppPackage

_ANSWER_SECONDS = 20
_TRANSFER_SECONDS = 900
_MOST_ANSWERED = 1 << 20
_MOST_FILES = 500
"""Splits of one app. Real ones have some dozens."""
_MOST_BYTES = 4 << 30
_LOOK_SECONDS = 0.05

# A second phone of one name on the network is called `adb-R58M12-x9Qk (2)._adb-tls-connect._tcp`.
_SERIAL = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:_\[\]() -]{0,127}")
# `/data/app/~~rnd==/name-rnd==/base.apk`, and system apps under /system, /product and the like.
_REMOTE = re.compile(r"package:(/[0-9A-Za-z._~=+@/-]{1,500}\.apk)")
_USER = re.compile(r"UserInfo\{([0-9]{1,6}):.*")
_ABI = re.compile(r"[0-9A-Za-z_-]{1,32}")
# Makers have results of their own: `Failure [-99]`, `Failure [null]`.
_RESULT = re.compile(r"(?:Failure \[([0-9A-Za-z_-]{1,80})|\[((?:INSTALL|DELETE)_[A-Z_]{3,80}))")
# What adb says of itself, and what the loader of old phones says before every answer.
_NOISE = ("* daemon ", "adb server version ", "adb server is out of date", "WARNING: linker:")


class AdbMissing(BackupkitError):
    """There is no adb, or it does not start. Facts: `program`."""

    code = "adb-missing"
    exit_code = ExitCode.USAGE


class PhoneNotReady(BackupkitError):
    """There is no phone to ask.

    Facts: `reason` (phone-none, phone-several, phone-unknown, phone-unauthorized, phone-offline, phone-no-permissions).
    """

    code = "phone-not-ready"
    exit_code = ExitCode.USAGE


class PhoneNotUnderstood(BackupkitError):
    """The phone or adb gave no answer that can be used. Facts: `question`, `reason` (phone-time-out, phone-too-much, phone-strange)."""

    code = "phone-not-understood"
    exit_code = ExitCode.UNDECIDED


class AppNotOnPhone(BackupkitError):
    """The app is not installed on the phone, so that nothing of it can be lost. Facts: `package`."""

    code = "app-not-on-phone"
    exit_code = ExitCode.USAGE


class AppDataLeft(BackupkitError):
    """The app was removed and its data kept, and nothing says by whom it was signed. Facts: `package`."""

    code = "app-data-left"
    exit_code = ExitCode.UNDECIDED


class PhoneRefused(BackupkitError):
    """Android refused the package, and left the installed app as it was. Facts: `result` (Android's own code)."""

    code = "phone-refused"
    exit_code = ExitCode.DENY


class Phone:
    """One phone that is connected and lets itself be asked."""

    def __init__(self, adb: Path, serial: str) -> None:
        self.serial = serial
        self._adb = adb

    def device(self) -> Device:
        """Return what the guard needs to know of the phone.

        Raises:
            PhoneNotUnderstood: it does not say which Android it is.
        """
        question = "getprop ro.build.version.sdk"
        level = "\n".join(self._lines(question))
        if not (level.isascii() and level.isdigit() and 1 <= int(level[:6]) <= 10_000):
            raise PhoneNotUnderstood(question=question, reason="phone-strange")
        listed = ",".join(self._lines("getprop ro.product.cpu.abilist"))
        abis = [abi for abi in listed.split(",") if _ABI.fullmatch(abi)]
        return Device(sdk=int(level), abis=frozenset(abis) or None)

    def files_of(self, package: AppPackage) -> list[str]:
        """Return where the package files of an installed app lie on the phone, the base among them.

        Raises:
            AppNotOnPhone, AppDataLeft: there are none.
            PhoneNotUnderstood: that cannot be told.
        """
        # Asked for nobody, the phone answers for its first user. Work profiles and second spaces are users of their own, and
        # all users of an app have the same package files.
        if files := self._paths(f"pm path {_checked(package)}"):
            return files
        for user in self._other_users():
            if files := self._paths(f"pm path --user {user} {package}"):
                return files
        if not self._paths("pm path android"):
            # A phone that does not even find itself does not answer such questions now: silence says nothing of the app.
            raise PhoneNotUnderstood(question=f"pm path {package}", reason="phone-strange")
        # `pm uninstall -k` keeps data and signer; who is asked for the app then knows of none.
        if f"package:{package}" in self._lines(f"pm list packages -u {package}"):
            raise AppDataLeft(package=package)
        raise AppNotOnPhone(package=package)

    def fetch(self, package: AppPackage, folder: Path) -> Path:
        """Copy the package files of an installed app into a new folder, and return it.

        Raises:
            AppNotOnPhone, AppDataLeft, PhoneNotUnderstood: they cannot be had.
        """
        folder.mkdir()
        left = _MOST_BYTES
        for remote in self.files_of(package):
            local = folder / PurePosixPath(remote).name
            if local.exists():
                raise PhoneNotUnderstood(question=f"pm path {package}", reason="phone-strange")
            code, *_ = self._run(["pull", remote, str(local)], _TRANSFER_SECONDS, local, left)
            if code or not local.is_file() or local.is_symlink():
                raise PhoneNotUnderstood(question=f"adb pull {remote}", reason="phone-strange")
            left -= local.stat().st_size
        return folder

    def install(self, files: Sequence[Path]) -> None:
        """Install the files of one app over the installed one, whose data Android keeps or refuses to touch.

        Raises:
            PhoneRefused: Android refused.
            PhoneNotUnderstood: nobody can tell whether it was installed.
        """
        verb = "install" if len(files) == 1 else "install-multiple"
        _, said, complained = self._run([verb, "-r", *map(str, files)], _TRANSFER_SECONDS)
        # Which of the two it is said on depends on the version.
        answer = f"{said}\n{complained}"
        refused = _RESULT.search(answer)
        if refused is not None:
            raise PhoneRefused(result=refused[1] or refused[2])
        # Old versions of adb end with 0 whatever happened.
        if "Success" not in (line.strip() for line in answer.splitlines()):
            raise PhoneNotUnderstood(question=f"adb {verb}", reason="phone-strange")

    def _paths(self, question: str) -> list[str]:
        lines = self._lines(question)
        files = [found[1] for line in lines if (found := _REMOTE.fullmatch(line))]
        if len(files) != len(lines) or len(files) > _MOST_FILES:
            raise PhoneNotUnderstood(question=question, reason="phone-strange")
        return files

    def _other_users(self) -> list[str]:
        users = [found[1] for line in self._lines("pm list users") if (found := _USER.fullmatch(line))]
        return [user for user in users if int(user)]

    def _lines(self, question: str) -> list[str]:
        _, said, complained = self._run(["shell", question], _ANSWER_SECONDS)
        lines = _meant(said)
        if not lines and _meant(complained):
            # No answer but a complaint, such as that the package manager is not up yet, is not the answer "none".
            raise PhoneNotUnderstood(question=question, reason="phone-strange")
        return lines

    def _run(
        self, arguments: Sequence[str], seconds: float, grows: Path | None = None, most: int = 0
    ) -> tuple[int, str, str]:
        return _run(self._adb, ["-s", self.serial, *arguments], seconds, grows, most)


_STATES = (
    ("unauthorized", "phone-unauthorized"),
    ("authorizing", "phone-unauthorized"),
    ("no permissions", "phone-no-permissions"),
)


def find_phone(adb: Path, serial: str | None) -> Phone:
    """Return the phone of that serial number, or the only one that is connected.

    Raises:
        AdbMissing, PhoneNotReady, PhoneNotUnderstood: there is none that can be asked.
    """
    _, answer, _ = _run(adb, ["devices"], _ANSWER_SECONDS)
    _, header, listed = answer.partition("List of devices attached")
    if not header:
        raise PhoneNotUnderstood(question="adb devices", reason="phone-strange")
    states: dict[str, str] = {}
    for line in listed.splitlines()[1:]:
        name, tab, state = line.strip().partition("\t")
        if tab:
            states[name] = state.strip()
    if serial is None:
        if len(states) != 1:
            raise PhoneNotReady(reason="phone-several" if states else "phone-none")
        (serial,) = states
    if serial not in states:
        raise PhoneNotReady(reason="phone-unknown")
    state = states[serial]
    if state != "device":
        raise PhoneNotReady(
            reason=next((reason for said, reason in _STATES if state.startswith(said)), "phone-offline")
        )
    if not _SERIAL.fullmatch(serial):
        # "(no serial number)": adb has no name by which to ask it.
        raise PhoneNotUnderstood(question="adb devices", reason="phone-strange")
    return Phone(adb, serial)


def _checked(package: AppPackage) -> AppPackage:
    """Return a package name that a shell takes for one word: the phone's shell reads the question."""
    if not is_package_name(package):
        raise AppNotOnPhone(package=package)
    return package


def _run(
    adb: Path, arguments: Sequence[str], seconds: float, grows: Path | None = None, most: int = 0
) -> tuple[int, str, str]:
    """Run adb; return its exit code, what it said and what it complained of. `grows` is a file that it may fill up to `most` bytes."""
    question = " ".join(["adb", *arguments[:4]])
    # Into files without a name: what is said is bounded while it is said, and adb's server, which lives on, holds no pipe of ours.
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        try:
            process = subprocess.Popen([str(adb), *arguments], stdin=subprocess.DEVNULL, stdout=said, stderr=complained)
        except OSError as error:
            raise AdbMissing(program=str(adb)) from error
        until = time.monotonic() + seconds
        try:
            while not _ended(process):
                spoken = max(os.fstat(one.fileno()).st_size for one in (said, complained))
                if spoken > _MOST_ANSWERED or (grows is not None and _size(grows) > most):
                    raise PhoneNotUnderstood(question=question, reason="phone-too-much")
                if time.monotonic() > until:
                    raise PhoneNotUnderstood(question=question, reason="phone-time-out")
        finally:
            process.kill()
            process.wait()
        texts = [_read(one, question) for one in (said, complained)]
    return process.returncode, texts[0], texts[1]


def _read(file: IO[bytes], question: str) -> str:
    file.seek(0)
    data = file.read(_MOST_ANSWERED + 1)
    if len(data) > _MOST_ANSWERED:
        raise PhoneNotUnderstood(question=question, reason="phone-too-much")
    return data.decode("utf-8", "replace")


def _meant(text: str) -> list[str]:
    """Return the lines that are an answer. Phones end them with one or two carriage returns, old ones with a warning before."""
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith(_NOISE)]


def _ended(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(_LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
