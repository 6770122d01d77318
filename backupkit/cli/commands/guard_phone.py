"""`backupkit guard phone`: what an update would do to the chats on a phone that is connected here, and installing it where they stay."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.consent_steps import ask_for_consent, can_be_asked, token_in
from backupkit.cli.guard_desk import ask_desk, known_names, live_loss
from backupkit.cli.session import session_of
from backupkit.cli.usage import ValueWrong
from backupkit.cli.verdict_page import tell_verdict
from backupkit.errors import ExitCode

if TYPE_CHECKING:
    from backupkit.guard.verdict import Verdict

HELP = "backupkit guard phone --help"


def guard_phone(
    context: typer.Context,
    candidate: Annotated[Path, typer.Option("--candidate", metavar="FILE|FOLDER")],
    install: Annotated[bool, typer.Option("--install")] = False,
    serial: Annotated[str | None, typer.Option("--serial", metavar="SERIAL")] = None,
    adb: Annotated[str, typer.Option("--adb", metavar="PROGRAM")] = "adb",
    app_name: Annotated[str | None, typer.Option("--app-name", metavar="TEXT")] = None,
    consent_token: Annotated[Path | None, typer.Option("--consent-token", metavar="FILE")] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="PATH|SOURCE")] = None,
) -> ExitCode:
    """Judge an update for the app on the phone. The exit code is the decision: 0 allow, 40 hold, 41 deny, 42 undecided."""
    from backupkit.guard.package_source import read_facts
    from backupkit.guard.request import OnDisk, UpdateRequest
    from backupkit.ops.guarding.adb_phone import AdbMissing, find_phone
    from backupkit.ops.guarding.offered_copy import copy_offered, install_judged

    session = session_of(context)
    program = shutil.which(adb)
    if program is None:
        raise AdbMissing(program=adb)
    with tempfile.TemporaryDirectory(prefix="backupkit-phone-") as folder:
        # What is judged is what is installed, whatever becomes of the file meanwhile.
        files = copy_offered(_files(candidate), Path(folder, "candidate"))
        phone = find_phone(Path(program), serial)
        device = phone.device()
        offered = read_facts(*files, device_sdk=device.sdk)
        request = UpdateRequest(
            installed=OnDisk(phone.fetch(offered.package, Path(folder, "installed"))),
            candidate=OnDisk(files[0] if len(files) == 1 else files[0].parent, offered.sha256),
            device_sdk=device.sdk,
            device=device,
            app_name=app_name,
            known_names=known_names(session),
            consent=token_in(consent_token),
            loss=live_loss(session, source) if source else None,
            store="adb",
        )
        desk, verdict = ask_desk(session, request)
        if verdict.consent is not None and verdict.waits_for_consent and can_be_asked(session):
            return ask_for_consent(session, desk, request, verdict)
        installs = install and _stays(verdict)
        if installs:
            install_judged(phone, files, verdict.judged.new_sha256, device_sdk=device.sdk)
        key = "guard.phone.installed" if installs else "guard.phone.not-installed" if install else "guard.phone.asked"
        tell_verdict(session, verdict, session.say(key, serial=phone.serial), serial=phone.serial, installed=installs)
    return ExitCode(int(verdict.exit_code))


def _stays(verdict: "Verdict") -> bool:
    """Tell whether the update may be installed over the app, chats and all. Removing the app first is never done here."""
    from backupkit.guard.verdict import Decision

    return verdict.decision is Decision.ALLOW and verdict.consent is None and not verdict.would_erase


def _files(candidate: Path) -> list[Path]:
    """Return the package files of one app, the base first.

    Raises:
        ValueWrong: adb takes no such thing.
        PackageUndecided: the folder cannot be listed, or holds too many.
    """
    from backupkit.guard.apk.package_set import files_of
    from backupkit.guard.apk.reasons import Doubt, PackageUndecided

    refusal = ValueWrong(name="--candidate", found=str(candidate), expected="FILE.apk | FOLDER/*.apk", help=HELP)
    try:
        # The judge's own rule for a folder: a split left out here would be missing from what is judged and installed.
        found = sorted(files_of(candidate), key=lambda path: path.name.lower() != "base.apk")
    except PackageUndecided as error:
        raise (refusal if error.reason is Doubt.NO_PACKAGE else error) from error
    if not all(path.is_file() and path.suffix.lower() == ".apk" for path in found):
        raise refusal
    return found
