"""What is said to people: the verdict first, the loss as a number, and never the words of 2018."""

import ast
import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import backupkit
from backupkit.guard.candidate_rules import CANDIDATE_RULES
from backupkit.guard.consent import Consent, ConsentBinding
from backupkit.guard.device_rules import KEEPS_REASON
from backupkit.guard.outcome import Outcome, SignerChange
from backupkit.guard.update_rules import UPDATE_RULES
from backupkit.guard.verdict import Coverage, Decision, Judged, Loss, Verdict, undecided
from backupkit.guard.wording import Sentence, wording
from backupkit.i18n import LANGUAGES, Catalogue, Language, messages, placeholders
from backupkit.ids import AppPackage, SnapshotId
from backupkit.proof import refusals

NOON = datetime(2018, 6, 1, 12, tzinfo=UTC)
WECHAT = AppPackage("com.tencent.mm")
COVERAGE = Coverage(
    snapshot=SnapshotId("5a" * 32),
    verified_at=NOON,
    expires=NOON.replace(day=2),
    checks=("every-byte-read",),
    messages=48_211,
    conversations=96,
    media=6_502,
    bytes=11_000_000_000,
    oldest=NOON.replace(year=2014),
    newest=NOON,
)
LOSSES = {
    "chats": Loss(
        messages=50_000,
        conversations=96,
        media=6_502,
        bytes=11_000_000_000,
        oldest=NOON.replace(year=2014),
        newest=NOON,
        not_in_backup=1_789,
    ),
    "messages": Loss(messages=50_000),
    "bytes": Loss(bytes=11_000_000_000),
    "uncounted": None,
}
VARIANTS = tuple(LOSSES)
HELD = Verdict(
    decision=Decision.HOLD,
    outcome=Outcome.WOULD_WIPE,
    reason="no-verified-backup",
    install_result=-7,
    signer_change=SignerChange.REPLACED,
    judged=Judged(package=WECHAT, app_name="微信"),
    facts={"cause": "different-signer"},
)
CONSENT = Consent(ConsentBinding(WECHAT, "1" * 64, "2" * 64, COVERAGE.snapshot, COVERAGE.expires), "微信")
COVERED = HELD.but(decision=Decision.ALLOW, reason="backup-covers", coverage=COVERAGE, consent=CONSENT)
# The first line is for people who do not know these words.
JARGON = re.compile(r"signature|certificate|lineage|hash|\bSDK\b|\bAPK\b|签名|证书|哈希|谱系", re.IGNORECASE)


def said(verdict: Verdict, language: Language) -> list[str]:
    catalogue = Catalogue(language, UTC)
    chosen = wording(verdict)
    sentences = [chosen.headline, chosen.what, chosen.why, *chosen.more, chosen.advice, *chosen.steps]
    return [catalogue.say(sentence.key, **sentence.facts) for sentence in sentences]


def reasons_in_the_code() -> Iterator[str]:
    """Every reason that is written down in the guard or the hook, found by reading the code."""
    house = Path(backupkit.__file__).parent
    for path in itertools.chain((house / "guard").glob("*.py"), (house / "hooks").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
                continue
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if called in {"Unanswerable", "undecided", "undecided_line", "_unknown", "_usable", "but"}:
                given = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "reason")]
                yield from (str(value.value) for value in given if isinstance(value, ast.Constant))
    yield from (rule.reason for rule in (*CANDIDATE_RULES, *UPDATE_RULES))
    yield from (*KEEPS_REASON.values(), "signer-in-key-set")
    yield from ("another-app", "no-verified-backup", "package-not-genuine", "uninstall", "update-instead")
    yield from ("removes-another-app", "reinstall-fails", "fact-missing", "record-conflict", "package-undecided")
    yield from (
        kind.code
        for kind in vars(refusals).values()
        if isinstance(kind, type) and issubclass(kind, refusals.PassRefused) and kind is not refusals.PassRefused
    )


REASONS = sorted(set(reasons_in_the_code()))


def test_the_reasons_were_found() -> None:
    assert len(REASONS) > 50
    assert {"timed-out", "package-swapped", "log-forked", "different-signer", "backup-covers"} <= set(REASONS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_says_what_why_and_one_thing_to_do(language: Language) -> None:
    known = messages(language)

    assert [
        f"reason.{reason}.{part}"
        for reason in REASONS
        for part in ("what", "why", "try")
        if f"reason.{reason}.{part}" not in known
    ] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_outcome_and_variant_has_its_headline(language: Language) -> None:
    known = messages(language)
    keys = [f"headline.would-wipe.{decision}.{variant}" for decision in ("hold", "allow") for variant in VARIANTS]
    keys += [f"headline.would-wipe.saved.{variant}" for variant in VARIANTS if variant != "uncounted"]
    keys += [f"headline.would-wipe.unconsented.{variant}" for variant in VARIANTS]
    keys += [f"consent.first.{variant}" for variant in VARIANTS]
    keys += [f"headline.{outcome.value}" for outcome in Outcome if outcome is not Outcome.WOULD_WIPE]
    keys += [f"verdict.{decision.value}" for decision in Decision]

    assert [key for key in keys if key not in known] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("verdict", [HELD, COVERED], ids=["hold", "allow"])
def test_a_loss_is_said_with_a_number_and_nothing_is_left_unfilled(
    verdict: Verdict, variant: str, language: Language
) -> None:
    sentences = said(verdict.but(loss=LOSSES[variant]), language)

    # Where nobody counted, "all" is the true number; a 0 would read as if there were nothing to lose.
    assert re.search(r"\b(all|none)\b|全部" if variant == "uncounted" else r"\d", sentences[0])
    assert not [sentence for sentence in sentences if "{" in sentence]
    assert not [sentence for sentence in sentences if messages(language)["word.unknown"] in sentence]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("verdict", [HELD, COVERED], ids=["hold", "allow"])
def test_a_size_that_nobody_measured_is_left_out(verdict: Verdict, language: Language) -> None:
    sentences = said(verdict.but(loss=Loss(messages=1_200, conversations=4, not_in_backup=7)), language)

    assert "1,200" in sentences[0]
    assert not [sentence for sentence in sentences if messages(language)["word.unknown"] in sentence]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_line_is_the_verdict_and_has_no_jargon(language: Language) -> None:
    first_words = {
        "en": ("Go ahead", "Stopped", "Your decision"),
        "zh-CN": ("可以", "已停止", "由您决定"),
    }[language]

    for key, sentence in messages(language).items():
        if key.startswith("headline."):
            assert sentence.startswith(first_words), key
        if key.startswith(("headline.", "consent.")):
            assert not JARGON.search(sentence), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_two_steps_are_different_sentences_and_the_second_asks_for_the_name(language: Language) -> None:
    steps = said(COVERED.but(loss=LOSSES["chats"]), language)[-2:]

    assert steps[0] != steps[1]
    assert "微信" in steps[1]
    assert re.search(r"\d", steps[0])


def test_a_hold_says_first_what_the_update_is_and_then_what_is_missing() -> None:
    chosen = wording(HELD.but(loss=LOSSES["chats"]))

    assert (chosen.what.key, chosen.why.key) == ("reason.different-signer.what", "reason.different-signer.why")
    assert [sentence.key for sentence in chosen.more] == [
        "reason.no-verified-backup.what", "reason.no-verified-backup.why", "loss.not-in-backup", "loss.span",
    ]  # fmt: skip
    assert chosen.advice.key == "reason.no-verified-backup.try"


def test_who_can_keep_the_chats_by_updating_is_told_so() -> None:
    held = HELD.but(facts={"cause": "update-instead"})

    assert wording(held).advice.key == "reason.update-instead.try"


def test_no_step_is_left_once_consent_was_given_or_the_update_is_held() -> None:
    assert wording(HELD.but(consent=CONSENT)).steps == ()
    assert wording(HELD).steps == ()


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_the_guard_says_is_what_was_said_in_2018(language: Language) -> None:
    forbidden = ("may lead to", "data loss", "are you sure", "可能导致", "数据丢失", "签名不一致", "是否确定")
    mine = [key for key in messages(language) if key.startswith(("reason.", "headline.", "verdict.", "consent."))]

    assert [key for key in mine if any(words in messages(language)[key].lower() for words in forbidden)] == []


def test_a_sentence_is_filled_only_with_facts_that_its_verdict_has() -> None:
    verdict = undecided("package-swapped", Judged(package=WECHAT), {"name": "wechat.apk"})
    chosen = wording(verdict)

    for sentence in (chosen.headline, chosen.what, chosen.why, chosen.advice):
        assert isinstance(sentence, Sentence)
        assert placeholders(messages("en")[sentence.key]) <= set(sentence.facts)


@pytest.mark.parametrize("change", list(SignerChange))
def test_a_rotation_has_its_own_headline(change: SignerChange) -> None:
    verdict = Verdict(
        decision=Decision.ALLOW,
        outcome=Outcome.KEEPS_DATA,
        reason="signer-same",
        signer_change=change,
        would_erase=False,
    )

    assert wording(verdict).headline.key.endswith("rotated") == (change is SignerChange.ROTATED)


def test_a_backup_that_holds_everything_and_does_not_count_is_not_called_complete() -> None:
    held = undecided("crashed").but(decision=Decision.HOLD, would_erase=True, loss=Loss(messages=5, not_in_backup=0))

    keys = {sentence.key for sentence in wording(held).more}

    assert "loss.in-backup.not-counting" in keys
    assert "loss.not-in-backup.none" in {sentence.key for sentence in wording(held.but(coverage=COVERAGE)).more}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("as_of", [None, datetime(2026, 11, 22, tzinfo=UTC)])
def test_that_nothing_is_missing_from_the_backup_is_not_said_with_a_number_of_what_is(
    language: Language, as_of: datetime | None
) -> None:
    """ "0 messages are not in the backup" is read as "not in the backup" by whoever is tired."""
    whole = undecided("crashed").but(
        would_erase=True, coverage=COVERAGE, loss=Loss(messages=5, not_in_backup=0, as_of=as_of)
    )

    (key, facts) = next((one.key, one.facts) for one in wording(whole).more if one.key.startswith("loss.not-in-backup"))

    said = Catalogue(language).say(key, **facts)
    assert " 0 " not in f" {said} "
    assert {"en": "every message", "zh-CN": "全部"}[language] in said.casefold()


@pytest.mark.parametrize(
    ("reason", "not_in_backup", "is_lost_for_good"),
    [
        ("no-verified-backup", None, True),
        ("no-verified-backup", 50_000, True),
        ("no-verified-backup", 0, False),
        ("pass-expired", 1_789, False),
        ("pass-expired", None, False),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_only_what_no_backup_holds_is_called_lost_for_good(
    reason: str, not_in_backup: int | None, is_lost_for_good: bool, language: Language
) -> None:
    """ "They cannot be brought back" stood above "a backup holds all messages" when its proof had ended."""
    verdict = HELD.but(reason=reason, loss=Loss(messages=50_000, not_in_backup=not_in_backup))

    headline = said(verdict, language)[0]

    assert ("brought back" in headline or "无法恢复" in headline) is is_lost_for_good
    assert "50,000" in headline


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_removal_is_not_called_an_installation(language: Language) -> None:
    removal = HELD.but(facts={"cause": "uninstall"}, loss=LOSSES["chats"])

    headline = said(removal, language)[0]

    assert "微信" in headline
    assert not re.search("install|安装", headline)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("variant", ["chats", "messages"])
def test_what_a_sealed_backup_holds_is_told_as_a_size_and_never_as_an_unknown_number(
    variant: str, language: Language
) -> None:
    sealed = COVERED.but(coverage=COVERAGE._replace(messages=None, conversations=None), loss=LOSSES[variant])

    first = said(sealed, language)[-2]

    assert "50,000" in first
    assert messages(language)["word.unknown"] not in first
    assert "11.0 GB" in first


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_program_that_waits_is_not_said_to_be_one_that_could_not_be_checked(language: Language) -> None:
    waits = Verdict(
        decision=Decision.HOLD, outcome=Outcome.UNKNOWN, reason="no-verified-backup", judged=Judged(app_name="wechat")
    )

    assert "wechat" in said(waits, language)[0]
    assert wording(waits).headline.key != wording(undecided("timed-out")).headline.key


def test_who_lets_only_a_signature_count_is_told_how_to_sign_and_not_to_answer_again() -> None:
    refused = HELD.but(reason="consent-refused", coverage=COVERAGE, consent=CONSENT)
    by_token = refused.but(facts={"cause": "different-signer", "detail": "token-needed"})
    by_person = refused.but(facts={"cause": "different-signer", "detail": "wrong-name"})

    for language in LANGUAGES:
        assert messages(language)[wording(by_token).advice.key].startswith("backupkit guard consent")
    assert wording(by_person).advice.key == "reason.consent-refused.try"


def test_one_hour_is_one_hour() -> None:
    old = HELD.but(reason="pass-too-old", facts={"verified_at": "2018-05-30T12:00:00Z", "limit_hours": 1})

    assert "1 hour." in said(old, "en")[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_replaced_the_app_is_told_how_to_say_so(language: Language) -> None:
    """The advice was to look at a list, which ends nothing: every question about the app stayed undecided."""
    advice = said(undecided("record-conflict", Judged(package=WECHAT)), language)[-1]

    assert "backupkit guard trust add" in advice


@pytest.mark.parametrize("variant", VARIANTS)
def test_as_many_numbers_are_said_as_are_known(variant: str) -> None:
    covered = COVERED.but(loss=LOSSES[variant])

    assert wording(HELD.but(loss=LOSSES[variant])).headline.key.endswith(f".{variant}")
    assert wording(covered).headline.key == f"headline.would-wipe.allow.{variant}"
    assert wording(covered).steps[0].key == f"consent.first.{variant}"


def test_what_was_passed_over_is_told() -> None:
    held = HELD.but(findings=("loss-hint-old",), loss=LOSSES["chats"])

    assert "finding.loss-hint-old" in {sentence.key for sentence in wording(held).more}
