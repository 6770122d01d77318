"""Which packs a snapshot needs: in clear, so that every byte of it can be read back without a key.

It tells how large the snapshot is and which packs it shares with others, which the storage shows anyway, and nothing else.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from backupkit.codec.framing import Mark, frame, unframe
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.ids import DomainId, PackName
from backupkit.store import layout
from backupkit.store.backend import Backend, ObjectMissing
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.objects.small_objects import COPIES, SmallObjects

MAX_PACK_LIST = 64 << 20
_COUNT = struct.Struct(">I")
_ROW = struct.Struct(">16s32sQ")
_WHAT = "pack-list"


class ListedPack(NamedTuple):
    """A pack that a snapshot needs, and its size in bytes."""

    ref: PackRef
    size: int


def encode_pack_list(packs: Iterable[ListedPack]) -> bytes:
    """Write a pack list: each pack once, sorted by domain and name."""
    rows = sorted({_ROW.pack(ref.domain, bytes.fromhex(ref.pack), size) for ref, size in packs})
    return frame(Mark.PACK_LIST, b"".join((_COUNT.pack(len(rows)), *rows)))


def decode_pack_list(data: bytes) -> list[ListedPack]:
    """Read a pack list.

    Raises:
        MalformedObject: it is none.
        NewerFormat: one of a newer version.
    """
    payload = unframe(Mark.PACK_LIST, data)
    if len(payload) < _COUNT.size:
        raise MalformedObject(what=_WHAT, reason="truncated")
    (count,) = _COUNT.unpack_from(payload)
    rows = bytes(payload[_COUNT.size :])
    if len(rows) != count * _ROW.size:
        raise MalformedObject(what=_WHAT, reason="wrong-count")
    listed = [
        ListedPack(PackRef(DomainId(domain), PackName(pack.hex())), size)
        for domain, pack, size in _ROW.iter_unpack(rows)
    ]
    refs = [one.ref for one in listed]
    if any(size > 1 << 40 for _, size in listed) or refs != sorted(set(refs)):
        raise MalformedObject(what=_WHAT, reason="not-sorted")
    return listed


def publish_pack_list(backend: Backend, packs: Iterable[PackRef]) -> tuple[str, int, int]:
    """Write the list of these packs with their sizes, three times. Return its digest, the number of packs and their bytes."""
    listed = [ListedPack(ref, backend.size(ref.name)) for ref in sorted(set(packs))]
    data = encode_pack_list(listed)
    digest = hashlib.sha256(data).hexdigest()
    SmallObjects(backend, most=MAX_PACK_LIST).create_named(layout.pack_list(digest), data)
    return digest, len(listed), sum(size for _, size in listed)


def read_pack_list(backend: Backend, digest: str, tell: Callable[[Finding], None] = lambda _: None) -> list[ListedPack]:
    """Read the list of this digest. `tell` is called for a copy that is damaged or gone where another had to be read.

    Raises:
        MalformedObject: the bytes of no copy are those the digest was made of.
        ObjectMissing: there is none.
    """
    objects = SmallObjects(backend, tell, most=MAX_PACK_LIST)
    return objects.read(layout.pack_list(digest), partial(decode_listed, digest))


def complete_pack_lists(backend: Backend, tell: Callable[[Finding], None] = lambda _: None) -> None:
    """Make the copies that lists of the first repositories lack. `tell` is called for each copy that was missing."""
    objects = SmallObjects(backend, tell, most=MAX_PACK_LIST)
    lists = objects.names(layout.PACK_LISTS)
    there = [set(backend.names(copy + layout.PACK_LISTS)) for copy in COPIES]
    for name in lists:
        if all(copy + name in names for copy, names in zip(COPIES, there, strict=True)):
            continue
        # One that is lost with all its copies is for verify and repair to tell.
        with suppress(MalformedObject, NewerFormat, ObjectMissing):
            digest = name.removeprefix(layout.PACK_LISTS)
            objects.check_copies(name, partial(decode_listed, digest))


def decode_listed(digest: str, data: bytes) -> list[ListedPack]:
    """Read a pack list that a snapshot names by its digest.

    Raises:
        MalformedObject: its bytes are not those the digest was made of.
    """
    if hashlib.sha256(data).hexdigest() != digest:
        raise MalformedObject(what=_WHAT, reason="wrong-digest")
    return decode_pack_list(data)
