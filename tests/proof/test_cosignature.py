from datetime import UTC, datetime, timedelta

import pytest

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SigningKey
from backupkit.proof.checkpoint import Checkpoint, sign_checkpoint, verify_checkpoint
from backupkit.proof.cosignature import COSIGNATURE, cosign, verify_cosignature
from backupkit.proof.note import SignatureLine, key_id, read_note, sign_note

LOG, WITNESS = SigningKey(b"\x01" * 32), SigningKey(b"\x02" * 32)
ORIGIN, NAME = "backupkit.local/store/abc", "backupkit.local/guard/xyz"
HEAD = sign_checkpoint(Checkpoint(ORIGIN, 7, b"\x2a" * 32), LOG)
NOON = datetime(2018, 6, 1, 12, tzinfo=UTC)
COSIGNED = HEAD + cosign(HEAD, NAME, WITNESS, NOON).encode()


def test_a_cosigned_head_says_when_it_was_seen_and_is_still_the_logs_own() -> None:
    assert verify_cosignature(COSIGNED, NAME, WITNESS.verify_key) == NOON
    assert verify_checkpoint(COSIGNED, ORIGIN, LOG.verify_key).size == 7


def test_what_is_signed_is_what_the_specification_lays_out() -> None:
    text = read_note(HEAD).text
    (line,) = [line for line in read_note(COSIGNED).signatures if line.name == NAME]

    assert line.signature[:8] == int(NOON.timestamp()).to_bytes(8, "big")
    message = f"cosignature/v1\ntime {int(NOON.timestamp())}\n{text}".encode()
    WITNESS.verify_key.verify(line.signature[8:], message, what="test")


def test_the_latest_of_several_cosignatures_counts() -> None:
    later = cosign(HEAD, NAME, WITNESS, NOON + timedelta(hours=1)).encode()

    assert verify_cosignature(HEAD + later + COSIGNED[len(HEAD) :], NAME, WITNESS.verify_key) == NOON + timedelta(
        hours=1
    )


def test_a_cosignature_of_another_key_name_or_head_does_not_count() -> None:
    other_head = sign_checkpoint(Checkpoint(ORIGIN, 8, b"\x2a" * 32), LOG)

    for head, name, key in (
        (COSIGNED, NAME, LOG),
        (COSIGNED, NAME + "1", WITNESS),
        (HEAD, NAME, WITNESS),
        (other_head + COSIGNED[len(HEAD) :], NAME, WITNESS),
    ):
        with pytest.raises(SignatureInvalid):
            verify_cosignature(head, name, key.verify_key)


@pytest.mark.parametrize("raw", [b"\x00" * 72, b"\x01" * 71, (2**62).to_bytes(8, "big") + b"\x00" * 64])
def test_a_line_that_is_no_timestamped_signature_is_malformed(raw: bytes) -> None:
    line = SignatureLine(NAME, key_id(NAME, WITNESS.verify_key.public, kind=COSIGNATURE), raw)

    with pytest.raises(MalformedObject):
        verify_cosignature(HEAD + str(line).encode(), NAME, WITNESS.verify_key)


def test_only_heads_are_cosigned_and_only_under_a_name() -> None:
    with pytest.raises(MalformedObject):
        cosign(sign_note("no head\n", ORIGIN, LOG), NAME, WITNESS, NOON)
    with pytest.raises(ValueError):
        cosign(HEAD, "two words", WITNESS, NOON)
    with pytest.raises(ValueError):
        cosign(HEAD, NAME, WITNESS, datetime(1969, 1, 1, tzinfo=UTC))
