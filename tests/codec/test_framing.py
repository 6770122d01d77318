import pytest
from hypothesis import given, strategies as st

from backupkit.codec.framing import FRAME_SIZE, Mark, frame, unframe
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.errors import ExitCode

marks = st.sampled_from(list(Mark))


@given(marks, st.binary(max_size=40))
def test_a_framed_payload_is_given_back(mark: Mark, payload: bytes) -> None:
    framed = frame(mark, payload)

    assert bytes(unframe(mark, framed)) == payload
    assert len(framed) == len(payload) + FRAME_SIZE


def test_the_twelve_bytes_are_those_of_the_format() -> None:
    assert frame(Mark.SLOT, b"x") == b"bkitslot\x00\x01\x00\x00x"


@given(marks, marks)
def test_no_kind_of_object_is_read_as_another(written: Mark, wanted: Mark) -> None:
    if written is wanted:
        return
    with pytest.raises(MalformedObject) as caught:
        unframe(wanted, frame(written, b""))

    assert caught.value.facts["reason"] == "wrong-mark"


def test_a_newer_version_says_so_and_is_not_called_damaged() -> None:
    with pytest.raises(NewerFormat) as caught:
        unframe(Mark.PACK_LIST, frame(Mark.PACK_LIST, b"", version=2))

    assert caught.value.facts == {"what": "pack-list", "version": 2, "known": 1}
    assert caught.value.exit_code is ExitCode.NEWER_FORMAT


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too-short"),
        (b"bkitslot\x00\x01\x00", "too-short"),
        (b"BKITslot\x00\x01\x00\x00", "wrong-mark"),
        (b"bkitslot\x00\x00\x00\x00", "wrong-version"),
        (b"bkitslot\x00\x01\x00\x01", "wrong-version"),
    ],
)
def test_a_broken_head_gives_one_typed_error(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedObject) as caught:
        unframe(Mark.SLOT, data)

    assert caught.value.facts == {"what": "slot", "reason": reason}


def test_marks_are_four_bytes_and_all_different() -> None:
    assert all(len(mark.value) == 4 for mark in Mark)
    assert len({mark.value for mark in Mark}) == len(Mark)
