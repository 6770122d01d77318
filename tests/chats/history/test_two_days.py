"""Two days of invented chats, of which everything that happened in between is known: the comparison must find exactly that."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.chats.history.diff import ChangeKind, Seen, compare, see
from backupkit.chats.history.history import merge
from backupkit.chats.model import UNKNOWN_ZONE, UTC_ZONE, DeletionState, Locator, Message, Precision

MINUTE = 60_000_000
WORDS = ["ha", "ok", "好的", "哈哈", "on my way", "?"]
EVERY_WAY: Any = st.builds(
    dict, native=st.booleans(), minutes=st.booleans(), shift_hours=st.sampled_from([0, 0, 1, -7])
)


@dataclass
class TwoDays:
    """Two exports of one conversation and what happened in between."""

    old: list[Message]
    new: list[Message]
    happened: Counter[ChangeKind] = field(default_factory=Counter)


def invent(seed: int, *, native: bool, minutes: bool, shift_hours: int, messages: int = 120) -> TwoDays:
    """Invent a conversation with repeats, a clock that is put back once, edits, recalls and deletions, and a second day."""
    dice = random.Random(seed)
    at = 28_000_000 * MINUTE
    old: list[Message] = []
    back_at = dice.randrange(messages)
    for number in range(messages):
        at += dice.choice([0, 0, 1, 1, 2, 30]) * MINUTE
        if number == back_at and not native:
            at -= 60 * MINUTE
        old.append(_said(number, at, dice, native=native, minutes=minutes))
    happened: Counter[ChangeKind] = Counter()
    new: list[Message] = []
    quiet = -10
    for number, message in enumerate(old):
        what = dice.random()
        # What happens to neighbours in one minute cannot be told apart without ids, by anybody.
        if what > 0.12 or (not native and number - quiet < 4):
            new.append(message)
            continue
        quiet = number
        if what < 0.04:
            happened[ChangeKind.DELETED] += 1
        elif what < 0.08:
            happened[ChangeKind.EDITED] += 1
            new.append(replace(message, text=f"edited {number}"))
        else:
            happened[ChangeKind.RECALLED] += 1
            new.append(replace(message, text="This message was deleted", deletion=DeletionState.RECALLED))
    at += 24 * 60 * MINUTE
    for number in range(messages, messages + dice.randrange(40)):
        at += dice.choice([0, 1, 5]) * MINUTE
        happened[ChangeKind.NEW] += 1
        new.append(_said(number, at, dice, native=native, minutes=minutes))
    if not native:
        new = [replace(message, ts_utc_us=(message.ts_utc_us or 0) + shift_hours * 60 * MINUTE) for message in new]
    return TwoDays(old, new, happened)


def _said(number: int, at: int, dice: random.Random, *, native: bool, minutes: bool) -> Message:
    text = dice.choice(WORDS) if dice.random() < 0.5 else f"sentence {number}"
    return Message(
        conversation="family",
        locator=Locator("chat", f"line {number}"),
        raw=b"",
        ts_utc_us=at if minutes else at + number % 60 * 1_000_000,
        ts_precision=Precision.MINUTE if minutes else Precision.SECOND,
        ts_zone=UTC_ZONE if native else UNKNOWN_ZONE,
        native_id=str(number) if native else None,
        sender_name=dice.choice(["Li", "Wang"]),
        text=text,
    )


def seen(messages: list[Message]) -> list[Seen]:
    return see("app", messages)["family"]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), way=EVERY_WAY)
def test_all_that_happened_between_two_days_is_found_and_nothing_else(seed: int, way: dict[str, Any]) -> None:
    days = invent(seed, **way)

    found = compare(see("app", days.old), see("app", days.new))

    assert {kind: found.count(kind) for kind in ChangeKind if found.count(kind)} == dict(days.happened)
    assert not found.suspends_retention


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), way=EVERY_WAY)
def test_one_history_of_two_days_holds_every_message_once(seed: int, way: dict[str, Any]) -> None:
    days = invent(seed, **way)

    history = merge([seen(days.old), seen(days.new), seen(days.new)])

    assert len(history.messages) == len(days.old) + days.happened[ChangeKind.NEW]
    assert len(history.absent()) == days.happened[ChangeKind.DELETED]
    versions = Counter(len(message.versions) for message in history.messages)
    assert versions[2] == days.happened[ChangeKind.EDITED] + days.happened[ChangeKind.RECALLED]
    assert set(versions) <= {1, 2}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 119), min_size=1, max_size=4))
def test_overlapping_exports_of_a_chat_become_what_one_whole_export_is(seed: int, cuts: list[int]) -> None:
    whole = invent(seed, native=False, minutes=True, shift_hours=0).old
    places = sorted({0, *cuts, len(whole)})
    # Each export begins 25 messages before the one before it ended, as an app that exports the last weeks does.
    exports = [seen(whole[max(0, start - 25) : end]) for start, end in pairwise(places)]

    history = merge(exports)

    assert [message.newest.locator for message in history.messages] == [message.locator for message in whole]


def test_a_person_who_has_another_name_on_the_other_phone_is_the_same_person() -> None:
    days = invent(7, native=False, minutes=True, shift_hours=0)
    renamed = [replace(one, sender_name="老王" if one.sender_name == "Wang" else one.sender_name) for one in days.new]

    found = compare(see("app", days.old), see("app", renamed))

    assert {kind: found.count(kind) for kind in ChangeKind if found.count(kind)} == dict(days.happened)


@pytest.mark.parametrize("kept", [slice(40, None), slice(0, 80)])
def test_an_export_of_a_part_is_a_smaller_export_and_no_deletion(kept: slice) -> None:
    whole = invent(3, native=True, minutes=False, shift_hours=0).old

    found = compare(see("app", whole), see("app", whole[kept]))

    assert (found.count(ChangeKind.OUT_OF_SCOPE), found.count(ChangeKind.DELETED)) == (40, 0)
    assert found.suspends_retention


def test_a_whole_conversation_that_is_not_there_was_not_exported() -> None:
    whole = invent(3, native=True, minutes=False, shift_hours=0).old
    other = [replace(message, conversation="other") for message in whole]

    found = compare(
        see("app", [*whole, *other, *[replace(one, conversation="third") for one in whole]]),
        see("app", [*whole, *other]),
    )

    assert (found.count(ChangeKind.OUT_OF_SCOPE), found.is_wiped) == (len(whole), False)
    assert found.suspends_retention


def test_a_part_that_lies_there_twice_changes_nothing() -> None:
    whole = invent(5, native=True, minutes=False, shift_hours=0).old

    assert compare(see("app", [*whole, *whole]), see("app", whole)).conversations[0].changes == ()


def test_what_an_export_lacks_stays_in_the_history_where_it_was() -> None:
    days = invent(11, native=False, minutes=True, shift_hours=0)

    history = merge([seen(days.old), seen(days.old[:50])])

    assert [message.newest.locator for message in history.messages] == [message.locator for message in days.old]
    assert len(history.absent()) == len(days.old) - 50
