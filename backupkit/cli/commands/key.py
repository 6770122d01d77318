"""`backupkit key`: the slots that open the repository."""

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.first_use import SheetFile
from backupkit.cli.passphrase import PassphraseNeeded, recovery_words
from backupkit.cli.results import coverage_lines
from backupkit.cli.session import Session, session_of
from backupkit.text import printable
from backupkit.ui.columns import aligned
from backupkit.ui.json_fields import json_fields, json_value

if TYPE_CHECKING:
    from backupkit.ops.keys.keys import KeyLine

WordsFile = Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")]


def key_list(context: typer.Context) -> None:
    """List the key slots. No passphrase is needed."""
    from backupkit.ops.keys.keys import list_keys

    session = session_of(context)
    slots = list_keys(session.places)
    for slot in slots:
        session.printer.record("key-slot", json_fields(slot))
    session.printer.summary({"slots": len(slots)}, aligned([_row(session, slot) for slot in slots]))


def key_test(context: typer.Context, recovery_words_file: WordsFile = None) -> None:
    """Find out whether a passphrase, or the recovery words, opens the repository."""
    from backupkit.ops.keys.keys import test_key

    session = session_of(context)
    slot = test_key(session.places, session.secret(recovery_words_file))
    session.printer.summary(json_fields(slot), [session.say("key.opens", slot=f"{slot.id} {slot.label}".strip())])


def key_confirm(context: typer.Context, recovery_words_file: WordsFile = None) -> None:
    """Type the recovery words back, so that the backup counts."""
    from backupkit.ops.checking.cover_verified import cover_verified
    from backupkit.ops.keys.confirm_recovery import confirm_recovery

    session = session_of(context)
    if recovery_words_file is not None:
        words = recovery_words(recovery_words_file)
    elif session.person is not None:
        words = session.person.line(session.say("ask.all-words"))
    else:
        raise PassphraseNeeded
    confirmed = confirm_recovery(session.places, words, clock=session.clock)
    covered = cover_verified(
        session.places, clock=session.clock, tell=session.tell, max_age=session.settings.guard.max_backup_age
    )
    fields = {"recovery_confirmed": True, "fingerprint": confirmed.fingerprint, "coverage": json_value(covered)}
    said = session.say("key.confirmed-covers" if covered else "key.confirmed")
    session.printer.summary(fields, [said, *coverage_lines(session, covered)])


def key_add(
    context: typer.Context,
    label: Annotated[str, typer.Option("--label", metavar="TEXT")] = "",
    new_passphrase_file: Annotated[Path | None, typer.Option("--new-passphrase-file", metavar="FILE")] = None,
    recovery_words_file: WordsFile = None,
) -> None:
    """Add another passphrase."""
    from backupkit.ops.keys.keys import add_passphrase

    session = session_of(context)
    # What opens it is asked for before what will: the other order is taken for a change of both.
    given = session.secret(recovery_words_file)()
    new = _new_passphrase(session, new_passphrase_file)
    slot = add_passphrase(session.places, lambda: given, new, label=label, clock=session.clock)
    session.printer.summary(json_fields(slot), [session.say("key.added", slot=slot.id)])


def key_remove(
    context: typer.Context,
    slot: Annotated[str, typer.Argument(metavar="SLOT")],
    recovery_words_file: WordsFile = None,
) -> None:
    """Remove a key slot; what it opened with does not open the repository any more."""
    from backupkit.ops.keys.keys import remove_slot

    session = session_of(context)
    removed = remove_slot(session.places, session.secret(recovery_words_file), slot)
    session.printer.summary(json_fields(removed), [session.say("key.removed", slot=slot)])


def key_sheet(
    context: typer.Context,
    to: Annotated[Path, typer.Option("--to", metavar="FILE")],
    recovery_words_file: WordsFile = None,
) -> None:
    """Write a new recovery sheet, with new words; the old ones open nothing any more."""
    from backupkit.ops.keys.keys import sheet_again
    from backupkit.ops.keys.recovery_sheet import render_sheet

    session = session_of(context)
    with SheetFile(to.absolute()) as file:
        sheet = sheet_again(session.places, session.secret(recovery_words_file), clock=session.clock, tell=session.tell)
        file.write(render_sheet(sheet, session.catalogue.language))
    lines = [session.say("init.sheet-written", path=str(file.path)), session.say("init.not-confirmed")]
    session.printer.summary({"recovery_sheet": str(file.path), "recovery_confirmed": False}, lines)


def key_enrol(
    context: typer.Context,
    label: Annotated[str, typer.Option("--label", metavar="TEXT")] = "",
    recovery_words_file: WordsFile = None,
) -> None:
    """Make this computer one that may write to a repository that is there already."""
    from backupkit.ops.keys.keys import enrol_writer

    session = session_of(context)
    secret = session.secret(recovery_words_file)
    named = label or platform.node()[:64]
    writer = enrol_writer(session.places, secret, label=named, clock=session.clock, tell=session.tell)
    session.printer.summary({"writer": writer}, [session.say("key.enrolled", writer=writer)])


def _new_passphrase(session: Session, file: Path | None) -> str:
    from backupkit.cli.passphrase import PassphraseSources

    # The places that are named give the passphrase that opens it now; a new one must come from elsewhere.
    sources = PassphraseSources({}, file=lambda: None, program=lambda: None, person=session.person, tell=session.tell)
    if file is not None:
        return sources.in_file(file, "--new-passphrase-file")
    return sources.new(session.say("ask.new-passphrase"), session.say("ask.same-again"))


def _row(session: Session, slot: "KeyLine") -> list[str]:
    confirmed = "" if slot.confirmed is None else session.say(f"key.confirmed-{'yes' if slot.confirmed else 'no'}")
    kind = session.say(f"key.kind.{slot.kind}")
    return [slot.id, kind, session.catalogue.time(slot.created), printable(slot.label), confirmed]
