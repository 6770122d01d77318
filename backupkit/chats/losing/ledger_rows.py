"""A message as a ledger knows it: 16 bytes under the writer's key, made as it streams by."""

from hashlib import blake2b

from backupkit.chats.history.identity import CONTENT_BYTES, Identifier, what_is_said
from backupkit.chats.losing.ledger import ID_BYTES, ROW_BYTES
from backupkit.chats.model import Message


class LedgerRows:
    """Digests messages under the writer's key: 12 bytes which message it is, 4 bytes which version of it.

    What is said is part of which message it is where there is no native id; then there is no other version of it.
    """

    def __init__(self, key: bytes) -> None:
        # A hash that has the key already is copied for each message: half of the price is taking in the key.
        self._native = blake2b(digest_size=ID_BYTES, key=key, person=b"bk-chat-id")
        self._equal = blake2b(digest_size=ROW_BYTES, key=key, person=b"bk-chat-equal")
        self._version = blake2b(digest_size=ROW_BYTES - ID_BYTES, key=key, person=b"bk-chat-version")
        self._identifiers: dict[str, Identifier] = {}

    def row(self, app: str, message: Message) -> bytes:
        """Return the row of a message of an app."""
        identifier = self._identifiers.get(app) or self._identifiers.setdefault(app, Identifier(app))
        said = what_is_said(message)
        if message.native_id is None:
            equal = self._equal.copy()
            equal.update(identifier.which(message, blake2b(said, digest_size=CONTENT_BYTES).digest()))
            return equal.digest()
        native, version = self._native.copy(), self._version.copy()
        which = identifier.which(message, b"")
        native.update(which)
        version.update(which + said)
        return native.digest() + version.digest()
