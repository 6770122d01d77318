"""What a hole in the bytes of a message leaves in doubt: two records may have become one.

A disk gives zeros, or bytes that are no text, for what it lost. Where they took the end of one record and the beginning of the next, the words
are one person's and the name another's. So only what stands on the same side of a hole as the words is known to belong to them.
"""

import json
import re
from dataclasses import replace

from backupkit.chats.model import Direction, Message

# Noise has letters in it too. A damaged letter or two are somebody's broken emoji, and no hole.
_HOLE = re.compile("[\0\udc80-\udcff](?:[^\0\udc80-\udcff]{0,16}[\0\udc80-\udcff]){7,}")
# What takes the place of zeros and the like in XML, which may not hold them.
_REPLACED = b"&#65533;"
_REPLACED_HOLE = re.compile(rb"(?:&#65533;){8,}")
_LOST_LETTER = re.compile("[\0\ufffd]")
_WORDS_LOOKED_FOR = 24


def _side_of_words(raw: bytes, text: str, hole: tuple[int, int]) -> bytes:
    """Return what stands before or behind a hole, on the side of the words."""
    before, behind = raw[: hole[0]], raw[hole[1] :]
    whole, *lost = _LOST_LETTER.split(text, maxsplit=1)
    words = whole.strip().partition("\n")[0][:_WORDS_LOOKED_FOR]
    if lost:
        return before if words else behind
    if not words:
        return b""
    return next((side for side in (before, behind) if any(way in side for way in _ways_to_write(words))), b"")


def _stands_in(side: bytes, value: str) -> bool:
    """Say whether a value stands in a stretch of a record by itself."""
    ways = b"|".join(map(re.escape, _ways_to_write(value)))
    return re.search(rb"(?<![0-9A-Za-z_])(?:" + ways + rb")(?![0-9A-Za-z_])", side) is not None


def _ways_to_write(value: str) -> tuple[bytes, bytes]:
    """Return a value as it is, and in the escapes of JSON."""
    return value.encode("utf-8", "replace"), json.dumps(value)[1:-1].encode()


def placed_by_holes(message: Message, *, is_time_lost: bool = False, is_mixed: bool = True) -> Message | None:
    """Leave out of a message with a hole what is not known to be of it: who and when. None where its conversation is not.

    In an export of one conversation, not `is_mixed`, there is no doubt about that. A time that is none, where all others are, is a hole itself: its beginning may be of one record and its end of another.
    """
    hole = _hole_in(message.raw)
    if hole is None and is_time_lost and message.ts_raw:
        written = message.ts_raw.encode("utf-8", "replace")
        begins = message.raw.find(written)
        hole = (begins, begins + len(written)) if begins >= 0 else None
    if hole is None:
        return message
    side = _side_of_words(message.raw, message.text, hole)
    is_lost = _LOST_LETTER.search(message.conversation) is not None
    if is_lost or (
        is_mixed and not _stands_in(side, message.conversation) and _stands_in(message.raw, message.conversation)
    ):
        return None
    name, person = (
        value if value and _stands_in(side, value) else None for value in (message.sender_name, message.sender_id)
    )
    has_time = bool(message.ts_raw) and _stands_in(side, message.ts_raw)
    has_id = message.native_id is not None and _stands_in(side, message.native_id)
    return replace(
        message,
        sender_name=name,
        sender_id=person,
        ts_utc_us=message.ts_utc_us if has_time else None,
        native_id=message.native_id if has_id else None,
        native_seq=message.native_seq if has_id else None,
        direction=message.direction if message.direction is Direction.SYSTEM else Direction.UNKNOWN,
    )


def without_origin(message: Message) -> Message:
    """Leave the words of a message whose elements do not fit together: who said them, and when, may be another's."""
    if has_hole(message.raw):
        # What is sure of it is told by where the hole lies.
        return message
    return replace(
        message,
        sender_name=None,
        sender_id=None,
        ts_utc_us=None,
        native_id=None,
        native_seq=None,
        reply_to=None,
        direction=Direction.UNKNOWN,
    )


def has_hole(raw: bytes) -> bool:
    """Say whether a stretch has a hole that may have swallowed more than it left."""
    return _hole_in(raw) is not None


def _hole_in(raw: bytes) -> tuple[int, int] | None:
    """Return where the first hole begins and the last one ends."""
    if raw.isascii() and b"\0" not in raw:
        found = list(_REPLACED_HOLE.finditer(raw)) if _REPLACED in raw else []
        return (found[0].start(), found[-1].end()) if found else None
    try:
        if b"\0" not in raw and _REPLACED not in raw:
            raw.decode("utf-8")
            return None
    except UnicodeDecodeError:
        pass
    holes = [(one.start(), one.end()) for one in _REPLACED_HOLE.finditer(raw)]
    text = raw.decode("utf-8", "surrogateescape")
    for one in _HOLE.finditer(text):
        begins = len(text[: one.start()].encode("utf-8", "surrogateescape"))
        holes.append((begins, begins + len(one[0].encode("utf-8", "surrogateescape"))))
    return (min(start for start, _end in holes), max(end for _start, end in holes)) if holes else None
