"""What makes two records the same message.

The app's own id does, where there is one. Else it is conversation, time, sender, content, and the ordinal among equals:
somebody who writes "ha" twice in a minute said it twice. Why, and what follows: `docs/adr/0011-message-identity.md`.
"""

import re
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

from backupkit.chats.model import DeletionState, Message

DIGEST_BYTES = 16
CONTENT_BYTES = 8
# Equal messages lie near each other in every export, so a window is enough and memory does not grow with the history.
_EQUALS_REMEMBERED = 8192
_PREFIXES_REMEMBERED = 4096
_DAY_US = 86_400_000_000
_MARKS = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")


def _framed(*parts: str) -> bytes:
    # Every part is preceded by its length, so that no two lists of parts make the same bytes.
    pieces: list[bytes] = []
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        pieces += (len(data).to_bytes(8, "big"), data)
    return b"".join(pieces)


_CONTENT = _framed("content")
_MEDIA = _framed("media", DeletionState.NONE.value)
_NO_MEDIA = _framed("", DeletionState.NONE.value)


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
        self._prefixes: dict[str, tuple[bytes, bytes]] = {}

    def identify(self, message: Message) -> MessageIdentity:
        """Return the identity of the next message."""
        base, content = self.base_and_content(message)
        digest = base
        if message.native_id is None:
            ordinal = _framed("ordinal", base.hex(), str(self._ordinal(base)))
            digest = blake2b(ordinal, digest_size=DIGEST_BYTES).digest()
        return MessageIdentity(message.conversation, digest, content, message.ts_utc_us, base)

    def base_and_content(self, message: Message) -> tuple[bytes, bytes]:
        """Return which message it is, without the ordinal among equals, and which version of it."""
        content = _digest_of(what_is_said(message))
        return blake2b(self.which(message, content), digest_size=DIGEST_BYTES).digest(), content

    def which(self, message: Message, content: bytes) -> bytes:
        """Return what makes it this message, to be digested: the app's own id, or else who said what and when."""
        prefixes = self._prefixes.get(message.conversation) or self._prefixes_of(message.conversation)
        if message.native_id is not None:
            native = message.native_id.encode("utf-8", "surrogatepass")
            return b"".join((prefixes[0], len(native).to_bytes(8, "big"), native))
        sender = message.sender_id or message.sender_name or ""
        return prefixes[1] + _framed(str(message.ts_utc_us), sender, content.hex())

    def _prefixes_of(self, conversation: str) -> tuple[bytes, bytes]:
        # What all messages of a conversation have in common is made once: a million of them are digested.
        if len(self._prefixes) >= _PREFIXES_REMEMBERED:
            self._prefixes.clear()
        prefixes = _framed("native", self._app, conversation), _framed("equal", self._app, conversation)
        self._prefixes[conversation] = prefixes
        return prefixes

    def _ordinal(self, base: bytes) -> int:
        ordinal = self._equals.pop(base, 0)
        self._equals[base] = ordinal + 1
        if len(self._equals) > _EQUALS_REMEMBERED:
            self._equals.popitem(last=False)
        return ordinal


def content_digest(message: Message) -> bytes:
    """Digest what a message says, so that the same words digest equally on every phone."""
    return _digest_of(what_is_said(message))


def _digest_of(said: bytes) -> bytes:
    return blake2b(said, digest_size=CONTENT_BYTES).digest()


def what_is_said(message: Message) -> bytes:
    """Return what a message says, to be digested.

    Without a native id, media count as media whether or not the export took the file along.
    """
    text = message.text
    if message.media and message.native_id is None:
        text = text.partition("\n")[2]
    if message.deletion is not DeletionState.NONE:
        # What is left of a deleted message is a sentence of the app in the phone's language.
        text = ""
    if not text.isascii():
        # Most messages in Latin letters hold neither marks nor anything to compose.
        text = unicodedata.normalize("NFC", _MARKS.sub("", text))
    shown = text.strip().encode("utf-8", "surrogatepass")
    if message.deletion is DeletionState.NONE:
        end = _MEDIA if message.media else _NO_MEDIA
    else:
        end = _framed("media" if message.media else "", message.deletion.value)
    return b"".join((_CONTENT, len(shown).to_bytes(8, "big"), shown, end))
