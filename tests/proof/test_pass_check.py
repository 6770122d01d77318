import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.codec.canonical import encode_canonical
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SigningKey
from backupkit.i18n import messages, placeholders
from backupkit.ids import AppPackage, CertificateDigest, SnapshotId
from backupkit.proof.checkpoint import Checkpoint, sign_checkpoint
from backupkit.proof.coverage_pass import (
    EVERY_BYTE_READ,
    KEYS_RECOVERABLE,
    MAX_OFFERS,
    MAX_PASS_BYTES,
    RESTORE_DRILL,
    SECOND_COPY,
    Check,
    CoveragePass,
    Covered,
    CoveredApp,
    LogHead,
    decode_coverage_pass,
    is_challenge,
    issue,
    proof_from,
    renew,
)
from backupkit.proof.dsse import sign_envelope
from backupkit.proof.merkle import leaf_hash, tree_root
from backupkit.proof.pass_check import CheckedPass, InstalledApp, PassPolicy, check_pass, claimed_origin
from backupkit.proof.pins import Pins
from backupkit.proof.refusals import (
    ClockWentBack,
    LogForked,
    LogProofMissing,
    LogRolledBack,
    LogUnknown,
    PassExpired,
    PassFromTheFuture,
    PassMalformed,
    PassPolicyNotMet,
    PassRefused,
    PassSignatureInvalid,
    PassTooOld,
    PassWrongApp,
    PassWrongChallenge,
    PassWrongSigner,
)
from backupkit.proof.statement import PAYLOAD_TYPE
from backupkit.proof.witness import WitnessState

LOG_KEY, ATTEST_KEY = SigningKey(b"\x11" * 32), SigningKey(b"\x12" * 32)
ORIGIN = "backupkit.local/store/abc"
PINS = Pins(ORIGIN, LOG_KEY.verify_key, ATTEST_KEY.verify_key)
NOON = datetime(2018, 6, 1, 12, tzinfo=UTC)
WECHAT = AppPackage("com.tencent.mm")
SIGNER, STRANGER = CertificateDigest("aa" * 32), CertificateDigest("bb" * 32)
INSTALLED = InstalledApp(WECHAT, frozenset({SIGNER}))
CHALLENGE = "c0" * 16
LEAVES = [leaf_hash(b"entry %d" % number) for number in range(12)]


def head_of(leaves: list[bytes], *, key: SigningKey = LOG_KEY, origin: str = ORIGIN) -> bytes:
    return sign_checkpoint(Checkpoint(origin, len(leaves), tree_root(leaves)), key)


def seen(leaves: list[bytes]) -> WitnessState:
    return WitnessState(ORIGIN, len(leaves), tree_root(leaves))


PASS = CoveragePass(
    verifier="backupkit/0.1.0",
    app=CoveredApp(WECHAT, (SIGNER,), 1300),
    snapshot=SnapshotId("5a" * 32),
    snapshot_root="6b" * 32,
    covered=Covered(
        messages=48_211,
        conversations=96,
        media=6_502,
        size_bytes=11_000_000_000,
        files=6_700,
        oldest_message_at=datetime(2012, 1, 30, tzinfo=UTC),
        newest_message_at=NOON - timedelta(hours=3),
        source_high_water="rowid:48211",
    ),
    checks=(
        Check(EVERY_BYTE_READ, "passed", "sealed"),
        Check(KEYS_RECOVERABLE, "passed"),
        Check(SECOND_COPY, "not-done"),
    ),
    verified_at=NOON - timedelta(hours=2),
    time_created=NOON - timedelta(hours=1),
    expires=NOON + timedelta(hours=22),
    challenge=CHALLENGE,
    log=LogHead(ORIGIN, head_of(LEAVES), (proof_from(LEAVES, 8), proof_from(LEAVES, 5))),
)


DAILY = PassPolicy()


class Question(NamedTuple):
    """What the hook asks with; each test changes one thing."""

    pins: Pins = PINS
    installed: InstalledApp | None = INSTALLED
    challenge: str | None = CHALLENGE
    now: datetime = NOON
    policy: PassPolicy = DAILY
    witness: WitnessState | None = None

    def about(self, data: bytes) -> CheckedPass:
        return check_pass(
            data,
            pins=self.pins,
            installed=self.installed,
            challenge=self.challenge,
            now=self.now,
            policy=self.policy,
            witness=self.witness,
        )


QUESTION = Question()
ISSUED = issue(PASS, ATTEST_KEY)


def signed(**predicate: Any) -> bytes:
    """A pass with fields of its predicate changed, signed by the right key."""
    statement = json.loads(PASS.encode())
    statement["predicate"].update(predicate)
    return sign_envelope(encode_canonical(statement), PAYLOAD_TYPE, [ATTEST_KEY])


def test_a_fresh_pass_counts_and_says_what_to_remember() -> None:
    checked = QUESTION.about(ISSUED)

    assert checked.coverage == PASS
    assert checked.witness == seen(LEAVES)
    assert checked.head.size == len(LEAVES)


def test_clocks_of_one_owner_may_stand_apart_a_little() -> None:
    asked = QUESTION._replace(witness=seen(LEAVES).noted(NOON + timedelta(minutes=5)))

    assert asked.about(ISSUED).witness.at == NOON + timedelta(minutes=5)


def test_a_pass_survives_being_written() -> None:
    assert decode_coverage_pass(PASS.encode()) == PASS

    bare = PASS._replace(
        app=CoveredApp(WECHAT),
        covered=Covered(None, None, None, 0, 0),
        challenge=None,
        checks=(),
        log=PASS.log._replace(consistency=()),
    )
    assert decode_coverage_pass(bare.encode()) == bare
    assert json.loads(bare.encode())["predicate"]["log"]["consistency"] is None


@pytest.mark.parametrize(
    ("question", "data", "refusal"),
    [
        (QUESTION, b"not a pass", PassMalformed),
        (QUESTION, ISSUED + b" " * MAX_PASS_BYTES, PassMalformed),
        (QUESTION, signed(checks="all"), PassMalformed),
        (QUESTION, signed(expires="2018-05-01T00:00:00Z"), PassMalformed),
        (QUESTION, signed(challenge="c0"), PassMalformed),
        (QUESTION, signed(challenge="C0" * 16), PassMalformed),
        (QUESTION, sign_envelope(PASS.encode(), "text/plain", [ATTEST_KEY]), PassMalformed),
        (QUESTION, issue(PASS, LOG_KEY), PassSignatureInvalid),
        (QUESTION._replace(challenge="c1" * 16), ISSUED, PassWrongChallenge),
        (QUESTION, issue(PASS._replace(challenge=None), ATTEST_KEY), PassWrongChallenge),
        (QUESTION._replace(now=PASS.expires), ISSUED, PassExpired),
        (QUESTION._replace(policy=PassPolicy(max_age=timedelta(minutes=90))), ISSUED, PassTooOld),
        (QUESTION._replace(now=NOON - timedelta(hours=1, minutes=6)), ISSUED, PassFromTheFuture),
        (QUESTION._replace(installed=INSTALLED._replace(package=AppPackage("com.tencent.MM"))), ISSUED, PassWrongApp),
        (QUESTION._replace(installed=INSTALLED._replace(signers=frozenset({STRANGER}))), ISSUED, PassWrongSigner),
        (QUESTION._replace(installed=INSTALLED._replace(signers=frozenset())), ISSUED, PassWrongSigner),
        (QUESTION._replace(installed=InstalledApp(WECHAT, frozenset({SIGNER, STRANGER}))), ISSUED, PassWrongSigner),
        (QUESTION._replace(pins=PINS._replace(origin="backupkit.local/store/x")), ISSUED, LogUnknown),
        (QUESTION._replace(pins=PINS._replace(log_key=ATTEST_KEY.verify_key)), ISSUED, LogUnknown),
        (QUESTION._replace(witness=WitnessState("other", 3, b"\x00" * 32)), ISSUED, LogUnknown),
        (QUESTION._replace(witness=seen([*LEAVES, LEAVES[0]])), ISSUED, LogRolledBack),
        (QUESTION._replace(witness=seen([*LEAVES[:11], LEAVES[0]])), ISSUED, LogForked),
        (QUESTION._replace(witness=seen([*LEAVES[:7], LEAVES[0]])), ISSUED, LogForked),
        (QUESTION._replace(witness=seen(LEAVES[:7])), ISSUED, LogProofMissing),
        (QUESTION._replace(witness=seen(LEAVES).noted(NOON + timedelta(minutes=6))), ISSUED, ClockWentBack),
        # A newer head does not make the clock right: passes that still hold are issued again whenever the log grows.
        (QUESTION._replace(witness=seen(LEAVES[:8]).noted(NOON + timedelta(minutes=6))), ISSUED, ClockWentBack),
        (QUESTION._replace(policy=PassPolicy(needs="drilled")), ISSUED, PassPolicyNotMet),
        (QUESTION._replace(policy=PassPolicy(required_checks=frozenset({SECOND_COPY}))), ISSUED, PassPolicyNotMet),
    ],
)
def test_each_thing_that_is_wrong_has_its_own_refusal(
    question: Question, data: bytes, refusal: type[PassRefused]
) -> None:
    with pytest.raises(PassRefused) as refused:
        question.about(data)

    assert type(refused.value) is refusal
    assert refused.value.reason == refusal.code
    for part in ("what", "why", "try"):
        assert placeholders(messages("en")[f"error.{refusal.code}.{part}"]) <= set(refused.value.facts)


@pytest.mark.parametrize(
    ("question", "data"),
    [
        # As old as the policy allows, to the second; the limit of the default is a day.
        (
            QUESTION._replace(now=PASS.verified_at + timedelta(hours=24)),
            issue(PASS._replace(expires=NOON + timedelta(days=9)), ATTEST_KEY),
        ),
        (QUESTION._replace(policy=PassPolicy(max_age=timedelta(hours=2))), ISSUED),
        (QUESTION._replace(now=PASS.expires - timedelta(seconds=1)), ISSUED),
        # As far ahead as two clocks may stand apart.
        (QUESTION._replace(now=PASS.time_created - timedelta(minutes=5)), ISSUED),
        (QUESTION._replace(policy=PassPolicy(needs_signer=True)), ISSUED),
    ],
)
def test_a_pass_counts_up_to_the_last_moment_of_every_bound(question: Question, data: bytes) -> None:
    assert question.about(data).witness == seen(LEAVES)


@pytest.mark.parametrize(
    ("limit", "told"), [(timedelta(hours=1), 1), (timedelta(minutes=90), 1.5), (timedelta(minutes=100), 1.7)]
)
def test_a_pass_that_is_too_old_is_refused_with_the_policys_limit(limit: timedelta, told: float) -> None:
    with pytest.raises(PassTooOld) as refused:
        QUESTION._replace(policy=PassPolicy(max_age=limit)).about(ISSUED)

    assert refused.value.facts == {"verified_at": "2018-06-01T10:00:00Z", "limit_hours": told}
    assert isinstance(refused.value.facts["limit_hours"], type(told))


def test_a_day_and_a_second_are_too_old_unless_the_owner_said_otherwise() -> None:
    lasting = issue(PASS._replace(expires=NOON + timedelta(days=9)), ATTEST_KEY)

    with pytest.raises(PassTooOld):
        QUESTION._replace(now=PASS.verified_at + timedelta(hours=24, seconds=1)).about(lasting)


@pytest.mark.parametrize("text", ["", "no checkpoint", f"{ORIGIN}\n12\nAAAA\n\n"])
def test_a_well_signed_pass_with_a_head_that_is_none_is_malformed(text: str) -> None:
    log = {**json.loads(PASS.encode())["predicate"]["log"], "checkpoint": text}

    with pytest.raises(PassMalformed):
        QUESTION.about(signed(log=log))


def test_the_refusals_come_in_the_documented_order() -> None:
    """Everything is wrong at once; mended one after the other, the next refusal shows."""
    worst = PASS._replace(
        app=CoveredApp(AppPackage("org.other"), (STRANGER,)),
        challenge=None,
        checks=(),
        verified_at=NOON - timedelta(hours=30),
        time_created=NOON - timedelta(hours=30),
        expires=NOON,
        log=LogHead("other.example/log", head_of(LEAVES[:3], origin="other.example/log")),
    )
    question = QUESTION._replace(witness=seen(LEAVES))
    mending: list[tuple[type[PassRefused], Any]] = [
        (PassWrongChallenge, lambda it: it._replace(challenge=CHALLENGE)),
        (PassExpired, lambda it: it._replace(expires=NOON + timedelta(hours=1))),
        (PassTooOld, lambda it: it._replace(verified_at=NOON, time_created=NOON + timedelta(minutes=6))),
        (PassFromTheFuture, lambda it: it._replace(time_created=NOON + timedelta(minutes=4))),
        (PassWrongApp, lambda it: it._replace(app=CoveredApp(WECHAT, (STRANGER,)))),
        (PassWrongSigner, lambda it: it._replace(app=PASS.app)),
        (LogUnknown, lambda it: it._replace(log=LogHead(ORIGIN, head_of(LEAVES[:3])))),
        (LogRolledBack, lambda it: it._replace(log=LogHead(ORIGIN, head_of([*LEAVES[:11], LEAVES[0]])))),
        (LogForked, lambda it: it._replace(log=LogHead(ORIGIN, head_of(LEAVES)))),
        (PassPolicyNotMet, lambda it: it._replace(checks=PASS.checks)),
    ]

    for refusal, mend in mending:
        with pytest.raises(PassRefused) as refused:
            question.about(issue(worst, ATTEST_KEY))
        assert type(refused.value) is refusal
        worst = mend(worst)
    question.about(issue(worst, ATTEST_KEY))


@pytest.mark.parametrize("name", [EVERY_BYTE_READ, KEYS_RECOVERABLE])
@pytest.mark.parametrize("result", ["failed", "not-done"])
def test_no_policy_does_without_reading_every_byte_and_recoverable_keys(name: str, result: Any) -> None:
    checks = tuple(check._replace(result=result) if check.name == name else check for check in PASS.checks)

    with pytest.raises(PassPolicyNotMet) as refused:
        QUESTION.about(issue(PASS._replace(checks=checks), ATTEST_KEY))

    assert refused.value.facts == {"check": name}


def test_a_drilled_pass_meets_a_policy_that_asks_for_a_drill() -> None:
    drilled = PASS._replace(checks=(*PASS.checks, Check(RESTORE_DRILL, "passed")))

    QUESTION._replace(policy=PassPolicy(needs="drilled")).about(issue(drilled, ATTEST_KEY))


def test_a_pass_names_the_signers_of_all_android_levels_and_the_device_has_one_of_them() -> None:
    rotated = PASS._replace(app=PASS.app._replace(signers=(*PASS.app.signers, STRANGER)))

    assert QUESTION.about(issue(rotated, ATTEST_KEY)).coverage.app.signers == rotated.app.signers


def test_a_pass_that_knows_no_signer_covers_the_app_unless_the_policy_asks_for_one() -> None:
    unbound = issue(PASS._replace(app=CoveredApp(WECHAT)), ATTEST_KEY)

    assert QUESTION.about(unbound).coverage.app.signers == ()
    with pytest.raises(PassWrongSigner):
        QUESTION._replace(policy=PassPolicy(needs_signer=True)).about(unbound)


def test_who_asks_no_challenge_and_names_no_app_gets_an_answer() -> None:
    QUESTION._replace(challenge=None, installed=None).about(ISSUED)


def test_the_case_of_a_challenge_does_not_matter() -> None:
    QUESTION._replace(challenge=CHALLENGE.upper()).about(ISSUED)


@pytest.mark.parametrize("size", [0, 5, 8, 12])
def test_a_log_that_only_grew_is_followed_from_every_size_that_was_proved(size: int) -> None:
    checked = QUESTION._replace(witness=seen(LEAVES[:size])).about(ISSUED)

    assert checked.witness == seen(LEAVES)


def test_reordering_two_old_entries_is_a_fork() -> None:
    swapped = [LEAVES[1], LEAVES[0], *LEAVES[2:]]
    forged = PASS._replace(log=LogHead(ORIGIN, head_of(swapped), (proof_from(swapped, 8),)))

    with pytest.raises(LogForked):
        QUESTION._replace(witness=seen(LEAVES[:8])).about(issue(forged, ATTEST_KEY))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_log_that_was_forked_at_any_entry_is_noticed(data: st.DataObject) -> None:
    known = data.draw(st.integers(1, 11))
    forked = list(LEAVES)
    forked[data.draw(st.integers(0, known - 1))] = leaf_hash(b"another past")
    forged = PASS._replace(log=LogHead(ORIGIN, head_of(forked), (proof_from(forked, known),)))

    with pytest.raises(LogForked):
        QUESTION._replace(witness=seen(LEAVES[:known])).about(issue(forged, ATTEST_KEY))


def test_an_older_head_that_once_was_valid_is_a_rollback() -> None:
    older = PASS._replace(log=LogHead(ORIGIN, head_of(LEAVES[:11])))

    with pytest.raises(LogRolledBack) as refused:
        QUESTION._replace(witness=seen(LEAVES)).about(issue(older, ATTEST_KEY))

    assert refused.value.facts == {"seen": 12, "found": 11}


def test_every_changed_byte_gets_a_typed_answer_and_never_another_pass() -> None:
    for place in range(len(ISSUED)):
        data = bytearray(ISSUED)
        data[place] ^= 0x01 if place % 2 else 0x80
        try:
            checked = QUESTION.about(bytes(data))
        except (PassMalformed, PassSignatureInvalid):
            continue
        # The key hint decides nothing, so its name and value may change without a word.
        assert checked.coverage == PASS


def test_every_changed_byte_under_a_good_signature_gets_a_typed_answer() -> None:
    payload = PASS.encode()
    for place in range(len(payload)):
        data = bytearray(payload)
        data[place] ^= 0x01
        try:
            QUESTION.about(sign_envelope(bytes(data), PAYLOAD_TYPE, [ATTEST_KEY]))
        except PassRefused as refused:
            assert refused.reason.startswith(("pass-", "log-"))  # noqa: PT017 - either answer will do


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=500))
def test_random_bytes_are_malformed_and_never_a_crash(data: bytes) -> None:
    with pytest.raises(PassMalformed):
        QUESTION.about(data)
    with pytest.raises(PassMalformed):
        claimed_origin(data)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(json.loads(PASS.encode())["predicate"])),
    st.recursive(
        st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "from", "name"]), inner),
        max_leaves=6,
    ),
)
def test_any_json_in_any_field_gets_a_typed_answer(name: str, value: Any) -> None:
    try:
        QUESTION.about(signed(**{name: value}))
    except PassRefused as refused:
        assert refused.reason.startswith(("pass-", "log-"))  # noqa: PT017 - either answer will do


def test_a_pass_tells_which_pins_to_look_for() -> None:
    assert claimed_origin(ISSUED) == ORIGIN


@pytest.mark.parametrize(
    "broken",
    [
        PASS._replace(challenge="short"),
        PASS._replace(time_created=PASS.verified_at - timedelta(seconds=1)),
        PASS._replace(checks=PASS.checks * 2),
        PASS._replace(covered=PASS.covered._replace(source_high_water="")),
        PASS._replace(log=PASS.log._replace(origin="another.example/log")),
        PASS._replace(log=PASS.log._replace(consistency=(proof_from(LEAVES, 5),) * (MAX_OFFERS + 1))),
        PASS._replace(covered=PASS.covered._replace(messages=-1)),
    ],
)
def test_a_pass_that_would_be_refused_by_everyone_is_not_issued(broken: CoveragePass) -> None:
    with pytest.raises(ValueError):
        issue(broken, ATTEST_KEY)


def test_times_are_written_to_the_second() -> None:
    precise = PASS._replace(verified_at=PASS.verified_at + timedelta(milliseconds=5))

    assert QUESTION.about(issue(precise, ATTEST_KEY)).coverage == PASS


def test_a_pass_that_still_holds_is_issued_again_when_the_log_has_grown() -> None:
    """Two apps, one store: the guard saw the newer head in the other app's pass."""
    grown = [*LEAVES, leaf_hash(b"the other app's snapshot")]
    question = QUESTION._replace(witness=seen(grown))
    log = LogHead(ORIGIN, head_of(grown), (proof_from(grown, len(LEAVES)),))

    with pytest.raises(LogRolledBack):
        question.about(ISSUED)
    renewed = renew(ISSUED, ATTEST_KEY, log, at=NOON)

    assert renewed is not None
    assert question.about(renewed).coverage == PASS._replace(log=log, time_created=NOON)
    assert renew(ISSUED, ATTEST_KEY, log, at=PASS.expires) is None
    with pytest.raises(SignatureInvalid):
        renew(ISSUED, LOG_KEY, log, at=NOON)


def test_a_pass_that_is_issued_again_names_a_second_copy_of_its_own_snapshot_and_nothing_else() -> None:
    others = tuple(check for check in PASS.checks if check.name != SECOND_COPY)
    issued = issue(PASS._replace(checks=(*others, Check(SECOND_COPY, "not-done"))), ATTEST_KEY)

    def copied(*snapshots: SnapshotId) -> CoveragePass:
        renewed = renew(issued, ATTEST_KEY, PASS.log, at=NOON, copied=snapshots)
        assert renewed is not None
        return QUESTION.about(renewed).coverage

    assert copied().result_of(SECOND_COPY) == "not-done"
    assert copied(SnapshotId("0" * 64)).result_of(SECOND_COPY) == "not-done"
    assert copied(PASS.snapshot).checks == (*others, Check(SECOND_COPY, "passed"))
    assert copied(PASS.snapshot).expires == PASS.expires


def test_a_pass_that_is_larger_than_a_guard_reads_is_not_issued() -> None:
    many = tuple(Check(f"check-{number}-{'x' * 400}", "passed") for number in range(125))

    with pytest.raises(ValueError, match="read back"):
        issue(PASS._replace(checks=(*PASS.checks, *many)), ATTEST_KEY)


def test_the_largest_pass_fits_the_cap() -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(5000)]
    offers = tuple(proof_from(leaves, 4000 + 17 * number) for number in range(MAX_OFFERS))

    issued = issue(PASS._replace(log=LogHead(ORIGIN, head_of(leaves), offers)), ATTEST_KEY)

    assert len(issued) < MAX_PASS_BYTES


def test_a_challenge_is_sixteen_to_thirty_two_bytes() -> None:
    assert is_challenge("0a" * 16)
    assert is_challenge("0a" * 32)
    for text in ("", "0a" * 15, "0a" * 33, "0a" * 16 + "0", "0A" * 16, "zz" * 16):
        assert not is_challenge(text)
