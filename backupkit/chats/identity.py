"""What makes two records the same message.

The app's own id does, where there is one. Else it is conversation, time, sender, content, and the ordinal among equals:
somebody who writes "ha" twice in a minute said it twice. Why, and what follows: `docs/adr/0011-message-identity.md`.
"""

import hashlib
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import DeletionState, Message
from backupkit.chats.registry import read_all, recognise
from backupkit.chats.source import open_source

DIGEST_BYTES = 16
CONTENT_BYTES = 8
# Equal messages lie near each other in every export, so a window is enough and memory does not grow with the history.
_EQUALS_REMEMBERED = 8192
_DAY_US = 86_400_000_000
_MARKS = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])


@dataclass(frozen=True, slots=True)
class MessageIdentity:
    """Which message it is (`digest`), and which version of it (`content` changes when it is edited or recalled).

    `base` is the digest without the ordinal among equals: two equal messages share it, one with a native id is alone.
    """

    conversation: str
    digest: bytes
    content: bytes
    ts_us: int | None
    base: bytes = b""

    @property
    def day(self) -> int | None:
        """Days since 1970, in the clock of the export; None where it holds no time."""
        return None if self.ts_us is None else self.ts_us // _DAY_US


class Identifier:
    """Gives the messages of one app their identities, in the order in which they stream."""

    def __init__(self, app: str) -> None:
        self._app = app
        self._equals: OrderedDict[bytes, int] = OrderedDict()

    def identify(self, message: Message) -> MessageIdentity:
        """Return the identity of the next message."""
        base, content = self.base_and_content(message)
        digest = base
        if message.native_id is None:
            digest = _digest(DIGEST_BYTES, "ordinal", base.hex(), str(self._ordinal(base)))
        return MessageIdentity(message.conversation, digest, content, message.ts_utc_us, base)

    def base_and_content(self, message: Message) -> tuple[bytes, bytes]:
        """Return which message it is, without the ordinal among equals, and which version of it."""
        content = content_digest(message)
        if message.native_id is not None:
            return _digest(DIGEST_BYTES, "native", self._app, message.conversation, message.native_id), content
        base = _digest(
            DIGEST_BYTES,
            "equal",
            self._app,
            message.conversation,
            str(message.ts_utc_us),
            message.sender_id or message.sender_name or "",
            content.hex(),
        )
        return base, content

    def _ordinal(self, base: bytes) -> int:
        ordinal = self._equals.pop(base, 0)
        self._equals[base] = ordinal + 1
        if len(self._equals) > _EQUALS_REMEMBERED:
            self._equals.popitem(last=False)
        return ordinal


def content_digest(message: Message) -> bytes:
    """Digest what a message says, so that the same words digest equally on every phone.

    Without a native id, media count as media whether or not the export took the file along.
    """
    text = message.text
    if message.media and message.native_id is None:
        text = text.partition("\n")[2]
    if message.deletion is not DeletionState.NONE:
        # What is left of a deleted message is a sentence of the app in the phone's language.
        text = ""
    # Most messages in Latin letters hold neither marks nor anything to compose.
    shown = (text if text.isascii() else unicodedata.normalize("NFC", text.translate(_MARKS))).strip()
    has_media = "media" if message.media else ""
    return _digest(CONTENT_BYTES, "content", shown, has_media, message.deletion.value)


def identities_of(app: str, messages: Iterable[Message]) -> Iterator[MessageIdentity]:
    """Identify a stream of messages of one app."""
    identifier = Identifier(app)
    return map(identifier.identify, messages)


def message_identities(path: Path) -> Iterator[MessageIdentity]:
    """Stream the identities of every message of an export. What cannot be read is left out; `summarise` tells it."""
    try:
        with open_source(path) as source:
            identifiers: dict[str, Identifier] = {}
            for reader, told in read_all(source, recognise(source)):
                if isinstance(told, Message):
                    app = reader.app or reader.format
                    yield identifiers.setdefault(app, Identifier(app)).identify(told)
    except MalformedExport:
        return


def _digest(size: int, *parts: str) -> bytes:
    # Every part is preceded by its length, so that no two lists of parts make the same bytes.
    pieces: list[bytes] = []
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        pieces += (len(data).to_bytes(8, "big"), data)
    return hashlib.blake2b(b"".join(pieces), digest_size=size).digest()
