import hashlib

import pytest
from hypothesis import given, strategies as st
from simulated_backends import damage

from backupkit.codec.framing import Mark, frame
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.ids import DomainId, PackName
from backupkit.store import layout
from backupkit.store.backend import ObjectMissing
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.objects.pack_list import (
    ListedPack,
    decode_pack_list,
    encode_pack_list,
    publish_pack_list,
    read_pack_list,
)
from backupkit.store.objects.small_objects import COPIES

REFS = st.builds(
    PackRef,
    st.binary(min_size=16, max_size=16).map(DomainId),
    st.binary(min_size=32, max_size=32).map(lambda raw: PackName(raw.hex())),
)


@given(st.dictionaries(REFS, st.integers(0, 2**40), max_size=20))
def test_any_list_comes_back_sorted(packs: dict[PackRef, int]) -> None:
    listed = [ListedPack(ref, size) for ref, size in packs.items()]

    assert decode_pack_list(encode_pack_list(listed)) == sorted(listed)


def test_a_list_is_published_under_its_digest_and_read_back(backend: MemoryBackend) -> None:
    refs = [PackRef(DomainId(bytes([n]) * 16), PackName(f"{n:064x}")) for n in (2, 1, 2)]
    for ref in set(refs):
        backend.create(ref.name, b"x" * ref.domain[0])

    digest, count, size = publish_pack_list(backend, refs)
    again, _, _ = publish_pack_list(backend, refs)

    assert (count, size) == (2, 3)
    assert again == digest == hashlib.sha256(backend.read(layout.pack_list(digest))).hexdigest()
    assert read_pack_list(backend, digest) == [ListedPack(refs[1], 1), ListedPack(refs[0], 2)]


def test_a_pack_that_is_gone_cannot_be_listed(backend: MemoryBackend) -> None:
    with pytest.raises(ObjectMissing):
        publish_pack_list(backend, [PackRef(DomainId(bytes(16)), PackName("00" * 32))])


def damaged(backend: MemoryBackend, copies: tuple[str, ...]) -> tuple[PackRef, str]:
    ref = PackRef(DomainId(bytes(16)), PackName("00" * 32))
    backend.create(ref.name, b"x")
    digest, _, _ = publish_pack_list(backend, [ref])
    for copy in copies:
        damage(backend, copy + layout.pack_list(digest), encode_pack_list([]))
    return ref, digest


def test_a_list_that_was_changed_in_every_copy_is_refused_until_it_is_written_again(backend: MemoryBackend) -> None:
    ref, digest = damaged(backend, COPIES)
    with pytest.raises(MalformedObject):
        read_pack_list(backend, digest)

    publish_pack_list(backend, [ref])

    assert read_pack_list(backend, digest) == [ListedPack(ref, 1)]
    assert len({backend.read(copy + layout.pack_list(digest)) for copy in COPIES}) == 1


def test_one_copy_of_a_list_is_enough(backend: MemoryBackend) -> None:
    ref, digest = damaged(backend, COPIES[:2])
    findings: list[Finding] = []

    assert read_pack_list(backend, digest, findings.append) == [ListedPack(ref, 1)]
    assert [(one.code, one.name) for one in findings] == [
        ("copy-damaged", copy + layout.pack_list(digest)) for copy in COPIES[:2]
    ]


def test_a_list_of_which_there_is_one_copy_only_is_read_as_it_always_was(backend: MemoryBackend) -> None:
    ref, digest = damaged(backend, ())
    for copy in COPIES[1:]:
        backend.delete(copy + layout.pack_list(digest))
    findings: list[Finding] = []

    assert read_pack_list(backend, digest, findings.append) == [ListedPack(ref, 1)]
    assert findings == []


@given(st.binary(max_size=150))
def test_any_bytes_give_a_list_or_a_typed_error(data: bytes) -> None:
    for candidate in (
        data,
        frame(Mark.PACK_LIST, data),
        frame(Mark.PACK_LIST, b"\0\0\0\2" + data[:112].ljust(112, b"\0")),
    ):
        try:
            decode_pack_list(candidate)
        except (MalformedObject, NewerFormat):
            continue
