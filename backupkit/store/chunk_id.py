"""What a chunk is called, and what kinds of chunks there are.

The id is keyed, so that a leaked index or cache confirms nothing to who guesses a file; and it names the type, so that the
bytes of somebody's file can never be taken for a manifest (CVE-2016-10099, CVE-2023-36811).
"""

import hashlib
import hmac
from enum import IntEnum

from backupkit.ids import ChunkId

ID_SIZE = 32


class ChunkType(IntEnum):
    """What a chunk's plain bytes are."""

    DATA = 1
    TREE = 2
    CHUNK_LIST = 3
    PAGE_EXTENT = 4
    PAGE_MAP = 5
    ROOT = 6


KINDS: dict[int, ChunkType] = {int(kind): kind for kind in ChunkType}
"""Looking a type up here takes a tenth of the time of making it from its number."""

_TYPE_BYTES = [bytes([kind]) for kind in range(max(ChunkType) + 1)]


def chunk_id(id_key: bytes, kind: ChunkType, sha256: bytes) -> ChunkId:
    """Name a chunk: HMAC-SHA-256 under the domain's id key of the type byte and the SHA-256 of the plain bytes."""
    return ChunkId(hmac.digest(id_key, _TYPE_BYTES[kind] + sha256, "sha256"))


def plain_sha256(plaintext: bytes | bytearray | memoryview) -> bytes:
    """Hash a chunk's plain bytes. For a file of one chunk this is what `sha256sum` says of the file."""
    return hashlib.sha256(plaintext).digest()
