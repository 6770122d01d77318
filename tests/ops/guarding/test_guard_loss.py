"""Numbers of a verdict: counted just now, or unknown. No decision turns on them."""

import itertools
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupkit.config.settings import SourceSettings
from backupkit.guard.outcome import Action, Outcome, SignerChange
from backupkit.guard.verdict import Decision, Judged, Loss, Verdict, undecided
from backupkit.ids import AppPackage
from backupkit.ops.guarding.guard_loss import with_loss
from backupkit.ops.guarding.loss import LossPreview
from backupkit.ops.places import Places

CHAT = AppPackage("org.example.chat")
HELD = Verdict(
    decision=Decision.HOLD,
    outcome=Outcome.WOULD_WIPE,
    reason="no-verified-backup",
    would_erase=True,
    judged=Judged(action=Action.UPGRADE, package=CHAT),
    loss=Loss(messages=7, bytes=100, newest=datetime(2026, 1, 1, tzinfo=UTC)),
)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
NOWHERE = Places(Path("/nonexistent/repository"), Path("/nonexistent/state"), Path("/nonexistent/cache"))
SOURCES = (SourceSettings("chat", Path("/nonexistent/chat"), None, CHAT),)


def never_ends(_places: Places, _package: str | None, _source: Path) -> LossPreview:
    for _ in itertools.count():
        pass
    raise AssertionError


def fails(_places: Places, _package: str | None, _source: Path) -> LossPreview:
    raise ZeroDivisionError


def may_not_be_asked(_places: Places, _package: str | None, _source: Path) -> LossPreview:
    pytest.fail("nothing was to be counted")


def test_a_count_that_takes_too_long_is_unknown_and_nothing_rings_later() -> None:
    before = signal.getsignal(signal.SIGALRM)

    answer = with_loss(HELD, NOWHERE, SOURCES, NOW, within=timedelta(milliseconds=20), preview=never_ends)

    assert answer == HELD
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_count_that_fails_changes_nothing() -> None:
    assert with_loss(HELD, NOWHERE, SOURCES, NOW, preview=fails) == HELD


def test_an_app_without_a_source_or_a_repository_has_unknown_numbers() -> None:
    assert with_loss(HELD, NOWHERE, (), NOW) == HELD


def test_nothing_is_counted_where_nothing_would_be_erased() -> None:
    kept = Verdict(
        decision=Decision.ALLOW,
        outcome=Outcome.KEEPS_DATA,
        reason="signer-same",
        signer_change=SignerChange.SAME,
        would_erase=False,
        judged=Judged(package=CHAT),
    )
    for verdict in (kept, undecided("app-not-enrolled")):
        assert with_loss(verdict, NOWHERE, SOURCES, NOW, preview=may_not_be_asked) == verdict
