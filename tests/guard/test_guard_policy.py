"""What an owner may ask of a backup, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from backupkit.guard.policy import ConsentFrom, GuardPolicy, Needs, PolicyRefused


def test_the_defaults_are_the_safe_ones() -> None:
    policy = GuardPolicy.from_mapping({})

    assert policy == GuardPolicy()
    assert policy.max_backup_age == timedelta(hours=24)
    assert policy.needs is Needs.VERIFIED


@pytest.mark.parametrize(("text", "age"), [("1m", 1), ("000002m", 2), ("24h", 1440), ("1d", 1440), ("30d", 43_200)])
def test_an_age_is_a_number_of_minutes_hours_or_days_up_to_the_bounds(text: str, age: int) -> None:
    assert GuardPolicy.from_mapping({"max-backup-age": text}).max_backup_age == timedelta(minutes=age)


def test_a_policy_survives_being_written_and_read() -> None:
    policy = GuardPolicy(
        timedelta(days=2), Needs.DRILLED, needs_second_copy=True, needs_challenge=True, consent_from=ConsentFrom.TOKEN
    )

    assert GuardPolicy.from_mapping(policy.to_mapping()) == policy


@pytest.mark.parametrize(
    ("settings", "setting", "reason"),
    [
        ({"max-backup-ago": "24h"}, "max-backup-ago", "unknown-setting"),
        ({"when-unsure": "allow"}, "when-unsure", "unsafe"),
        ({"max-backup-age": 24}, "max-backup-age", "wrong-type"),
        ({"max-backup-age": "24"}, "max-backup-age", "unknown-value"),
        ({"max-backup-age": "-1h"}, "max-backup-age", "unknown-value"),
        ({"max-backup-age": "٢h"}, "max-backup-age", "unknown-value"),
        ({"max-backup-age": "0h"}, "max-backup-age", "out-of-range"),
        ({"max-backup-age": "31d"}, "max-backup-age", "out-of-range"),
        ({"max-backup-age": "0000001h"}, "max-backup-age", "unknown-value"),
        ({"needs": "saved"}, "needs", "unknown-value"),
        ({"needs": ["verified"]}, "needs", "unknown-value"),
        ({"needs-second-copy": "yes"}, "needs-second-copy", "wrong-type"),
        ({"consent-from": "nobody"}, "consent-from", "unknown-value"),
    ],
)
def test_a_policy_that_is_wrong_or_unsafe_is_refused(settings: dict[str, Any], setting: str, reason: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        GuardPolicy.from_mapping(settings)

    assert refused.value.facts == {"setting": setting, "reason": reason}


@given(
    st.dictionaries(
        st.sampled_from(["max-backup-age", "needs", "when-unsure", "x"]),
        st.text("0123456789mhd-", max_size=4) | st.integers(),
    )
)
def test_no_settings_give_more_than_thirty_days(settings: dict[str, Any]) -> None:
    try:
        policy = GuardPolicy.from_mapping(settings)
    except PolicyRefused:
        return
    assert timedelta(minutes=1) <= policy.max_backup_age <= timedelta(days=30)
