"""A message as the index keeps it: what a hit shows, and what it is found by."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from backupkit.chats.model import DeletionState, Message
from backupkit.chats.search.terms import FACT, terms_of
from backupkit.codec.malformed import MalformedObject

MAX_TEXT = 32 << 10
"""So many characters of a message are indexed; nobody types more, and an attacker may."""

_LINK = re.compile(r"https?://", re.IGNORECASE)
_WHAT = "search-index"


class Document(NamedTuple):
    """One version of a message. A tuple, since a million of them are made and written while an index is built.

    `conversation` and `sender` are numbers in the index's lists, `first` is the number of the snapshot that had it first,
    `key` its identity and content in hex.
    """

    key: str
    source: int
    conversation: int
    sender: int
    first: int
    at: int
    has_time: bool
    zone: str
    precision: str
    kind: str
    deletion: str
    text: str
    names: tuple[str, ...]
    media: tuple[str, ...]
    native_id: str | None
    file: str
    place: str

    def terms(self) -> set[str]:
        """Return everything that it is found by."""
        found = terms_of("\n".join((self.text, *self.names)) if self.names else self.text)
        found.add(conversation_term(self.conversation))
        found.add(sender_term(self.sender))
        found.add(kind_term(self.kind))
        if self.media:
            found.update(map(kind_term, self.media))
        if ":" in self.text and _LINK.search(self.text):
            found.add(kind_term("link"))
        if self.deletion != DeletionState.NONE.value:
            found.add(DELETED)
        return found


DELETED = f"{FACT}d"


def conversation_term(number: int) -> str:
    """Return the term of a conversation."""
    return f"{FACT}c{number}"


def sender_term(number: int) -> str:
    """Return the term of a sender."""
    return f"{FACT}s{number}"


def kind_term(kind: str) -> str:
    """Return the term of a kind of message or media."""
    return f"{FACT}k{kind}"


def document_of(
    message: Message, *, key: str, source: int, conversation: int, sender: int, first: int, at: int
) -> Document:
    """Return what is kept of a message; `at` is its time, or that of the one before it where it has none."""
    media = message.media[:50]
    return Document(
        key=key,
        source=source,
        conversation=conversation,
        sender=sender,
        first=first,
        at=at,
        has_time=message.ts_utc_us is not None,
        zone=message.ts_zone,
        precision=message.ts_precision.value,
        kind=message.kind.value,
        deletion=message.deletion.value,
        text=message.text[:MAX_TEXT],
        names=tuple(one.name.rpartition("/")[2][:200] for one in media) if media else (),
        media=tuple(one.role.value for one in media) if media else (),
        native_id=message.native_id,
        file=message.locator.file,
        place=message.locator.place,
    )


def encode_documents(documents: Iterable[Document]) -> bytes:
    """Write a block of documents."""
    return json.dumps(list(documents), separators=(",", ":")).encode()


def decode_documents(data: bytes) -> Iterator[Document]:
    """Read a block of documents.

    Raises:
        MalformedObject: it is no such block.
    """
    try:
        for row in json.loads(data):
            row[12], row[13] = tuple(row[12]), tuple(row[13])
            yield Document(*row)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise MalformedObject(what=_WHAT, reason="wrong-documents") from error
