from datetime import timedelta

from hypothesis import given, strategies as st

from backupkit.watcher.settle import Pace, Unsaved, back_off, due_at, settled

PACE = Pace(quiet=timedelta(seconds=90), patience=timedelta(minutes=15))
times = st.floats(0, 10**6)


def unsaved(changes: list[float]) -> Unsaved:
    joined = None
    for at in changes:
        joined = Unsaved(at, at).joined(joined)
    assert joined is not None
    return joined


def test_a_source_is_saved_ninety_seconds_after_its_last_change() -> None:
    changes = {"wechat": Unsaved(100.0, 150.0)}

    assert settled(changes, 239.9, Pace()) == ()
    assert settled(changes, 240.0, Pace()) == ("wechat",)


def test_a_chat_that_never_rests_is_saved_after_the_longest_wait() -> None:
    restless = {"wechat": Unsaved(0.0, 899.0)}

    assert settled(restless, 899.9, PACE) == ()
    assert settled(restless, 900.0, PACE) == ("wechat",)


def test_each_source_settles_for_itself() -> None:
    changes = {"whatsapp": Unsaved(0.0, 10.0), "wechat": Unsaved(0.0, 20.0), "qq": Unsaved(0.0, 500.0)}

    assert settled(changes, 120.0, PACE) == ("wechat", "whatsapp")
    assert settled({}, 120.0, PACE) == ()


@given(st.lists(times, min_size=1, max_size=10), times)
def test_nothing_is_saved_in_a_burst_and_nothing_waits_too_long(changes: list[float], now: float) -> None:
    due = due_at(unsaved(changes), PACE)

    assert due >= min(max(changes) + 90, min(changes) + 900)
    assert due <= min(changes) + 900
    assert (settled({"wechat": unsaved(changes)}, now, PACE) == ("wechat",)) == (now >= due)


@given(st.lists(times, min_size=1, max_size=10), st.randoms())
def test_the_order_in_which_changes_are_noted_does_not_matter(changes: list[float], random: object) -> None:
    assert unsaved(sorted(changes)) == unsaved(sorted(changes, reverse=True)) == Unsaved(min(changes), max(changes))


@given(st.lists(times, min_size=1, max_size=10), times)
def test_another_change_never_makes_a_save_come_earlier(changes: list[float], more: float) -> None:
    before, after = unsaved(changes), unsaved([*changes, max(changes) + more])

    assert due_at(after, PACE) >= due_at(before, PACE)


def test_failed_saves_are_tried_again_later_and_later_up_to_an_hour() -> None:
    waits = [back_off(failures, PACE) for failures in range(1, 9)]

    assert waits == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 16, 32, 60, 60)]
    assert back_off(10**9, PACE) == timedelta(hours=1)
    assert back_off(0, PACE) == timedelta(minutes=1)
