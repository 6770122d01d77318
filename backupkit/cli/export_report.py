"""What `doctor` says of an export whose messages can be read: counts, conversations and findings."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from backupkit.cli.results import MOST_LISTED
from backupkit.text import printable
from backupkit.ui.json_fields import json_value

if TYPE_CHECKING:
    from backupkit.chats.counting.summary import ChatSummary, ConversationSummary
    from backupkit.chats.model import Finding
    from backupkit.cli.session import Session

MOST_CHARACTERS = 60
MOST_CONVERSATIONS = 100


def fields(summary: "ChatSummary", *, every: bool) -> dict[str, Any]:
    """Return it for JSON."""
    names = (
        "app", "package", "format", "sealed", "messages", "conversations", "media", "media_missing", "oldest", "newest",
        "times_are_local", "high_water",
    )  # fmt: skip
    told: dict[str, Any] = {name: json_value(getattr(summary, name)) for name in names}
    shown = _conversations(summary, every=every)
    told["by_conversation"] = json_value(shown)
    told["by_conversation_left_off"] = len(summary.by_conversation) - len(shown)
    told["findings"] = [_finding(one) for one in summary.findings]
    return told


def lines(session: "Session", summary: "ChatSummary", *, every: bool) -> list[str]:
    """Return it for people."""
    from backupkit.chats.counting.summary import MIXED

    say, catalogue, terminal = session.say, session.catalogue, session.terminal
    head = "doctor.damaged" if summary.is_damaged else _sealed(summary) if summary.sealed else "doctor.sound"
    app = summary.app or say("doctor.several-apps" if summary.format == MIXED else "word.unknown")
    shown = [terminal.paint("bad" if summary.is_damaged else "good", say(head, app=app, format=summary.format))]
    if summary.waits_for_a_key:
        shown.append(say("doctor.waits-for-a-key"))
    if summary.messages is not None:
        shown.append("  " + say("snapshot.messages", messages=summary.messages, conversations=summary.conversations))
    if summary.media:
        key = "snapshot.media-missing" if summary.media_missing else "snapshot.media"
        shown.append("  " + say(key, media=summary.media, missing=summary.media_missing))
    if summary.oldest is not None:
        span = {"oldest": catalogue.time(summary.oldest), "newest": catalogue.time(summary.newest)}
        shown.append("  " + say("show.span", **span))
    if every:
        shown += [
            "  " + say("doctor.conversation", title=printable(one.title or one.key), messages=one.messages)
            for one in _conversations(summary, every=True)
        ]
    most = len(summary.findings) if every or session.asked.verbose else MOST_LISTED
    for finding in summary.findings[:most]:
        mark = {"error": "x", "warning": "!", "info": "i"}[finding.severity.value]
        at = finding.locator
        where = f"  {printable(at.file)} {catalogue.place(at.place) if at.place else ''}".rstrip() if at else ""
        sentence = say(f"finding.{finding.code}", **finding.sentence_facts)
        is_said = at is not None and not at.place and printable(at.file) in sentence
        shown.append(f"{mark} {sentence}{'' if is_said else terminal.paint('faint', where)}")
    if len(summary.findings) > most:
        shown.append(say("results.more", count=len(summary.findings) - most))
    return shown


def _sealed(summary: "ChatSummary") -> str:
    """Of several exports together some may be sealed while the messages of others are counted."""
    return "doctor.sealed" if summary.messages is None else "doctor.partly-sealed"


def first_messages(path: Path, mapping: Path, counted: "ChatSummary") -> list[dict[str, str | None]]:
    """Return how the first messages are understood, for whoever is writing the mapping. `counted` knows the titles."""
    from backupkit.chats.counting import summary
    from backupkit.chats.export.record import time_text

    titles = {one.key: one.title for one in counted.by_conversation}
    return [
        {
            "conversation": printable(one.conversation)[:MOST_CHARACTERS],
            "title": printable(titles.get(one.conversation) or "")[:MOST_CHARACTERS] or None,
            "time": time_text(one.ts_utc_us, one.ts_zone),
            "time_as_written": f"{one.ts_raw} ({one.ts_zone})"[:MOST_CHARACTERS],
            "sender": printable(one.sender_name or one.sender_id or "-")[:MOST_CHARACTERS],
            "kind": one.kind.value,
            "direction": one.direction.value,
            "text": printable(one.text)[:MOST_CHARACTERS],
        }
        for one in summary.first_messages(path, mapping=mapping)
    ]


def _conversations(summary: "ChatSummary", *, every: bool) -> "list[ConversationSummary]":
    """Return the conversations with the most messages first: so many, or all of them."""
    ordered = sorted(summary.by_conversation, key=lambda one: (-one.messages, one.key))
    return ordered if every else ordered[:MOST_CONVERSATIONS]


def _finding(finding: "Finding") -> dict[str, object]:
    where = {"file": finding.locator.file, "place": finding.locator.place} if finding.locator else {}
    return {"code": finding.code, "severity": finding.severity.value, **where, "params": json_value(finding.facts)}
