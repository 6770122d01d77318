from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from backupkit.clock import FixedClock, SystemClock, from_rfc3339, to_rfc3339

seconds = st.integers(31_536_000, 13_569_465_600).map(lambda since_1970: datetime.fromtimestamp(since_1970, UTC))


@given(seconds)
def test_a_time_is_written_and_read_back_to_the_second(moment: datetime) -> None:
    assert from_rfc3339(to_rfc3339(moment)) == moment


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    beijing = datetime(2018, 6, 1, 8, 30, 59, 999_999, tzinfo=timezone(timedelta(hours=8)))

    assert to_rfc3339(beijing) == "2018-06-01T00:30:59Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2018-06-01T08:30:00",
        "2018-06-01 08:30:00Z",
        "2018-06-01T08:30:00+00:00",
        "2018-13-01T08:30:00Z",
        "2018-02-30T08:30:00Z",
        "2018-06-01T08:30:61Z",
        "２018-06-01T08:30:00Z",
        "2018-06-01T08:30:00z",
        "0999-06-01T08:30:00Z",
    ],
)
def test_any_other_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        from_rfc3339(text)


def test_clocks_tell_utc_and_a_fixed_one_stands_still() -> None:
    moment = datetime(2018, 6, 1, tzinfo=UTC)

    assert SystemClock().now().tzinfo is UTC
    assert FixedClock(moment).now() == FixedClock(moment).now() == moment
