"""The first twelve bytes of every stored object: what it is, and which version of it.

    offset  size  field
    0       4     b"bkit"
    4       4     mark: four ASCII letters naming the kind of object
    8       2     version, big endian
    10      2     flags, big endian, zero in version 1

A mark cannot be taken for another: an object is read only as what it says it is.
"""

import struct
from enum import Enum

from backupkit.codec.malformed import MalformedObject, NewerFormat

MAGIC = b"bkit"
FRAME_SIZE = 12
_HEAD = struct.Struct(">4s4sHH")


class Mark(Enum):
    """The kinds of stored objects."""

    CONFIG = b"conf"
    DOMAIN = b"doma"
    KEYRING = b"ring"
    SLOT = b"slot"
    PACK = b"pack"
    INDEX = b"indx"
    PACK_LIST = b"plst"
    ROOT = b"root"
    TREE = b"tree"
    CHUNK_LIST = b"list"
    PAGE_MAP = b"pmap"
    LOG_ENTRY = b"entr"
    STATEMENT = b"stmt"
    WRITER = b"writ"
    PARITY = b"prty"


NEWEST_VERSION = 1


def frame(mark: Mark, payload: bytes | bytearray | memoryview, *, version: int = NEWEST_VERSION) -> bytes:
    """Put the mark and version in front of a payload."""
    return b"".join((_HEAD.pack(MAGIC, mark.value, version, 0), payload))


def unframe(mark: Mark, data: bytes | memoryview) -> memoryview:
    """Return the payload of an object that says it is a `mark` in a version known here.

    Raises:
        MalformedObject: another kind of object, too short, or unknown flags.
        NewerFormat: the version is newer than `NEWEST_VERSION`.
    """
    what = mark.name.lower().replace("_", "-")
    if len(data) < FRAME_SIZE:
        raise MalformedObject(what=what, reason="too-short")
    magic, found, version, flags = _HEAD.unpack_from(data)
    if magic != MAGIC or found != mark.value:
        raise MalformedObject(what=what, reason="wrong-mark")
    if version > NEWEST_VERSION:
        raise NewerFormat(what=what, version=version, known=NEWEST_VERSION)
    if version == 0 or flags != 0:
        raise MalformedObject(what=what, reason="wrong-version")
    return memoryview(data)[FRAME_SIZE:]
