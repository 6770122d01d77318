"""What tells Element's text export from WhatsApp's, whose lines look the same: what happens in rooms, and what the app calls its files.

Element writes seconds in every line, and in the words of its language who sent an image or came into a room.
"""

import re

from backupkit.chats.readers.element_heads import element_head

_FILE = re.compile(
    r"(?:^|/)matrix-[^/]*-export-[^/]*\.txt$|[ -]Chat[ -]Export[ -][^/]*/export\.txt$| - Chat Export - [^/]*\.txt$"
)
_WHO = r"[^:]{1,200} "
_HAPPENED = re.compile(
    rf"{_WHO}(?:sent an image\.|sent a sticker\.|joined the room|left the room(?:: .*)?|invited .{{1,200}}|created this room\.|created and configured the room\."
    r"|enabled end-to-end encryption.*|set the room name to .*|changed the room name .*|removed the room name\.|made the room .*|made future room history .*"
    r"|(?:set|changed|removed) (?:a|their) (?:profile picture|display name).*|(?:set|removed|changed|added) the (?:main|alternative) .*|changed the topic to \".*\"\."
    r"|changed (?:the room avatar|the power level of .*|who can join this room|the join rule to .*|the pinned messages .*)\.?|(?:un)?pinned a message .*"
    r"|(?:banned|unbanned|removed|withdrew) [^:]{1,200}(?:: .*)?|rejected the invitation(?:: .*)?|accepted (?:the|an) invitation.*|placed a (?:voice|video) call\..*"
    r"|has started a poll - .*|has ended a poll.*|upgraded this room\.|turned on end-to-end encryption.*)(?: \([^()]{1,60}\))?$"
)
_ATTACHED = re.compile(r".* \((?:Media omitted(?: - file size limit exceeded)?|File Attached|Error fetching file)\)$")


def is_element(name: str, head: str) -> bool:
    """Say whether the first lines of a file are Element's, judged by all of them and by the app's own name for it."""
    heads = [(found, line) for line in head.splitlines() if (found := element_head(line))]
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
