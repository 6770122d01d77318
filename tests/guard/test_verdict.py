"""The one object that shops rely on."""

import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from backupkit.guard.consent import Consent, ConsentBinding
from backupkit.guard.outcome import Outcome
from backupkit.guard.verdict import Coverage, Decision, Loss, UnjustifiedAllow, Verdict, undecided
from backupkit.hooks.protocol import undecided_line
from backupkit.ids import AppPackage, SnapshotId

NOON = datetime(2018, 6, 1, 12, tzinfo=UTC)
COVERAGE = Coverage(
    snapshot=SnapshotId("5a" * 32),
    verified_at=NOON,
    expires=NOON,
    checks=("every-byte-read",),
    messages=1,
    conversations=1,
    media=0,
    bytes=10,
    oldest=None,
    newest=None,
)
CONSENT = Consent(ConsentBinding(AppPackage("a.b"), None, None, COVERAGE.snapshot, NOON), "A")
HELD = Verdict(decision=Decision.HOLD, outcome=Outcome.WOULD_WIPE, reason="no-verified-backup")


def test_the_keys_come_in_the_order_of_the_contract() -> None:
    assert list(HELD.to_json()) == [
        "type", "v", "decision", "outcome", "install_result", "reason", "signer_change", "would_erase", "consent",
        "loss", "coverage", "candidate_sha256", "not_judged", "findings", "try", "exit_code",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("decision", "code"),
    [(Decision.HOLD, 40), (Decision.DENY, 41), (Decision.UNDECIDED, 42)],
)
def test_each_decision_has_its_exit_code(decision: Decision, code: int) -> None:
    assert HELD.but(decision=decision).to_json()["exit_code"] == code


def test_no_allow_can_be_built_that_nothing_justifies() -> None:
    for outcome, erases, coverage, consent in itertools.product(
        Outcome, (True, False), (None, COVERAGE), (None, CONSENT)
    ):
        keeps = outcome in {Outcome.KEEPS_DATA, Outcome.PARALLEL_APP} and not erases
        covered = outcome is Outcome.WOULD_WIPE and coverage is not None and consent is not None
        fields: dict[str, Any] = {"outcome": outcome, "would_erase": erases, "coverage": coverage, "consent": consent}
        if keeps or covered:
            assert HELD.but(decision=Decision.ALLOW, **fields).exit_code == 0
        else:
            with pytest.raises(UnjustifiedAllow):
                HELD.but(decision=Decision.ALLOW, **fields)
            with pytest.raises(UnjustifiedAllow):
                HELD._replace(decision=Decision.ALLOW, **fields)


def test_the_last_words_of_a_dying_hook_are_the_same_object() -> None:
    assert json.loads(undecided_line("timed-out")) == undecided("timed-out").to_json()
    assert list(json.loads(undecided_line("timed-out"))) == list(HELD.to_json())


def test_times_in_a_verdict_are_utc() -> None:
    assert Loss(newest=NOON).to_json()["newest"] == "2018-06-01T12:00:00Z"
    told = COVERAGE._replace(oldest=NOON.replace(year=2014), newest=NOON).to_json()
    assert (told["oldest"], told["newest"]) == ("2014-06-01T12:00:00Z", "2018-06-01T12:00:00Z")
    assert (COVERAGE.to_json()["oldest"], COVERAGE.to_json()["newest"]) == (None, None)
