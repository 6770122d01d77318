import pytest

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.signing import SigningKey
from backupkit.proof.pins import Pins, decode_pins

PINS = Pins("backupkit.local/store/abc", SigningKey(b"\x01" * 32).verify_key, SigningKey(b"\x02" * 32).verify_key)


def test_pins_are_read_back() -> None:
    assert decode_pins(PINS.encode()) == PINS


def test_a_fingerprint_moves_with_every_key() -> None:
    swapped = Pins(PINS.origin, PINS.attest_key, PINS.log_key)

    assert len(PINS.fingerprint()) == 32
    assert swapped.fingerprint() != PINS.fingerprint()


def test_what_are_no_pins_is_refused() -> None:
    whole = PINS.encode()

    for data in (b"", b"[]", whole[:-1], whole.replace(b"logKey", b"logkey"), whole.replace(b'="', b'"')):
        with pytest.raises(MalformedObject):
            decode_pins(data)
    with pytest.raises(NewerFormat):
        decode_pins(whole.replace(b'"v":1', b'"v":2'))
