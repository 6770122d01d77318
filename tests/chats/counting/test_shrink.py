"""When a source holds sharply less than it did, and which snapshot then must stay."""

import pytest
from hypothesis import given, strategies as st

from backupkit.chats.counting.shrink import Held, ShrinkKind, judge_history, shrink_between


def counted(messages: int, conversations: int = 1) -> Held:
    return Held(messages * 100, messages, conversations)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (counted(100), counted(120), None),
        (counted(100), counted(80), None),
        (counted(100), counted(60), ShrinkKind.SHRUNK),
        (counted(100), counted(5), ShrinkKind.WIPED),
        (counted(100), counted(0), ShrinkKind.WIPED),
        (counted(9), counted(0), None),
        (counted(100, 10), counted(40, 2), ShrinkKind.WIPED),
        (counted(100, 10), counted(49, 7), ShrinkKind.WIPED),
        (counted(100, 10), counted(40, 8), ShrinkKind.SHRUNK),
        (counted(100, 10), counted(50, 2), ShrinkKind.SHRUNK),
        (counted(100, 10), counted(80, 2), None),
        (counted(100, 3), Held(4000, 40), ShrinkKind.WIPED),
        (counted(100, 2), Held(4000, 40), ShrinkKind.SHRUNK),
        (Held(10_000, 100), counted(40), ShrinkKind.SHRUNK),
        (counted(100), counted(70), ShrinkKind.SHRUNK),
        (counted(100), counted(71), None),
        (counted(100), counted(10), ShrinkKind.WIPED),
        (counted(10), counted(0), ShrinkKind.WIPED),
        (counted(9), Held(0), None),
        (counted(10), Held(1000), ShrinkKind.SHRUNK),
        (counted(10), Held(900), ShrinkKind.SHRUNK),
        (Held(1 << 20), Held(0), ShrinkKind.WIPED),
        (Held((1 << 20) - 1), Held(0), None),
        (counted(100), Held(10_000), ShrinkKind.SHRUNK),
        (counted(100), Held(0), ShrinkKind.WIPED),
        (Held(50 << 20), Held(40 << 20), None),
        (Held(50 << 20), Held(20 << 20), ShrinkKind.SHRUNK),
        (Held(50 << 20), Held(1 << 20), ShrinkKind.WIPED),
        (Held(1000), Held(0), None),
        (Held(50 << 20), counted(100_000), ShrinkKind.SHRUNK),
    ],
)
def test_two_snapshots_are_judged_by_what_can_be_counted(before: Held, after: Held, kind: ShrinkKind | None) -> None:
    found = shrink_between(before, after)

    assert (found.kind if found else None) == kind


def test_the_last_good_snapshot_before_a_wipe_is_pinned_until_the_messages_are_back() -> None:
    history = [counted(100), counted(105), counted(104), counted(3), counted(5)]

    wiped = judge_history(history)
    back = judge_history([*history, counted(110)])

    assert (wiped.pinned, wiped.suspends_retention) == ((2,), True)
    assert wiped.open is not None
    assert wiped.open.before == counted(105)
    assert (back.pinned, back.suspends_retention) == ((), False)


def test_the_best_so_far_is_the_one_with_the_most_messages_and_then_the_most_bytes() -> None:
    """Of a sealed source nobody knows the messages: any count is more than that."""
    unknown, few, same = Held(1 << 30), counted(20), Held(9000, 20, 1)

    assert judge_history([few, same, Held(1000, 5, 1)]).open == shrink_between(same, Held(1000, 5, 1))
    assert judge_history([same, few, Held(1000, 5, 1)]).open == shrink_between(same, Held(1000, 5, 1))
    assert judge_history([unknown, Held(1 << 30, 20, 1), Held(1 << 30, 5, 1)]).suspends_retention
    assert judge_history([]).open is None


def test_a_source_that_only_grew_pins_nothing() -> None:
    judged = judge_history([counted(10), counted(50), counted(100)])

    assert (judged.pinned, judged.suspends_retention) == ((), False)


def test_many_small_steps_add_up() -> None:
    judged = judge_history([counted(100), counted(85), counted(75), counted(65)])

    assert judged.pinned == (2,)
    assert judged.suspends_retention


@given(counts=st.lists(st.integers(0, 1000), max_size=20))
def test_a_shrink_that_lasts_always_pins_something_that_holds_more(counts: list[int]) -> None:
    history = [counted(count) for count in counts]

    judged = judge_history(history)

    assert judged.suspends_retention == (bool(history) and judged.open is not None)
    if judged.open is not None:
        assert judged.pinned
        assert max(counts[place] for place in judged.pinned) > counts[-1]
    assert all(place < len(history) - 1 for place in judged.pinned)


def test_a_key_that_is_not_there_is_no_loss_but_fewer_bytes_are() -> None:
    before = Held(50 << 20, 1000, 5)

    assert shrink_between(before, Held(50 << 20, None, None, waits_for_a_key=True)) is None
    assert shrink_between(before, Held(50 << 20, None, None)) is not None
    lost = shrink_between(before, Held(1 << 20, None, None, waits_for_a_key=True))
    assert lost is not None
    assert lost.kind is ShrinkKind.WIPED
