"""`backupkit guard check`: ask what an update would do to the chats. Nothing is installed or removed."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.consent_steps import ask_for_consent, can_be_asked, token_in
from backupkit.cli.guard_desk import ask_desk, known_names, live_loss
from backupkit.cli.session import session_of
from backupkit.cli.usage import ArgumentMissing, ValueWrong
from backupkit.cli.verdict_page import tell_verdict
from backupkit.errors import ExitCode

if TYPE_CHECKING:
    from backupkit.guard.package_index import Listing
    from backupkit.guard.request import OnDisk, OnRecord

HELP = "backupkit guard check --help"
_PACKAGE_FILES = frozenset({".apk", ".apks", ".apkm", ".xapk"})


class GuardAction(Enum):
    """What the app store means to do."""

    UPGRADE = "upgrade"
    REINSTALL = "reinstall"
    UNINSTALL = "uninstall"
    DOWNGRADE = "downgrade"


def guard_check(
    context: typer.Context,
    installed: Annotated[str, typer.Option("--installed", metavar="FILE|PACKAGE|INDEX#PACKAGE")],
    candidate: Annotated[Path | None, typer.Option("--candidate", metavar="FILE")] = None,
    action: Annotated[GuardAction, typer.Option("--action")] = GuardAction.UPGRADE,
    device_sdk: Annotated[int | None, typer.Option("--device-sdk", min=1, max=10000, metavar="N")] = None,
    coverage: Annotated[Path | None, typer.Option("--pass", metavar="FILE")] = None,
    challenge: Annotated[str | None, typer.Option("--challenge", metavar="HEX")] = None,
    app_name: Annotated[str | None, typer.Option("--app-name", metavar="TEXT")] = None,
    consent_token: Annotated[Path | None, typer.Option("--consent-token", metavar="FILE")] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="PATH|SOURCE")] = None,
) -> ExitCode:
    """Judge an update. The exit code is the decision: 0 allow, 40 hold, 41 deny, 42 undecided."""
    from backupkit.guard.outcome import Action
    from backupkit.guard.request import OnDisk, UpdateRequest

    session = session_of(context)
    if candidate is None and action is not GuardAction.UNINSTALL:
        raise ArgumentMissing(name="--candidate", help=HELP)
    request = UpdateRequest(
        action=Action(action.value),
        installed=_installed(installed),
        candidate=OnDisk(candidate.absolute()) if candidate else None,
        device_sdk=device_sdk,
        app_name=app_name,
        known_names=known_names(session),
        pass_path=coverage.absolute() if coverage else None,
        challenge=_challenge(challenge),
        consent=token_in(consent_token),
        loss=live_loss(session, source) if source else None,
        store="backupkit guard check",
    )
    desk, verdict = ask_desk(session, request)
    if verdict.consent is not None and verdict.waits_for_consent and can_be_asked(session):
        return ask_for_consent(session, desk, request, verdict)
    tell_verdict(session, verdict)
    return ExitCode(int(verdict.exit_code))


def _installed(named: str) -> "OnDisk | OnRecord | Listing":
    from backupkit.guard.package_index import Listing
    from backupkit.guard.package_name import is_package_name
    from backupkit.guard.request import OnDisk, OnRecord
    from backupkit.ids import AppPackage

    # A file beside us wins over a package of the same name: what is there can be read and judged.
    path = Path(named)
    # A mistyped file would pass for a package that was never seen: `old.apk` is a name that a package could have.
    if path.suffix.lower() not in _PACKAGE_FILES and is_package_name(named) and not path.exists():
        return OnRecord(AppPackage(named))
    index, _, app = named.rpartition("#")
    package, _, version = app.partition("@")
    if index and is_package_name(package) and not path.exists():
        if version and not (version.isascii() and version.isdigit() and len(version) < 20):
            raise ValueWrong(name="--installed", found=named, expected="INDEX#PACKAGE@VERSION", help=HELP)
        return Listing(Path(index).absolute(), AppPackage(package), int(version) if version else None)
    return OnDisk(path.absolute())


def _challenge(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        challenge = bytes.fromhex(text)
    except ValueError:
        challenge = b""
    if not 16 <= len(challenge) <= 32:
        raise ValueWrong(name="--challenge", found=text, expected="32..64 x 0-9a-f", help=HELP)
    return challenge
