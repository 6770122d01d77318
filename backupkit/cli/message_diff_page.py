"""How the differences between two snapshots' messages are shown."""

from datetime import UTC, datetime, timedelta

from backupkit.chats.history.diff import ChangeKind, ConversationChange, MessageChange
from backupkit.chats.model import Locator
from backupkit.cli.results import MOST_LISTED
from backupkit.cli.session import Session
from backupkit.clock import to_rfc3339
from backupkit.errors import ExitCode
from backupkit.ops.looking.message_diff import ConversationDifference, MessageDifferences
from backupkit.text import printable
from backupkit.ui.terminal import Role

MOST_CHANGES = 1000
"""So many single changes are told of each conversation; the counts are always whole."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARKS: dict[ChangeKind, tuple[str, Role]] = {
    ChangeKind.NEW: ("+", "good"),
    ChangeKind.EDITED: ("~", "warning"),
    ChangeKind.RECALLED: ("~", "warning"),
    ChangeKind.DELETED: ("-", "bad"),
    ChangeKind.OUT_OF_SCOPE: ("-", "bad"),
}


def show_message_differences(session: Session, found: MessageDifferences) -> ExitCode:
    """Print every conversation in which something happened, then the sums."""
    changed = [one for one in found.conversations if one.change.changes]
    most = len(changed) if session.asked.verbose else MOST_LISTED
    for number, one in enumerate(changed):
        lines = _lines(session, one) if number < most else []
        session.printer.record("conversation", _fields(one), lines)
    sums = {_name(kind): found.count(kind) for kind in ChangeKind}
    lines = [session.say("results.more", count=len(changed) - most)] if len(changed) > most else []
    lines += [session.terminal.paint("bad", session.say("message-diff.wiped", name=name)) for name in found.wiped]
    lines += [session.terminal.paint("warning", session.say("message-diff.absent", name=name)) for name in found.absent]
    if found.suspends_retention:
        lines.append(session.terminal.paint("warning", session.say("message-diff.kept")))
    if found.is_damaged:
        lines.append(session.terminal.paint("bad", session.say("message-diff.damaged")))
    lines.append(session.say("message-diff.summary", **sums, same=found.same))
    if found.first == found.second:
        lines.append(session.say("diff.same-snapshot", snapshot=found.first))
    fields = {
        "first": found.first,
        "second": found.second,
        "conversations": len(found.conversations),
        "changed_conversations": len(changed),
        "same": found.same,
        **sums,
        "wiped": list(found.wiped),
        "absent": list(found.absent),
        "suspends_retention": found.suspends_retention,
        "damaged": found.is_damaged,
    }
    session.printer.summary(fields, lines)
    if found.distrust is not None:
        raise found.distrust
    if found.is_damaged:
        return ExitCode.DAMAGED
    return ExitCode.DONE if found.is_empty else ExitCode.DIFFERENT


def _name(kind: ChangeKind) -> str:
    return kind.value.replace("-", "_")


def _fields(one: ConversationDifference) -> dict[str, object]:
    change = one.change
    return {
        "source": one.source,
        "app": one.app,
        "conversation": change.conversation,
        "title": one.title,
        "messages_first": change.old_messages,
        "messages_second": change.new_messages,
        "same": change.same,
        **{_name(kind): change.count(kind) for kind in ChangeKind},
        "shrunk": change.is_shrunk,
        "days": _days(change),
        "changes": [_change(single) for single in change.changes[:MOST_CHANGES]],
        "more_changes": max(0, len(change.changes) - MOST_CHANGES),
    }


def _days(change: ConversationChange) -> list[dict[str, object]]:
    known = sorted((day, counts) for day, counts in change.by_day.items() if day is not None)
    days: list[dict[str, object]] = [
        {"day": f"{_EPOCH + timedelta(days=day):%Y-%m-%d}", **{_name(kind): counts[kind] for kind in ChangeKind}}
        for day, counts in known
        if abs(day) < 1_000_000
    ]
    if None in change.by_day:
        days.append({"day": None, **{_name(kind): change.by_day[None][kind] for kind in ChangeKind}})
    return days


def _change(single: MessageChange) -> dict[str, object]:
    return {
        "kind": single.kind.value,
        "at": _time(single.ts_us),
        "first": _place(single.old),
        "second": _place(single.new),
    }


def _time(ts_us: int | None) -> str | None:
    try:
        return None if ts_us is None else to_rfc3339(_EPOCH + timedelta(microseconds=ts_us))
    except OverflowError:
        return None


def _place(locator: Locator | None) -> dict[str, str] | None:
    return None if locator is None else {"file": locator.file, "place": locator.place}


def _lines(session: Session, one: ConversationDifference) -> list[str]:
    counts = []
    for kind, (mark, role) in _MARKS.items():
        number = one.change.count(kind)
        if number:
            said = session.say(f"message-diff.{kind.value}", count=number)
            counts.append(f"{session.terminal.paint(role, mark)} {said}")
    head = f"{session.terminal.paint('strong', printable(one.title))}  {printable(one.source)}"
    return [head, "  " + "  ".join(counts)]
