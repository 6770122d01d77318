"""`backupkit guard trust`: which signer of an app the owner accepts."""

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.guard_desk import guard_places
from backupkit.cli.session import Session, session_of
from backupkit.cli.usage import ArgumentMissing, ValueWrong
from backupkit.errors import BackupkitError, ExitCode
from backupkit.text import printable

if TYPE_CHECKING:
    from backupkit.guard.package_record import PackageRecord

HELP = "backupkit guard trust --help"
LONGEST_LABEL = 100


class TrustAction(Enum):
    """What to do with the list of accepted signers."""

    LIST = "list"
    ADD = "add"
    REVOKE = "revoke"


class AppNotKnown(BackupkitError):
    """No record of this app lies on this machine. Facts: `package`."""

    code = "app-not-known"
    exit_code = ExitCode.NOT_FOUND


def guard_trust(
    context: typer.Context,
    action: Annotated[TrustAction, typer.Argument(metavar="list|add|revoke")] = TrustAction.LIST,
    app: Annotated[str | None, typer.Argument(metavar="FILE|PACKAGE")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT")] = None,
) -> ExitCode:
    """List known apps, accept the signer of a package file on your word, or forget an app."""
    session = session_of(context)
    if action is TrustAction.LIST:
        return _list(session)
    if app is None:
        raise ArgumentMissing(name="FILE|PACKAGE", help=HELP)
    if action is TrustAction.ADD:
        _add(session, app, name)
    else:
        _revoke(session, app)
    return ExitCode.DONE


def _list(session: Session) -> ExitCode:
    from backupkit.codec.malformed import MalformedObject, NewerFormat
    from backupkit.guard.package_record import Records

    records = Records(guard_places(session).records)
    lines, damaged = [], []
    packages = records.packages()
    for package in packages:
        try:
            record = records.read(package)
        except (MalformedObject, NewerFormat, OSError):
            damaged.append(package)
            continue
        if record is None:
            continue
        session.printer.record("trusted-app", _fields(record))
        name = f"{printable(record.label)}  " if record.label else ""
        known_by = session.say(f"guard.known-by.{record.enrolled_by.value}")
        lines.append(f"{name}{package}  {session.catalogue.time(record.enrolled_at)}  {known_by}")
        lines += [f"  {signer}" for signer in _signers(record)]
    lines += [session.say("guard.record-damaged", package=printable(package)) for package in damaged]
    fields = {"apps": len(packages) - len(damaged), "damaged": damaged}
    session.printer.summary(fields, lines or [session.say("guard.nobody-trusted")])
    return ExitCode.DAMAGED if damaged else ExitCode.DONE


def _add(session: Session, file: str, name: str | None) -> None:
    from pathlib import Path

    from backupkit.guard.consent import name_to_type
    from backupkit.guard.package_record import EnrolledBy, Records, enrol
    from backupkit.guard.package_source import read_facts
    from backupkit.ops.apps import app_of

    if name and (len(name) > LONGEST_LABEL or name_to_type(name) is None):
        # Nobody could type it at the second step, or read on the screen which app it is.
        raise ValueWrong(name="--name", found=printable(name, limit=40), expected="WeChat", help=HELP)
    facts = read_facts(Path(file), device_sdk=None)
    # The second step of a consent has the name typed: that of a package would be nobody's word for an app.
    known = app_of(facts.package)
    label = name or (session.say(f"app.{known}") if known else None)
    record = enrol(facts, session.clock.now(), by=EnrolledBy.OWNER, label=label)
    Records(guard_places(session).records).write(record)
    lines = [session.say("guard.trusted", package=record.package), *(f"  {signer}" for signer in _signers(record))]
    session.printer.summary(_fields(record), lines)


def _revoke(session: Session, package: str) -> None:
    from backupkit.guard.package_name import is_package_name
    from backupkit.ids import AppPackage

    if not is_package_name(package):
        raise ValueWrong(name="PACKAGE", found=package, expected="com.tencent.mm", help=HELP)
    path = guard_places(session).record_of(AppPackage(package))
    if not path.exists():
        raise AppNotKnown(package=package)
    path.unlink()
    session.printer.summary({"package": package}, [session.say("guard.revoked", package=package)])


def _fields(record: "PackageRecord") -> dict[str, object]:
    from backupkit.clock import to_rfc3339

    return {
        "package": record.package, "label": record.label, "enrolled_at": to_rfc3339(record.enrolled_at),
        "enrolled_by": record.enrolled_by.value, "signers": _signers(record),
    }  # fmt: skip


def _signers(record: "PackageRecord") -> list[str]:
    return list(
        dict.fromkeys(signer for span in record.facts.signings if span.view for signer in span.view.signers)
    )  # fmt: skip
