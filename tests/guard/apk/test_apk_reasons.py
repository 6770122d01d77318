"""Reasons have one name each, a sentence in both languages, and their counterpart in Android's own tool."""

import pytest

from backupkit.errors import ExitCode
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason, apksig_issues
from backupkit.i18n import LANGUAGES, Language, messages


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_a_sentence(language: Language) -> None:
    assert [code for code in (*Reason, *Doubt) if f"package.{code}" not in messages(language)] == []


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("scheme", ["v1", "v2", "v3", "v3.1", None])
def test_every_reason_names_what_apksig_says(reason: Reason, scheme: str | None) -> None:
    apksig_has_no_such_rule = {Reason.PREFIXED, Reason.ENTRY_NAME_UNSAFE, Reason.TOO_MANY_ENTRIES}
    # It judges one package at a time.
    apksig_has_no_such_rule |= {Reason.BASE_MISSING, Reason.SPLIT_OF_ANOTHER_APP, Reason.SPLIT_VERSION_DIFFERS}
    apksig_has_no_such_rule |= {Reason.SPLIT_REPEATED, Reason.SPLIT_SIGNERS_DIFFER}

    assert bool(apksig_issues(reason, scheme)) == (reason not in apksig_has_no_such_rule)


def test_not_genuine_is_a_denial_and_doubt_is_none() -> None:
    refusal = PackageNotGenuine(Reason.UNSIGNED, scheme="v1").at(30)

    assert refusal.facts == {"reason": "unsigned", "scheme": "v1", "level": 30, "entry": None}
    assert (refusal.exit_code, PackageUndecided(Doubt.UNREADABLE).exit_code) == (ExitCode.DENY, ExitCode.UNDECIDED)
