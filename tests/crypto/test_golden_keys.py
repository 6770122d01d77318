"""Key files of format version 1 that must open for ever."""

import json
from pathlib import Path

import pytest

from backupkit.crypto.domains import open_domain
from backupkit.crypto.keyring import open_keyring
from backupkit.crypto.recipients import XWingIdentity
from backupkit.crypto.recovery import Language, RecoveryCode
from backupkit.crypto.slots import decode_slot, open_with_identity, open_with_passphrase, open_with_recovery_code
from backupkit.crypto.writer import decode_writer_state

FOLDER = Path(__file__).parents[1] / "vectors" / "keys"
FACTS = json.loads((FOLDER / "facts.json").read_text("utf-8"))


def golden(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def test_the_passphrase_slot_opens() -> None:
    slot = decode_slot(golden("slot-passphrase"))

    assert open_with_passphrase([slot], FACTS["passphrase"]).hex() == FACTS["secret"]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_recovery_slot_opens_with_the_words_of_either_language(language: Language) -> None:
    code = RecoveryCode.from_words(FACTS["recovery_words"][language])

    assert open_with_recovery_code([decode_slot(golden("slot-recovery-code"))], code).hex() == FACTS["secret"]
    assert code.fingerprint == FACTS["recovery_fingerprint"]


def test_the_recipient_slot_opens() -> None:
    identity = XWingIdentity(bytes.fromhex(FACTS["identity_seed"]))

    assert open_with_identity([decode_slot(golden("slot-recipient"))], identity).hex() == FACTS["secret"]


def test_the_keyring_and_the_domain_open() -> None:
    keyring = open_keyring(golden("keyring"), bytes.fromhex(FACTS["secret"]))
    domain = open_domain(golden("domain"), keyring.root)

    assert (keyring.owner.seed.hex(), keyring.root.seed.hex()) == (FACTS["owner_seed"], FACTS["root_seed"])
    assert (domain.id.hex(), domain.id_key.hex(), domain.index_key.hex(), domain.identity.seed.hex()) == (
        FACTS["domain"],
        FACTS["id_key"],
        FACTS["index_key"],
        FACTS["domain_identity_seed"],
    )
    assert (domain.label.account, domain.label.basis) == ("wechat", "own-export")


def test_the_writers_state_is_read() -> None:
    state = decode_writer_state(golden("writer"))

    assert (state.writer.seed.hex(), state.writer.id) == (FACTS["writer_seed"], FACTS["writer_id"])
    assert [domain.hex() for domain in state.domains] == [FACTS["domain"]]
    assert state.owner_key == open_keyring(golden("keyring"), bytes.fromhex(FACTS["secret"])).owner.verify_key


@pytest.mark.parametrize("name", ["slot-passphrase", "slot-recovery-code", "slot-recipient"])
def test_a_slot_is_written_as_it_was_read(name: str) -> None:
    assert decode_slot(golden(name)).encode() == golden(name)


def test_the_writers_state_is_written_as_it_was_read() -> None:
    assert decode_writer_state(golden("writer")).encode() == golden("writer")
