"""Messages as lines of plain text, for reading, printing and searching with any tool."""

from collections.abc import Iterable, Iterator
from datetime import tzinfo

from backupkit.chats.export.marks import marks_of
from backupkit.chats.export.moments import Say, clock_time, day_in_words, local_time
from backupkit.chats.export.record import (
    ConversationRecord,
    MediaRecord,
    MessageRecord,
    is_own,
    owners_of,
    sender_of,
    title_of,
)
from backupkit.chats.export.shown import shown, shown_line

_INDENT = "       "


def transcript(
    conversation: ConversationRecord, messages: Iterable[MessageRecord], say: Say, zone: tzinfo | None
) -> Iterator[str]:
    """Write a conversation: its title, then each day with its messages."""
    yield f"{shown_line(title_of(conversation))}\n{say('export.count', messages=conversation['messages'])}\n"
    owners = owners_of(conversation)
    last = ""
    for message in messages:
        moment = local_time(message, zone)
        if moment is not None and (day := moment.date().isoformat()) != last:
            last = day
            yield f"\n== {day_in_words(day, say)} ==\n\n"
        clock = clock_time(message, moment) or "     "
        yield f"{clock}  {_INDENT.join(_lines(message, owners, say))}"


def _lines(message: MessageRecord, owners: frozenset[str], say: Say) -> list[str]:
    # Many apps do not write down who their owner is.
    who = shown_line(sender_of(message), 80) or (say("export.you") if is_own(message, owners) else "")
    parts = [_media(media, say) for media in message["media"]]
    if message["text"] or not parts:
        parts.append(shown(message["text"]) or f"[{say('export.kind.' + message['kind'])}]")
    if marks := list(marks_of(message, say)):
        parts.append(say("export.marks", marks=say("word.between").join(marks)))
    text = "\n".join(parts)
    return [line + "\n" for line in (f"{who}: {text}" if who else text).split("\n")]


def _media(media: MediaRecord, say: Say) -> str:
    kind = say(f"export.kind.{media['role']}")
    if media["file"] is not None:
        return f"[{kind}: {media['file']}]"
    state = "left-out" if media["state"] == "present" else media["state"]
    return f"[{kind}: {say('export.media.' + state)}: {shown_line(media['name'].rpartition('/')[2], 120)}]"
