"""`backupkit verify`: read every byte back."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.guard_desk import publish_policy
from backupkit.cli.results import conclude, coverage_lines, fields_of, lost_line, repair_line, state_word
from backupkit.cli.session import Session, session_of
from backupkit.cli.usage import OptionsClash, ValueWrong
from backupkit.errors import ExitCode

if TYPE_CHECKING:
    from backupkit.ops.checking.verify import Verified
    from backupkit.ops.unlock import AskSecret

HELP = "backupkit verify --help"


def verify(
    context: typer.Context,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT")] = "latest",
    opened: Annotated[bool, typer.Option("--open")] = False,
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
    sample: Annotated[str | None, typer.Option("--sample", metavar="PERCENT")] = None,
    quick: Annotated[bool, typer.Option("--quick")] = False,
    accept_shrink: Annotated[bool, typer.Option("--accept-shrink")] = False,
) -> ExitCode:
    """Check a snapshot: every byte against its seal, everything opened with --open, or only a part of it."""
    session = session_of(context)
    opens = opened or recovery_words_file is not None
    _require_one_way(opens=opens, sample=sample is not None, quick=quick)
    with suppress(OSError):
        # Whether the backup is whole must be told even where nothing can be written down.
        publish_policy(session)
    if accept_shrink:
        _accept(session, snapshot)
    if quick:
        checked = _quickly(session, snapshot)
    elif sample is not None:
        checked = _sample(session, snapshot, _share(sample))
    else:
        checked = _whole(session, snapshot, session.secret(recovery_words_file) if opens else None)
    head = session.say("snapshot.head", snapshot=checked.snapshot)
    # What looks at the structure alone finds damage, and says nothing of how well a whole snapshot was verified.
    is_told = checked.method != "quick" or checked.state != "saved"
    lines = [
        f"{head}  {state_word(session, checked.state)}" if is_told else head,
        "  " + _what_was_read(session, checked),
        *lost_line(session, checked.findings),
    ]
    if checked.method in {"sample", "quick"} and checked.state == "saved":
        lines += _not_verified(session, checked)
    lines += coverage_lines(session, checked.coverage)
    lines += repair_line(session, checked.findings)
    session.printer.summary(fields_of(checked), lines)
    return conclude(checked.findings, checked.distrust)


def _accept(session: Session, snapshot: str) -> None:
    from backupkit.ops.checking.accept_shrink import accept_shrink

    accept_shrink(session.places, snapshot, session.tell)


def _whole(session: Session, snapshot: str, secret: "AskSecret | None") -> "Verified":
    from backupkit.ops.checking.verify import verify_snapshot

    return verify_snapshot(
        session.places, snapshot, open_with=secret, clock=session.clock, tell=session.tell,
        max_age=session.settings.guard.max_backup_age,
    )  # fmt: skip


def _sample(session: Session, snapshot: str, share: float) -> "Verified":
    from backupkit.ops.checking.verify_part import verify_sample

    return verify_sample(
        session.places, snapshot, share=share, clock=session.clock, tell=session.tell,
        max_age=session.settings.guard.max_backup_age,
    )  # fmt: skip


def _quickly(session: Session, snapshot: str) -> "Verified":
    from backupkit.ops.checking.verify_part import verify_quickly

    return verify_quickly(session.places, snapshot, tell=session.tell)


def _require_one_way(*, opens: bool, sample: bool, quick: bool) -> None:
    given = [name for name, is_given in (("--open", opens), ("--sample", sample), ("--quick", quick)) if is_given]
    if len(given) > 1:
        raise OptionsClash(first=given[0], second=given[1], help=HELP)


def _share(text: str) -> float:
    """Read `10%` or `10` as a tenth."""
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:
        raise ValueWrong(name="--sample", found=text, expected="1% .. 100%", help=HELP)
    return percent / 100


def _what_was_read(session: Session, checked: "Verified") -> str:
    if checked.method == "quick":
        return session.say("verify.looked-at", packs=checked.packs_total)
    how = session.say(f"verify.method.{checked.method}")
    return session.say("verify.read", bytes=session.catalogue.size(checked.bytes_read), packs=checked.packs, how=how)


def _not_verified(session: Session, checked: "Verified") -> list[str]:
    """Say what was not shown."""
    if checked.method == "quick":
        return ["  " + session.say("verify.only-structure")]
    if checked.oldest_read is None:
        return ["  " + session.say("verify.only-sample.never", packs=checked.packs_total)]
    oldest = session.catalogue.time(checked.oldest_read)
    return ["  " + session.say("verify.only-sample", packs=checked.packs_total, oldest=oldest)]
