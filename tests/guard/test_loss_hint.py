"""The note of what the backup lacks: numbers for a verdict, and never its decision."""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from guard_scene import NOON, WECHAT, Scene, answer, on_disk, question
from hypothesis import given, strategies as st

from backupkit.codec.malformed import MalformedObject
from backupkit.guard.loss_hint import HintFinding, LossHint, decode_hint
from backupkit.guard.places import write_whole
from backupkit.guard.verdict import Loss, Verdict
from backupkit.ids import AppPackage, SnapshotId

HINT = LossHint(
    package=WECHAT,
    as_of=NOON - timedelta(hours=2),
    not_in_backup=26,
    messages=48_237,
    conversations=96,
    newest=NOON - timedelta(hours=3),
    snapshot=SnapshotId("5a" * 32),
)


@dataclass
class Guard:
    """A guard asked about the update of 2018, with or without a note."""

    scene: Scene

    def answer(self, note: bytes | None, **changes: Any) -> Verdict:
        path = self.scene.places.hint_of(WECHAT)
        path.unlink(missing_ok=True)
        if note is not None:
            write_whole(path, note)
        return answer(self.scene, question(self.scene, **changes))


@pytest.fixture(params=["with a backup", "without a backup"])
def guard(tmp_path: Path, request: pytest.FixtureRequest) -> Guard:
    scene = Scene(tmp_path)
    if request.param == "with a backup":
        scene.enrol_store()
        scene.issue()
    return Guard(scene)


def test_a_note_gives_the_number_and_says_of_when_it_is(guard: Guard) -> None:
    plain, noted = guard.answer(None), guard.answer(HINT.encode())

    assert noted.loss is not None
    assert (noted.loss.not_in_backup, noted.loss.as_of, noted.findings) == (26, HINT.as_of, ())
    assert noted.but(loss=plain.loss) == plain


def test_what_the_question_says_goes_before_the_note(guard: Guard) -> None:
    verdict = guard.answer(HINT.encode(), loss=Loss(messages=5, not_in_backup=3))

    assert verdict.loss is not None
    assert (verdict.loss.messages, verdict.loss.not_in_backup, verdict.loss.as_of) == (5, 3, None)


def test_a_question_that_counted_messages_only_takes_the_rest_from_the_note(guard: Guard) -> None:
    verdict = guard.answer(HINT.encode(), loss=Loss(messages=5))

    assert verdict.loss is not None
    assert (verdict.loss.messages, verdict.loss.conversations, verdict.loss.not_in_backup) == (5, 96, 26)


def test_where_nothing_would_be_lost_no_note_speaks_of_a_loss(guard: Guard) -> None:
    update = on_disk(guard.scene.package("v20.apk", version_code=20))

    verdict = guard.answer(HINT.encode(), candidate=update)

    assert (verdict.loss, verdict.findings) == (None, ())


MOST = 1 << 50


@pytest.mark.parametrize(
    "hint",
    [
        HINT,
        HINT._replace(newest=None, snapshot=None, conversations=None),
        HINT._replace(not_in_backup=HINT.messages),
        HINT._replace(messages=MOST, conversations=MOST),
        HINT._replace(messages=0, not_in_backup=0, conversations=0),
    ],
)
def test_a_note_is_read_as_it_was_written(hint: LossHint) -> None:
    assert decode_hint(hint.encode()) == hint


def test_a_note_of_this_moment_and_one_as_old_as_allowed_are_not_doubted() -> None:
    snapshot, age = SnapshotId("5a" * 32), timedelta(hours=24)

    assert HINT._replace(as_of=NOON).doubt(WECHAT, snapshot, NOON, age) is None
    assert HINT._replace(as_of=NOON - age).doubt(WECHAT, snapshot, NOON, age) is None
    assert HINT._replace(as_of=NOON - age - timedelta(seconds=1)).doubt(WECHAT, None, NOON, age) is HintFinding.OLD


def test_a_note_fills_what_nobody_said_and_nothing_else() -> None:
    said = Loss(messages=5, conversations=6, media=7, bytes=8)

    assert HINT.fill(said) == said._replace(not_in_backup=26, as_of=HINT.as_of)
    assert HINT.fill(Loss()) == Loss(messages=48_237, conversations=96, not_in_backup=26, as_of=HINT.as_of)


DOUBTFUL = {
    HintFinding.OF_ANOTHER_APP: HINT._replace(package=AppPackage("org.example.other")),
    HintFinding.FROM_THE_FUTURE: HINT._replace(as_of=NOON + timedelta(seconds=1)),
    HintFinding.OLD: HINT._replace(as_of=NOON - timedelta(days=400)),
}


@pytest.mark.parametrize("finding", DOUBTFUL)
def test_a_doubtful_note_is_passed_over_and_named(guard: Guard, finding: HintFinding) -> None:
    plain, noted = guard.answer(None), guard.answer(DOUBTFUL[finding].encode())

    assert noted.findings == (finding.value,)
    assert noted.but(findings=()) == plain


def test_a_note_about_another_backup_than_the_accepted_one_is_passed_over(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.enrol_store()
    scene.issue()

    verdict = Guard(scene).answer(HINT._replace(snapshot=SnapshotId("11" * 32)).encode())

    assert verdict.findings == ("loss-hint-of-another-backup",)


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(HINT.encode()), **fields}).encode()


MALFORMED = [
    b"", b"{}", b"[]", b"nonsense", b"\xff\xfe", HINT.encode()[:-1], b"9" * 5000, changed(v=2), changed(v=True), changed(type="verdict"),
    changed(messages=-1), changed(messages="7"), changed(messages=10**300), changed(not_in_backup=None), changed(as_of="now"),
    changed(conversations=MOST + 1), changed(messages=MOST + 1),
    changed(snapshot="../../x"), changed(not_in_backup=99_999), changed(package=7), changed(newest=5),
]  # fmt: skip


@pytest.mark.parametrize("data", MALFORMED)
def test_a_malformed_note_is_refused_and_changes_no_answer(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(MalformedObject):
        decode_hint(data)
    guard = Guard(Scene(tmp_path))
    plain, noted = guard.answer(None), guard.answer(data)

    assert noted.findings == ("loss-hint-malformed",)
    assert noted.but(findings=()) == plain


def test_a_pipe_or_a_folder_in_place_of_the_note_is_passed_over(tmp_path: Path) -> None:
    guard = Guard(Scene(tmp_path))
    plain = guard.answer(None)
    path = guard.scene.places.hint_of(WECHAT)
    path.mkdir(parents=True)

    noted = answer(guard.scene, question(guard.scene))

    assert noted.but(findings=()) == plain
    assert noted.findings == ("loss-hint-malformed",)


@given(st.binary(max_size=200) | st.builds(lambda cut, byte: HINT.encode()[:cut] + bytes([byte]) + HINT.encode()[cut + 1 :],
                                           st.integers(0, 300), st.integers(0, 255)))  # fmt: skip
def test_any_bytes_are_a_note_or_malformed(data: bytes) -> None:
    try:
        hint = decode_hint(data)
    except MalformedObject:
        return
    assert decode_hint(hint.encode()) == hint
