"""`backupkit search`: find messages in every snapshot by their words."""

from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.chat_keys import AskChatKey, ChatKeyFiles, ChatKeys
from backupkit.cli.results import conclude, fields_of, lost_line
from backupkit.cli.session import Session, session_of
from backupkit.cli.usage import ValueWrong
from backupkit.errors import ExitCode
from backupkit.text import printable
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.searching.search import Hit, SearchResult

_BEFORE, _SHOWN = 60, 240


class Has(Enum):
    """What a message is, or has on it."""

    IMAGE = "image"
    VOICE = "voice"
    VIDEO = "video"
    FILE = "file"
    STICKER = "sticker"
    LINK = "link"
    LOCATION = "location"
    CONTACT = "contact"
    CALL = "call"
    PAYMENT = "payment"
    POLL = "poll"


def search(
    context: typer.Context,
    text: Annotated[list[str] | None, typer.Argument(metavar="TEXT")] = None,
    within: Annotated[list[str] | None, typer.Option("--in", metavar="CONVERSATION")] = None,
    sender: Annotated[list[str] | None, typer.Option("--from", metavar="NAME")] = None,
    has: Annotated[list[Has] | None, typer.Option("--has", metavar="image|voice|video|file|link|payment|...")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="DATE")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE")] = None,
    deleted: Annotated[bool, typer.Option("--deleted")] = False,
    regex: Annotated[bool, typer.Option("--regex")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000, metavar="N")] = 50,
    rebuild: Annotated[bool, typer.Option("--rebuild")] = False,
    chat_key_files: ChatKeyFiles = None,
    ask_chat_key: AskChatKey = False,
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> ExitCode:
    """Find messages, the newest first."""
    from backupkit.ops.searching.search import Question, search_messages

    session = session_of(context)
    question = Question(
        text=" ".join(text or ()),
        conversations=tuple(within or ()),
        senders=tuple(sender or ()),
        has=tuple(one.value for one in has or ()),
        since=None if since is None else _moment("--since", since),
        until=None if until is None else _moment("--until", until, ends=True),
        deleted=deleted,
        is_pattern=regex,
        limit=limit,
    )
    found = search_messages(
        session.places, question, secret=session.secret(recovery_words_file), tell=session.tell, stop=session.stop,
        rebuild=rebuild, keys=ChatKeys(session, chat_key_files, ask=ask_chat_key),
    )  # fmt: skip
    # The same message in two exports looks like one that is told twice, unless the export is named.
    exports: dict[object, set[str]] = {}
    for hit in found.hits:
        exports.setdefault(_looks(hit), set()).add(hit.source)
    for hit in found.hits:
        session.printer.record("hit", json_fields(hit), _lines(session, hit, is_twin=len(exports[_looks(hit)]) > 1))
    fields = {**fields_of(found), "hits": len(found.hits)}
    more = [session.say("search.more")] if len(found.hits) < found.matches and found.hits else []
    session.printer.summary(fields, [_total(session, found), *more, *lost_line(session, found.damaged)])
    return conclude(found.damaged, found.distrust)


def _moment(name: str, text: str, *, ends: bool = False) -> datetime:
    """Read a day or a time; a day is one of this computer's zone, and `ends` means the end of it."""
    try:
        moment = datetime.fromisoformat(text)
        day = timedelta(days=1 if ends and len(text) == len("2024-03-04") else 0)
        return (moment + day).astimezone() if moment.tzinfo is None else moment
    except (ValueError, OverflowError, OSError):
        expected = "2024-03-04 | 2024-03-04T08:15"
        raise ValueWrong(name=name, found=text, expected=expected, help="backupkit search --help") from None


def _looks(hit: "Hit") -> tuple[object, ...]:
    return hit.time, hit.conversation, hit.sender, hit.text, hit.media, hit.state, hit.deletion


def _lines(session: Session, hit: "Hit", *, is_twin: bool) -> list[str]:
    time = hit.time or session.say("export.no-date")
    when = time if len(time) == len("2024-03-04") else session.catalogue.time(hit.time)
    # Many apps do not write down who their owner is.
    sender = hit.sender or (session.say("export.you") if hit.own else "")
    head = "  ".join(printable(one, limit=60) for one in (when, hit.conversation, sender) if one)
    paint = session.terminal.paint
    notes = [session.say("search.source", source=printable(hit.source, limit=60))] if is_twin else []
    if hit.state != "present":
        notes.append(session.say(f"search.{hit.state}", snapshot=hit.last_seen))
    if hit.deletion != "none":
        notes.append(session.say(f"export.deletion.{hit.deletion}"))
    lines = [paint("faint", head) + "".join(f"  {paint('warning', f'[{note}]')}" for note in notes)]
    if hit.text:
        lines.append("  " + _excerpt(session, hit))
    lines += [f"  [{printable(name, limit=100)}]" for name in hit.media[:3]]
    return lines


def _excerpt(session: Session, hit: "Hit") -> str:
    """Return the part of a text around the first place, with the places marked."""
    start = max(hit.places[0][0] - _BEFORE, 0) if hit.places else 0
    end = start + _SHOWN
    pieces, at = ["…" if start else ""], start
    for first, last in hit.places:
        if first < at or last > end:
            continue
        pieces += [_flat(hit.text[at:first]), session.terminal.paint("strong", _flat(hit.text[first:last]))]
        at = last
    pieces += [_flat(hit.text[at:end]), "…" if len(hit.text) > end else ""]
    return "".join(pieces)


def _flat(text: str) -> str:
    return printable(text.replace("\n", " "))


def _total(session: Session, found: "SearchResult") -> str:
    if not found.matches:
        return session.say("search.none", messages=found.messages, snapshots=found.snapshots)
    key = "search.total" if found.is_exact else "search.total-at-most"
    return session.say(
        key, shown=len(found.hits), matches=found.matches, messages=found.messages, snapshots=found.snapshots
    )
