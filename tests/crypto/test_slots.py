import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import CannotUnlock
from backupkit.crypto.recipients import XWingIdentity
from backupkit.crypto.recovery import RecoveryCode
from backupkit.crypto.slots import (
    CHEAPEST,
    RFC_9106_LOW_MEMORY,
    Argon2Profile,
    KdfRefused,
    PassphraseUnusable,
    Slot,
    decode_slot,
    make_passphrase_slot,
    make_recipient_slot,
    make_recovery_slot,
    open_with_identity,
    open_with_passphrase,
    open_with_recovery_code,
)
from backupkit.errors import ExitCode

SECRET = bytes(range(32))
CREATED = datetime(2018, 6, 1, 8, 30, tzinfo=UTC)


def passphrase_slot(passphrase: str = "correct horse", secret: bytes = SECRET) -> Slot:
    return make_passphrase_slot(secret, passphrase, CHEAPEST, "laptop", created=CREATED)


def test_a_passphrase_opens_its_slot_after_a_round_trip() -> None:
    slot = decode_slot(passphrase_slot().encode())

    assert open_with_passphrase([slot], "correct horse", allow_weak=True) == SECRET
    assert (slot.kind, slot.label, slot.created) == ("passphrase", "laptop", CREATED)


def test_the_default_profile_is_the_one_of_rfc_9106_and_opens_without_asking_for_weakness() -> None:
    slot = make_passphrase_slot(SECRET, "correct horse", created=CREATED)

    assert slot.argon2 == RFC_9106_LOW_MEMORY == Argon2Profile(passes=3, memory_kib=65536, lanes=4)
    assert open_with_passphrase([slot], "correct horse") == SECRET


def test_a_wrong_passphrase_cannot_unlock_and_says_what_was_tried() -> None:
    with pytest.raises(CannotUnlock) as caught:
        open_with_passphrase([passphrase_slot()], "wrong horse", allow_weak=True)

    assert caught.value.facts == {"kind": "passphrase"}
    assert caught.value.exit_code is ExitCode.CANNOT_UNLOCK


def test_each_passphrase_opens_the_same_secret() -> None:
    slots = [passphrase_slot("first"), passphrase_slot("second")]

    assert open_with_passphrase(slots, "second", allow_weak=True) == SECRET


@pytest.mark.parametrize(
    ("made_with", "typed"),
    [("café", "cafe\u0301"), ("pass 123", "ｐａｓｓ\u3000１２３"), ("我的妈妈", "我的妈妈")],
)
def test_a_passphrase_opens_however_the_keyboard_spells_it(made_with: str, typed: str) -> None:
    assert open_with_passphrase([passphrase_slot(made_with)], typed, allow_weak=True) == SECRET


@pytest.mark.parametrize(("passphrase", "reason"), [("", "empty"), ("长" * 5000, "too-long")])
def test_a_passphrase_that_is_empty_or_a_file_is_refused(passphrase: str, reason: str) -> None:
    with pytest.raises(PassphraseUnusable) as caught:
        passphrase_slot(passphrase)

    assert caught.value.facts == {"reason": reason}
    with pytest.raises(CannotUnlock):
        open_with_passphrase([passphrase_slot()], passphrase, allow_weak=True)


def test_a_passphrase_with_bytes_that_are_no_text_is_still_a_passphrase() -> None:
    typed = b"\xff\xfe key".decode("utf-8", "surrogateescape")

    assert open_with_passphrase([passphrase_slot(typed)], typed, allow_weak=True) == SECRET


def test_the_recovery_code_opens_its_slot_and_names_its_sheet() -> None:
    slot, code = make_recovery_slot(SECRET, "paper", created=CREATED)
    read = decode_slot(slot.encode())

    assert open_with_recovery_code([passphrase_slot(), read], code) == SECRET
    assert read.recovery_fingerprint == code.fingerprint
    assert passphrase_slot().recovery_fingerprint is None


def test_another_recovery_code_cannot_unlock() -> None:
    slot, _ = make_recovery_slot(SECRET, "paper", created=CREATED)

    with pytest.raises(CannotUnlock) as caught:
        open_with_recovery_code([slot], RecoveryCode.generate())

    assert caught.value.facts == {"kind": "recovery-code"}


def test_a_second_device_opens_the_slot_made_for_it_and_no_other_does() -> None:
    phone, stranger = XWingIdentity.generate(), XWingIdentity.generate()
    other = make_recipient_slot(SECRET, XWingIdentity.generate().recipient, "tablet", created=CREATED)
    slot = decode_slot(make_recipient_slot(SECRET, phone.recipient, "phone", created=CREATED).encode())

    assert open_with_identity([other, slot], phone) == SECRET
    assert slot.recipient == phone.recipient
    with pytest.raises(CannotUnlock) as caught:
        open_with_identity([other, slot], stranger)
    assert caught.value.facts == {"kind": "identity"}


def test_no_slot_at_all_cannot_unlock() -> None:
    with pytest.raises(CannotUnlock):
        open_with_passphrase([], "correct horse")


def with_params(slot: Slot, **params: int) -> Slot:
    return replace(slot, params={**slot.params, **params})


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"memory_kib": 2**53 - 1}, "memory-too-large"),
        ({"memory_kib": 1024 * 1024 + 1}, "memory-too-large"),
        ({"memory_kib": 19 * 1024 - 1}, "memory-too-small"),
        ({"memory_kib": 0}, "memory-too-small"),
        ({"passes": 0, "memory_kib": 65536}, "passes"),
        ({"passes": 2**53 - 1, "memory_kib": 65536}, "passes"),
        ({"lanes": 0, "memory_kib": 65536}, "lanes"),
        ({"lanes": 17, "memory_kib": 65536}, "lanes"),
    ],
)
def test_a_slot_that_asks_for_unsafe_work_is_read_and_never_worked_on(params: dict[str, int], reason: str) -> None:
    slot = decode_slot(with_params(passphrase_slot(), **params).encode())

    with pytest.raises(KdfRefused) as caught:
        open_with_passphrase([slot], "correct horse")

    assert caught.value.facts == {"slot": slot.id, "reason": reason}


def test_a_machine_with_too_little_memory_for_a_slot_says_so() -> None:
    program = """
import resource, sys
from dataclasses import replace
from backupkit.crypto.slots import KdfRefused, decode_slot, open_with_passphrase
slot = decode_slot(sys.stdin.buffer.read())
resource.setrlimit(resource.RLIMIT_AS, (512 * 2**20, 512 * 2**20))
try:
    open_with_passphrase([slot], "correct horse")
except KdfRefused as error:
    print(error.facts["reason"])
"""
    slot = with_params(passphrase_slot(), memory_kib=1024 * 1024)

    done = subprocess.run([sys.executable, "-c", program], input=slot.encode(), capture_output=True, check=True)

    assert done.stdout.decode().strip() == "not-enough-memory"


def test_the_floor_and_the_ceiling_themselves_are_allowed() -> None:
    assert Argon2Profile(2, 19 * 1024, 1).refusal() is None
    assert Argon2Profile(1, 1024 * 1024, 4).refusal() is None
    assert CHEAPEST.refusal() == "memory-too-small"
    assert CHEAPEST.refusal(allow_weak=True) is None


def test_a_planted_slot_does_not_keep_the_owner_out() -> None:
    giant = with_params(passphrase_slot(), memory_kib=2**40)
    damaged = replace(passphrase_slot(), wrapped=bytes(112))

    assert open_with_passphrase([giant, damaged, passphrase_slot()], "correct horse", allow_weak=True) == SECRET


def test_a_damaged_slot_is_told_from_a_wrong_passphrase() -> None:
    damaged = replace(passphrase_slot(), wrapped=bytes(112))

    with pytest.raises(MalformedObject) as caught:
        open_with_passphrase([damaged], "correct horse", allow_weak=True)
    assert caught.value.facts == {"what": "slot", "reason": "altered"}
    with pytest.raises(CannotUnlock):
        open_with_passphrase([damaged], "wrong horse", allow_weak=True)


def test_a_label_changed_by_somebody_else_is_noticed_when_the_slot_opens() -> None:
    relabelled = replace(passphrase_slot(), label="yours, honestly")

    with pytest.raises(MalformedObject):
        open_with_passphrase([decode_slot(relabelled.encode())], "correct horse", allow_weak=True)


def test_a_slot_whose_sealed_key_was_replaced_is_damaged() -> None:
    phone = XWingIdentity.generate()
    slot = make_recipient_slot(SECRET, phone.recipient, created=CREATED)
    other = make_recipient_slot(SECRET, XWingIdentity.generate().recipient, created=CREATED)
    mixed = replace(slot, params={**slot.params, "sealed_key": other.params["sealed_key"]})

    with pytest.raises(MalformedObject) as caught:
        open_with_identity([mixed], phone)

    assert caught.value.facts == {"what": "slot", "reason": "sealed-key"}


def test_a_slot_of_a_kind_from_the_future_is_kept_and_passed_over() -> None:
    future = replace(passphrase_slot(), kind="passkey", params={"challenge": "abc"})

    assert decode_slot(future.encode()) == future
    assert open_with_passphrase([future, passphrase_slot()], "correct horse", allow_weak=True) == SECRET


def test_fields_of_a_newer_backupkit_survive_reading_and_writing() -> None:
    slot = replace(passphrase_slot(), unknown={"hint": ["a", 1, None]})
    slot = replace(slot, params={**slot.params, "pepper": True})

    again = decode_slot(slot.encode())

    assert again == slot
    assert again.encode() == slot.encode()


def test_nothing_secret_is_in_what_a_slot_prints() -> None:
    slot, code = make_recovery_slot(SECRET, "paper", created=CREATED)

    printed = f"{slot!r} {code!r}"

    assert "wrapped" not in printed
    assert "entropy" not in printed


def test_a_label_is_made_printable() -> None:
    slot = make_passphrase_slot(SECRET, "x", CHEAPEST, "\x1b[31m" + "a" * 300, created=CREATED)

    assert slot.label.startswith("\\x1b[31maaa")
    assert len(slot.label) == 100
