"""Consent is two different steps, or a token the owner signed, and only for one update."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backupkit.codec.canonical import encode_canonical
from backupkit.crypto.signing import SigningKey
from backupkit.guard.consent import (
    Consent,
    ConsentAnswers,
    ConsentBinding,
    ConsentBy,
    ConsentRefused,
    GivenConsent,
    NoVerdict,
    accept_answers,
    accept_token,
    asked_in,
    decode_given,
    name_to_type,
    sign_token,
)
from backupkit.i18n import LANGUAGES, Catalogue, Language
from backupkit.ids import AppPackage, SnapshotId

NOW = datetime(2018, 6, 1, 8, 30, tzinfo=UTC)
BINDING = ConsentBinding(
    AppPackage("com.tencent.mm"), "1" * 64, "2" * 64, SnapshotId("3" * 64), NOW + timedelta(hours=3)
)
OWNER = SigningKey(b"o" * 32)
OTHERS = [
    BINDING._replace(package=AppPackage("com.tencent.mobileqq")),
    BINDING._replace(old_sha256="4" * 64),
    BINDING._replace(new_sha256="4" * 64),
    BINDING._replace(snapshot=SnapshotId("4" * 64)),
    BINDING._replace(expires=NOW + timedelta(hours=4)),
]


def reason_of(call: pytest.ExceptionInfo[ConsentRefused]) -> object:
    return call.value.facts["reason"]


@pytest.mark.parametrize("typed", ["微信", " 微信 "])
def test_both_steps_taken_is_consent(typed: str) -> None:
    accept_answers(ConsentAnswers(BINDING.id, understood=True, typed=typed), BINDING, "微信", NOW)


def test_the_name_may_be_typed_in_any_case() -> None:
    accept_answers(ConsentAnswers(BINDING.id, understood=True, typed="wechat"), BINDING, "WeChat", NOW)


@pytest.mark.parametrize("typed", ["", "OK", "y", "微", "WeChat 2"])
def test_another_name_is_not_consent(typed: str) -> None:
    with pytest.raises(ConsentRefused) as refused:
        accept_answers(ConsentAnswers(BINDING.id, understood=True, typed=typed), BINDING, "WeChat", NOW)

    assert reason_of(refused) == "wrong-name"


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "\t\n", "\u3000", "\u200b", "We\u202eChat", "\x1b[2J", "Continue", " continue ", "继续", " 继续 ", "ｃｏｎｔｉｎｕｅ",
        "We\u17b4Chat", "We\u17b5Chat", "We\u180bChat", "We\u180fChat", "We\ufe00Chat", "We\U000e0100Chat", "We\U000e01efChat",
        "\u3164", "\u115f\u1160", "\u2800", "\xad", "We\xadChat", "\u034f", "\u0301", "We\ufe0fChat", ".", "…",
    ],
)  # fmt: skip
def test_a_name_that_nobody_has_to_type_is_not_asked_for(name: str) -> None:
    """A store that called an app " " had the second step answered by Enter."""
    assert name_to_type(name, None, "WeChat") == "WeChat"
    assert name_to_type(name) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_to_the_first_step_is_no_name_in_any_language(language: Language) -> None:
    assert name_to_type(Catalogue(language).say("guard.continue")) is None


@pytest.mark.parametrize(
    "name",
    [
        "微信",
        "X",
        "WhatsApp Messenger",
        "com.tencent.mm",
        "LINE: 聊天",
        "Ｗｅ",
        "카카오톡",
        "تلگرام",
        "1",
        "We\u1810Chat",
        "ក\u17b6",
    ],
)
def test_a_name_that_can_be_read_and_typed_is(name: str) -> None:
    assert name_to_type(name, "another") == name


def test_the_name_alone_is_not_consent() -> None:
    with pytest.raises(ConsentRefused) as refused:
        accept_answers(ConsentAnswers(BINDING.id, understood=False, typed="微信"), BINDING, "微信", NOW)

    assert reason_of(refused) == "first-step-missing"


@pytest.mark.parametrize("other", OTHERS)
def test_consent_to_another_update_is_not_consent_to_this(other: ConsentBinding) -> None:
    with pytest.raises(ConsentRefused) as by_person:
        accept_answers(ConsentAnswers(other.id, understood=True, typed="微信"), BINDING, "微信", NOW)
    with pytest.raises(ConsentRefused) as by_token:
        accept_token(sign_token(other, OWNER), BINDING, OWNER.verify_key, NOW)

    assert reason_of(by_person) == reason_of(by_token) == "another-update"


def test_consent_runs_out() -> None:
    later = BINDING.expires

    with pytest.raises(ConsentRefused) as by_person:
        accept_answers(ConsentAnswers(BINDING.id, understood=True, typed="微信"), BINDING, "微信", later)
    with pytest.raises(ConsentRefused) as by_token:
        accept_token(sign_token(BINDING, OWNER), BINDING, OWNER.verify_key, later)

    assert reason_of(by_person) == reason_of(by_token) == "expired"


def test_a_token_of_the_owner_is_consent() -> None:
    accept_token(sign_token(BINDING, OWNER), BINDING, OWNER.verify_key, NOW)


def test_a_token_of_somebody_else_is_not() -> None:
    with pytest.raises(ConsentRefused) as refused:
        accept_token(sign_token(BINDING, SigningKey(b"x" * 32)), BINDING, OWNER.verify_key, NOW)

    assert reason_of(refused) == "bad-signature"


def test_without_the_owners_key_no_token_counts() -> None:
    with pytest.raises(ConsentRefused) as refused:
        accept_token(sign_token(BINDING, OWNER), BINDING, None, NOW)

    assert reason_of(refused) == "no-owner-key"


def test_every_changed_byte_of_a_token_is_refused() -> None:
    token = sign_token(BINDING, OWNER)

    for place in range(len(token)):
        changed = bytes((*token[:place], token[place] ^ 1, *token[place + 1 :]))
        with pytest.raises(ConsentRefused):
            accept_token(changed, BINDING, OWNER.verify_key, NOW)


@pytest.mark.parametrize("token", [b"", b"[]", b"1", b"{}", b'{"signature":1}', b"\xff", b'{"signature":"00"}'])
def test_garbage_is_no_token(token: bytes) -> None:
    with pytest.raises(ConsentRefused):
        accept_token(token, BINDING, OWNER.verify_key, NOW)


def test_a_signature_made_for_something_else_is_no_token() -> None:
    claim = {"type": "consent-token", "v": 1, "binding": BINDING.to_json()}
    bare = encode_canonical({**claim, "signature": OWNER.sign(encode_canonical(claim)).hex()})

    with pytest.raises(ConsentRefused) as refused:
        accept_token(bare, BINDING, OWNER.verify_key, NOW)

    assert reason_of(refused) == "bad-signature"


def test_the_two_steps_are_worded_differently_and_the_second_asks_for_the_name() -> None:
    first, second = Consent(BINDING, "微信").to_json()["steps"]

    assert first["text"] != second["text"]
    assert second["answer"] == "微信"
    assert Consent(BINDING, "微信", ConsentBy.TOKEN).to_json()["by"] == "token"


GIVEN = GivenConsent(BINDING.id, NOW)


def test_consent_at_the_terminal_stands_for_an_hour_and_for_one_update() -> None:
    assert decode_given(GIVEN.encode()) == GIVEN
    assert GIVEN.counts_for(BINDING, NOW)
    assert GIVEN.counts_for(BINDING, NOW + timedelta(minutes=59))
    assert not GIVEN.counts_for(BINDING, NOW + timedelta(hours=1))
    assert not any(GIVEN.counts_for(other, NOW) for other in OTHERS)


def test_consent_at_the_terminal_ends_with_the_backup_and_never_begins_in_the_future() -> None:
    late = GivenConsent(BINDING.id, BINDING.expires - timedelta(minutes=1))

    assert not late.counts_for(BINDING, BINDING.expires)
    assert not late.counts_for(BINDING, NOW)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"nonsense", GIVEN.encode()[:-1], GIVEN.encode().replace(b'"v":1', b'"v":2'),
     GIVEN.encode().replace(b"2018", b"9999"), GIVEN.encode().replace(b"given-consent", b"verdict"), b"x" * 2000, b"1", GIVEN.encode().replace(b"2018-06", b"2018-16")],
)  # fmt: skip
def test_what_is_no_consent_of_the_terminal_is_refused(data: bytes) -> None:
    with pytest.raises(ConsentRefused) as refused:
        decode_given(data)
    assert reason_of(refused) == "malformed"


def verdict_with(**changes: Any) -> bytes:
    asked = {**Consent(BINDING, "WeChat").to_json(), **changes}
    return encode_canonical({"type": "verdict", "consent": asked})


def test_an_uninstallation_asks_for_consent_without_a_second_package() -> None:
    binding = BINDING._replace(new_sha256=None, old_sha256=None)
    spoken = encode_canonical({"type": "verdict", "consent": Consent(binding, "WeChat").to_json()})

    assert asked_in(spoken) == Consent(binding, "WeChat")


@pytest.mark.parametrize("name", ["old_sha256", "new_sha256", "package", "snapshot", "expires"])
def test_a_binding_with_something_else_than_text_is_malformed(name: str) -> None:
    with pytest.raises(NoVerdict) as refused:
        asked_in(verdict_with(binding={**BINDING.to_json(), name: 7}))

    assert refused.value.facts == {"reason": "malformed"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"id": "0" * 64}, "altered"), ({"app_name": " "}, "altered"), ({"app_name": 7}, "malformed")],
)
def test_a_consent_that_the_guard_did_not_ask_for_so_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(NoVerdict) as refused:
        asked_in(verdict_with(**changes))

    assert refused.value.facts == {"reason": reason}


def test_an_object_that_is_no_verdict_asks_for_nothing() -> None:
    with pytest.raises(NoVerdict) as refused:
        asked_in(verdict_with().replace(b'"verdict"', b'"package"'))

    assert refused.value.facts == {"reason": "malformed"}


@pytest.mark.parametrize(
    "spoken",
    [b"", b"nonsense", b"[]", b"1", b"{}", b'{"type":"verdict"}', b'{"consent":1,"type":"verdict"}',
     b'{"consent":{},"type":"verdict"}', b'{"consent":{"binding":1},"type":"verdict"}',
     verdict_with(binding={**BINDING.to_json(), "expires": "2018-16-01T08:30:00Z"})],
)  # fmt: skip
def test_what_is_no_verdict_at_all_is_refused_as_malformed(spoken: bytes) -> None:
    with pytest.raises(NoVerdict) as refused:
        asked_in(spoken)

    assert refused.value.facts == {"reason": "malformed"}


@pytest.mark.parametrize("changes", [{"type": "another"}, {"v": 2}])
def test_what_the_owner_signed_as_something_else_is_no_token(changes: dict[str, Any]) -> None:
    claim = {"type": "consent-token", "v": 1, "binding": BINDING.to_json(), **changes}
    signature = OWNER.sign(b"backupkit consent token v1\n" + encode_canonical(claim)).hex()

    with pytest.raises(ConsentRefused) as refused:
        accept_token(encode_canonical({**claim, "signature": signature}), BINDING, OWNER.verify_key, NOW)

    assert reason_of(refused) == "malformed"


def test_the_steps_are_the_first_and_the_second() -> None:
    assert [step["step"] for step in Consent(BINDING, "微信").to_json()["steps"]] == [1, 2]


def test_a_verdict_that_asks_for_no_consent_gets_none() -> None:
    with pytest.raises(ConsentRefused) as refused:
        asked_in(encode_canonical({"type": "verdict", "consent": None}))

    assert reason_of(refused) == "no-consent-asked"
