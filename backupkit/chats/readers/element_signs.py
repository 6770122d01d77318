"""What tells Element's text export from WhatsApp's, whose lines look the same: what happens in rooms, and what the app calls its files.

Element writes seconds in every line, and in the words of its language who sent an image or came into a room.
"""

import re

from backupkit.chats.readers.whatsapp_heads import DASH, head_of

_FILE = re.compile(r"(?:^|/)matrix-[^/]*-export-[^/]*\.txt$|[ -]Chat[ -]Export[ -][^/]*/export\.txt$")
_HAPPENED = re.compile(
    r"[^:]{1,200} (?:sent an image\.|sent a sticker\.|joined the room|left the room|invited .{1,200}|created this room\.|created and configured the room\."
    r"|enabled end-to-end encryption.*|set the room name to .*|changed the room name .*|made the room .*|made future room history .*|set their profile picture"
    r"|set the main address .*|turned on end-to-end encryption.*)(?: \([^()]{1,60}\))?$"
)
_ATTACHED = re.compile(r".* \((?:Media omitted(?: - file size limit exceeded)?|File Attached|Error fetching file)\)$")


def is_element(name: str, head: str) -> bool:
    """Say whether the first lines of a file are Element's, judged by all of them and by the app's own name for it."""
    heads = [(found, line) for line in head.splitlines() if (found := head_of(line, DASH))]
    # Somebody may quote a line of another app.
    if (
        not heads
        or not heads[0][0].has_seconds
        or sum(found.has_seconds for found, _line in heads) * 4 < len(heads) * 3
    ):
        return False
    rests = [line[found.end :] for found, line in heads]
    return _FILE.search(name) is not None or any(_HAPPENED.match(rest) or _ATTACHED.match(rest) for rest in rests)


def is_event(rest: str) -> bool:
    """Say whether the app wrote of something that happened in the room."""
    return _HAPPENED.match(rest) is not None
