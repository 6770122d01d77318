"""Proof of rotation as a file of its own, and one app's several histories."""

import contextlib

import pytest
from apk_factory import FactoryLineage, make_key, make_lineage, sequence, sized, u32
from hypothesis import given, strategies as st

from backupkit.guard import facts
from backupkit.guard.apk.lineage import (
    Capability,
    Lineage,
    LineageNode,
    common_history,
    read_lineage,
    read_lineage_file,
)
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason

A, B, C = make_key("ec", "A"), make_key("rsa", "B"), make_key("dsa", "C")


def refusal(data: bytes) -> Reason:
    with pytest.raises(PackageNotGenuine) as caught:
        read_lineage_file(data)
    return caught.value.reason


def test_a_lineage_comes_back_in_order_with_its_flags() -> None:
    lineage = read_lineage_file(make_lineage([A, B, C], [1, 31, 0]).file())

    assert [(node.digest, node.capabilities) for node in lineage.nodes] == [
        (A.digest, 1),
        (B.digest, 31),
        (C.digest, 0),
    ]
    assert lineage.node(B.certificate) == lineage.nodes[1]
    assert lineage.node(b"somebody else") is None


def test_a_certificate_that_comes_twice_is_refused() -> None:
    assert refusal(make_lineage([A, B, A]).file()) is Reason.LINEAGE_REPEATS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        u32(0x12345678) + u32(1) + sized(make_lineage([A]).encode()),
        u32(0x3EFF39D1) + u32(2) + sized(make_lineage([A]).encode()),
        u32(0x3EFF39D1) + u32(1) + sized(u32(2)),
        u32(0x3EFF39D1) + u32(1) + sized(u32(1)),
        make_lineage([A, B]).file()[:-1],
        u32(0x3EFF39D1) + u32(1) + sized(u32(1) + sequence([sized(sized(b"no certificate") + u32(0)) + bytes(12)])),
    ],
)
def test_what_is_no_lineage_is_refused(data: bytes) -> None:
    assert refusal(data) is Reason.LINEAGE_MALFORMED


def test_a_child_signed_by_a_stranger_is_refused() -> None:
    class Forged(FactoryLineage):
        def encode(self) -> bytes:
            real = super().encode()
            stranger = make_lineage([make_key("ec", "stranger"), B]).encode()
            # The first node is A's, the second was blessed by the stranger.
            size = int.from_bytes(real[4:8], "little") + 8
            other = int.from_bytes(stranger[4:8], "little") + 8
            return real[:size] + stranger[other:]

    assert refusal(Forged((A, B), (23, 23)).file()) is Reason.LINEAGE_SIGNATURE_WRONG


def test_a_changed_capability_is_not_noticed_because_the_flags_are_not_signed_by_the_parent() -> None:
    """They are under the package's own signature, which covers the whole attribute."""
    data = make_lineage([A, B], [1, 2]).encode()

    assert read_lineage(data.replace(u32(1) + u32(A.algorithm), u32(9) + u32(A.algorithm))).nodes[0].capabilities == 9


@pytest.mark.parametrize(
    ("histories", "joined"),
    [
        ([], ""),
        (["ab"], "ab"),
        (["abc", "ab", "a"], "abc"),
        (["ab", "abc"], "abc"),
        (["ab", "bc"], "abc"),
        (["bc", "abcd"], "abcd"),
        (["abc", "bcd", "de"], "abcde"),
        (["abc", "c"], "abc"),
        (["abc", "ac"], None),
        (["ab", "ac"], None),
        (["abc", "xb"], None),
        (["ab", "cd"], None),
        (["abc", "bd"], None),
        (["bc", "ab", "bd"], None),
    ],
)
def test_histories_of_one_app_are_parts_of_one_line(histories: list[str], joined: str | None) -> None:
    """What they grant may differ from level to level, and older certificates may have been left out."""
    lineages = [
        Lineage(tuple(LineageNode(letter.encode(), grants) for letter in letters))
        for grants, letters in enumerate(histories)
    ]

    line = common_history(lineages)

    assert (None if line is None else b"".join(line).decode()) == joined


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_flags_only(at: int, change: int) -> None:
    data = bytearray(make_lineage([A, B]).encode())
    data[at % len(data)] ^= change

    with contextlib.suppress(PackageNotGenuine):
        assert read_lineage(bytes(data)).nodes[1].certificate == B.certificate


def test_the_flags_have_androids_numbers() -> None:
    assert {flag.name: flag.value for flag in Capability} == {
        "INSTALLED_DATA": 1,
        "SHARED_USER_ID": 2,
        "PERMISSION": 4,
        "ROLLBACK": 8,
        "AUTH": 16,
    }
    assert {flag.name: flag.value for flag in facts.Capability} == {flag.name: flag.value for flag in Capability}


@pytest.mark.parametrize("version", [0, 2, 0xFFFFFFFF])
def test_a_lineage_of_another_version_is_refused(version: int) -> None:
    proof = make_lineage([A, B]).encode()

    assert len(read_lineage(proof).nodes) == 2
    with pytest.raises(PackageNotGenuine) as refused:
        read_lineage(u32(version) + proof[4:])

    assert refused.value.reason is Reason.LINEAGE_MALFORMED
