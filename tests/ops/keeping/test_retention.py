"""Which snapshots stay: what must hold for every history, honest or not."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings, strategies as st

from backupkit.chats.counting.shrink import Held
from backupkit.ids import SnapshotId
from backupkit.ops.keeping.retention import Candidate, KeepRules, decide, newest_verified, shrunk

START = datetime(2018, 1, 1, tzinfo=UTC)


def candidate(number: int, at: datetime, **facts: object) -> Candidate:
    known: dict[str, object] = {
        "series": "chats", "is_whole": True, "is_verified": False, "is_damaged": False, "held": (Held(0),),
    }  # fmt: skip
    return Candidate(id=SnapshotId(f"{number:064x}"), at=at, **{**known, **facts})  # type: ignore[arg-type]


def each_day(days: int) -> list[Candidate]:
    return [candidate(day, START + timedelta(days=day)) for day in range(days)]


def staying(candidates: Sequence[Candidate], rules: KeepRules) -> list[SnapshotId]:
    return [one.candidate.id for one in decide(candidates, rules) if one.stays]


hours = st.integers(0, 24 * 900)
rules_of = st.builds(KeepRules, *[st.integers(0, 6)] * 5)


@st.composite
def histories(draw: st.DrawFn, *, honest: bool = False) -> list[Candidate]:
    times = draw(st.lists(hours, max_size=40))
    if honest:
        times.sort()
    made = []
    for number, at in enumerate(times):
        state = draw(st.sampled_from(["saved", "verified", "partial", "damaged"]))
        made.append(
            candidate(
                number,
                START + timedelta(hours=at),
                series=draw(st.sampled_from(["a", "b"])),
                is_whole=state in {"saved", "verified"},
                is_verified=state == "verified",
                is_damaged=state == "damaged",
            )
        )
    return made


def test_each_period_keeps_its_last_snapshot() -> None:
    kept = staying(each_day(365), KeepRules(daily=3, weekly=2, monthly=3, yearly=2))

    days = [START.date() + timedelta(days=int(one, 16)) for one in kept]
    assert [day.isoformat() for day in days] == [
        "2018-10-31", "2018-11-30", "2018-12-29", "2018-12-30", "2018-12-31",
    ]  # fmt: skip


def test_a_week_begins_on_monday_and_keeps_its_last_snapshot() -> None:
    kept = staying(each_day(365), KeepRules(weekly=3))

    assert [(START + timedelta(days=int(one, 16))).strftime("%a %d") for one in kept] == ["Sun 23", "Sun 30", "Mon 31"]


def test_every_rule_that_keeps_a_snapshot_is_named() -> None:
    decided = decide(each_day(40), KeepRules(last=1, daily=2, monthly=2))

    named = {int(one.candidate.id, 16): one.rules for one in decided if one.stays}
    assert named == {30: ("monthly",), 38: ("daily",), 39: ("newest", "last", "daily", "monthly")}


@given(histories(), rules_of)
@settings(deadline=None, max_examples=150)
def test_the_newest_whole_and_the_newest_verified_snapshot_of_each_series_always_stay(
    history: list[Candidate], rules: KeepRules
) -> None:
    kept = set(staying(history, rules))

    assert newest_verified(history) <= kept
    for series in {one.series for one in history}:
        members = [one for one in history if one.series == series]
        whole = [one for one in members if one.is_whole] or members
        assert whole[-1].id in kept


@given(histories(honest=True), rules_of)
@settings(deadline=None, max_examples=150)
def test_deciding_again_on_what_stayed_lets_nothing_more_go(history: list[Candidate], rules: KeepRules) -> None:
    kept = [one.candidate for one in decide(history, rules) if one.stays]

    assert staying(kept, rules) == [one.id for one in kept]


@given(histories(), rules_of)
@settings(deadline=None, max_examples=150)
def test_no_snapshot_goes_for_one_that_claims_to_be_older(history: list[Candidate], rules: KeepRules) -> None:
    """restic#22057: junk with a back-dated clock took the places of the real snapshots."""
    if rules.is_empty:
        return
    place = {one.id: number for number, one in enumerate(history)}
    kept = set(staying(history, rules))

    for gone in [one for one in history if one.is_whole and one.id not in kept]:
        assert any(
            one.id in kept and one.series == gone.series and place[one.id] > place[gone.id] and one.at >= gone.at
            for one in history
        )


@given(st.integers(2, 60), st.lists(st.integers(0, 24 * 60), max_size=20), rules_of)
@settings(deadline=None, max_examples=150)
def test_back_dated_snapshots_take_no_place_of_a_real_one_and_are_kept(
    days: int, claims: list[int], rules: KeepRules
) -> None:
    real = each_day(days)
    junk = [
        candidate(1000 + number, START + timedelta(hours=at - 24 * 90)) for number, at in enumerate(claims[: days - 1])
    ]

    kept = staying([*real, *junk], rules)

    assert {one.candidate.id for one in decide(real, rules) if set(one.rules) - {"newest"}} <= set(kept)
    assert {one.id for one in junk if one.at < START} <= set(kept)


def test_a_snapshot_from_the_future_takes_no_place_and_is_kept() -> None:
    days = each_day(60)
    lying = candidate(999, START + timedelta(days=7000))
    rules = KeepRules(daily=5, monthly=2)

    decided = {one.candidate.id: one.rules for one in decide([*days[:30], lying, *days[30:]], rules)}

    assert decided.pop(lying.id) == ("clock",)
    assert decided == {one.candidate.id: one.rules for one in decide(days, rules)}


def test_an_unfinished_snapshot_stays_until_a_whole_one_follows() -> None:
    days = each_day(4)
    partial = candidate(50, days[2].at + timedelta(hours=1), is_whole=False)
    rules = KeepRules(daily=10)

    assert partial.id in staying([*days[:3], partial], rules)
    assert partial.id not in staying([*days[:3], partial, days[3]], rules)


def test_a_damaged_snapshot_takes_no_place_and_goes_by_no_rule() -> None:
    sound = candidate(1, START)
    damaged = candidate(2, START + timedelta(hours=1), is_whole=False, is_damaged=True)

    decided = decide([sound, damaged, candidate(3, START + timedelta(days=40))], KeepRules(monthly=5))

    assert [one.rules for one in decided] == [("monthly",), ("damaged",), ("newest", "monthly")]


def test_a_sharp_shrink_is_found_in_messages_and_in_bytes() -> None:
    many = candidate(1, START, held=(Held(10 << 20, 1000), Held(0)))

    def after(messages: int | None, size: int) -> Candidate:
        return candidate(2, START + timedelta(days=1), held=(Held(size, messages), Held(0)))

    few, small, about_as_many = after(700, 10 << 20), after(1000, 7 << 20), after(900, 9 << 20)

    assert [
        shrunk([many, newest], [many.id]) is not None for newest in (few, small, about_as_many)
    ] == [True, True, False]  # fmt: skip
    assert shrunk([many, few], []) is None


def test_one_source_of_two_that_was_wiped_is_enough_for_the_alarm() -> None:
    before = candidate(1, START, held=(Held(1 << 30, 100_000), Held(1 << 20, 50)))
    after = candidate(2, START + timedelta(days=1), held=(Held(1 << 30, 100_000), Held(1 << 20, 1)))

    found = shrunk([before, after], [before.id])

    assert found is not None
    assert (found.then.messages, found.now.messages) == (50, 1)


def test_the_newest_verified_snapshot_stays_by_its_own_rule() -> None:
    days = [replace(one, is_verified=number < 3) for number, one in enumerate(each_day(6))]

    decided = decide(days, KeepRules(daily=1))

    assert [one.rules for one in decided] == [(), (), ("verified",), (), (), ("newest", "daily")]
    assert newest_verified(days) == {days[2].id}
    assert newest_verified(each_day(3)) == set()


def test_without_a_whole_snapshot_everything_that_was_begun_stays() -> None:
    begun = [replace(one, is_whole=False) for one in each_day(3)]

    assert [one.rules for one in decide(begun, KeepRules(daily=1))] == [
        ("unfinished",), ("unfinished",), ("newest", "unfinished"),
    ]  # fmt: skip


def test_a_damaged_snapshot_behind_the_last_whole_one_is_not_called_unfinished() -> None:
    days = each_day(3)
    damaged = replace(days[2], is_whole=False, is_damaged=True)

    assert decide([*days[:2], damaged], KeepRules(daily=1))[2].rules == ("damaged",)


def test_rules_that_nobody_set_keep_nothing() -> None:
    assert KeepRules().is_empty
    assert [one.rules for one in decide(each_day(3), KeepRules())] == [(), (), ("newest",)]
    assert not any(KeepRules(**{name: 1}).is_empty for name in ("last", "daily", "weekly", "monthly", "yearly"))


def test_a_shrink_is_judged_by_the_newest_whole_snapshot_that_stays() -> None:
    many, few = (Held(10 << 20, 1000),), (Held(1 << 20, 10),)
    days = each_day(4)
    full, middle, cut, last = (replace(one, held=held) for one, held in zip(days, (many, many, few, few), strict=True))
    partial = replace(last, is_whole=False)

    assert shrunk([full, middle, cut], [full.id, cut.id]) is None
    assert shrunk([full, middle, partial], [full.id]) is None
    assert shrunk([full, partial], [full.id]) is not None
    found = shrunk([full, middle, cut, last], [full.id, middle.id])
    assert found is not None
    assert (found.going, found.newest) == (full, last)


def test_a_series_that_goes_as_a_whole_has_nothing_to_be_compared_with() -> None:
    one, other = each_day(2)

    assert shrunk([one, replace(other, series="other")], [one.id]) is None
