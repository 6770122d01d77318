"""Which packs are worth writing again."""

import pytest
from hypothesis import given, strategies as st

from backupkit.ids import PackName
from backupkit.store.upkeep.repack import PackUse, choose_packs


def use(number: int, live: int, total: int = 100, size: int = 1000) -> PackUse:
    return PackUse(PackName(f"{number:064x}"), live, total, size)


def test_the_dead_part_of_a_pack_is_that_of_its_entries() -> None:
    assert (use(1, 25).dead_share, use(1, 25).dead_size) == (0.75, 750)
    assert (use(1, 0, 0).dead_share, use(1, 0, 0).dead_size) == (1.0, 1000)


@pytest.mark.parametrize(
    ("live", "most_unused", "chosen"),
    [
        ([100, 100], 0.0, []),
        ([0, 100], 0.5, []),
        ([0, 100], 0.49, [0]),
        ([50, 20, 90], 0.0, [1, 0, 2]),
        ([50, 20, 90], 0.1, [1, 0]),
        ([50, 20, 90], 0.3, [1]),
        ([80, 80, 80], 0.2, []),
        ([79, 80, 80], 0.2, [0]),
        ([0, 0], 0.1, [0, 1]),
    ],
)
def test_the_deadest_are_written_again_until_little_enough_is_dead(
    live: list[int], most_unused: float, chosen: list[int]
) -> None:
    uses = [use(number, one) for number, one in enumerate(live)]

    assert choose_packs(uses, most_unused=most_unused) == [uses[number] for number in chosen]


uses_of = st.lists(
    st.integers(0, 100).flatmap(lambda live: st.integers(1, 10_000).map(lambda size: (live, size))), max_size=12
).map(lambda found: [use(number, live, 100, size) for number, (live, size) in enumerate(found)])


@given(uses_of, st.sampled_from([0.0, 0.05, 0.25, 0.5]))
def test_what_is_chosen_is_enough_and_none_too_many(uses: list[PackUse], most_unused: float) -> None:
    chosen = choose_packs(uses, most_unused=most_unused)
    left = [one for one in uses if one not in chosen]

    def is_enough(written: list[PackUse]) -> bool:
        gone = sum(one.dead_size for one in written)
        dead = sum(one.dead_size for one in uses) - gone
        return dead <= most_unused * (sum(one.size for one in uses) - gone)

    assert is_enough(chosen) or all(one.dead_share <= most_unused for one in left)
    assert not any(is_enough(chosen[:count]) for count in range(len(chosen)))
    assert all(one.dead_share > most_unused for one in chosen)
    assert min((one.dead_share for one in chosen), default=1.0) >= max((one.dead_share for one in left), default=0.0)
