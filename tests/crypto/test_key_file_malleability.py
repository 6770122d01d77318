"""Whatever is done to a key file, it gives one typed error or exactly the secret that was sealed."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from backupkit.codec.canonical import encode_canonical
from backupkit.codec.framing import Mark, frame
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.domains import DomainSecrets, open_domain, read_domain
from backupkit.crypto.failures import CannotUnlock, OpenFailed
from backupkit.crypto.key_file import read_key_file, write_key_file
from backupkit.crypto.keyring import Keyring, open_keyring, read_public
from backupkit.crypto.recipients import XWingIdentity
from backupkit.crypto.slots import (
    CHEAPEST,
    KdfRefused,
    decode_slot,
    make_passphrase_slot,
    make_recipient_slot,
    make_recovery_slot,
    open_with_identity,
    open_with_passphrase,
    open_with_recovery_code,
)
from backupkit.crypto.writer import WriterKeys, WriterState, decode_writer_state
from backupkit.errors import BackupkitError
from backupkit.ids import RepositoryId

CREATED = datetime(2018, 6, 1, 8, 30, tzinfo=UTC)
KEYRING, SECRET = Keyring.create()
DEVICE = XWingIdentity.generate()
DOMAIN = DomainSecrets.generate("wechat", "own-export")
RECOVERY_SLOT, CODE = make_recovery_slot(SECRET, "paper", created=CREATED)
WRITER = WriterState(
    RepositoryId(bytes(16)),
    "backupkit.local/store/x",
    WriterKeys.generate(),
    KEYRING.public.owner_key,
    KEYRING.public.root_recipient,
).with_domain(DOMAIN.id, DOMAIN.writer_keys())


@dataclass(frozen=True)
class KeyFile:
    mark: Mark
    data: bytes
    open: Callable[[bytes], object]
    sealed: object
    stride: int = 1


FILES = {
    "passphrase-slot": KeyFile(
        Mark.SLOT,
        make_passphrase_slot(SECRET, "horse", CHEAPEST, "laptop", created=CREATED).encode(),
        lambda data: open_with_passphrase([decode_slot(data)], "horse", allow_weak=True),
        SECRET,
    ),
    "recovery-slot": KeyFile(
        Mark.SLOT, RECOVERY_SLOT.encode(), lambda data: open_with_recovery_code([decode_slot(data)], CODE), SECRET
    ),
    "recipient-slot": KeyFile(
        Mark.SLOT,
        make_recipient_slot(SECRET, DEVICE.recipient, "phone", created=CREATED).encode(),
        lambda data: open_with_identity([decode_slot(data)], DEVICE),
        SECRET,
        stride=5,
    ),
    "keyring": KeyFile(Mark.KEYRING, KEYRING.seal(SECRET), lambda data: open_keyring(data, SECRET), KEYRING, stride=3),
    "domain": KeyFile(
        Mark.DOMAIN,
        DOMAIN.wrap(KEYRING.root.recipient, created=CREATED),
        lambda data: open_domain(data, KEYRING.root),
        DOMAIN,
        stride=9,
    ),
    "writer": KeyFile(Mark.WRITER, WRITER.encode(), decode_writer_state, WRITER),
}
ODDITIES: list[Any] = [None, True, -1, 2**53 - 1, "", [], {}]
every_file = pytest.mark.parametrize("name", FILES)


@every_file
def test_the_untouched_file_opens(name: str) -> None:
    assert FILES[name].open(FILES[name].data) == FILES[name].sealed


@every_file
def test_any_flipped_bit_is_found_without_a_key(name: str) -> None:
    file = FILES[name]
    read = {
        Mark.SLOT: decode_slot,
        Mark.KEYRING: read_public,
        Mark.DOMAIN: read_domain,
        Mark.WRITER: decode_writer_state,
    }

    for place in range(len(file.data)):
        changed = bytearray(file.data)
        changed[place] ^= 1 << place % 8
        with pytest.raises((MalformedObject, NewerFormat)):
            read[file.mark](bytes(changed))


@every_file
def test_any_cut_is_found(name: str) -> None:
    file = FILES[name]

    for size in range(0, len(file.data), 3):
        with pytest.raises(MalformedObject):
            file.open(file.data[:size])
    with pytest.raises(MalformedObject):
        file.open(file.data + b" ")


@pytest.mark.parametrize("name", [name for name in FILES if name != "writer"])
def test_a_field_changed_by_somebody_who_repairs_the_checksum_never_opens(name: str) -> None:
    file = FILES[name]
    fields = read_key_file(file.mark, file.data).unknown

    for changed in changes(fields, file.stride):
        forged = write_key_file(file.mark, changed)
        with pytest.raises((MalformedObject, OpenFailed, CannotUnlock, KdfRefused)):
            file.open(forged)


def changes(fields: dict[str, Any], stride: int) -> Iterator[dict[str, Any]]:
    """Every text one letter longer, every number one more, every `stride`th byte of every base64 value flipped."""
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from ({**fields, name: inner} for inner in changes(value, stride))
        elif isinstance(value, int):
            yield {**fields, name: value + 1}
        elif len(value) < 40:
            yield {**fields, name: value + "x"}
        else:
            data = base64.b64decode(value)
            for place in range(0, len(data), stride):
                changed = bytearray(data)
                changed[place] ^= 1 << place % 8
                yield {**fields, name: base64.b64encode(changed).decode()}


@every_file
def test_a_missing_field_or_a_field_of_another_type_is_one_typed_error(name: str) -> None:
    file = FILES[name]
    fields = read_key_file(file.mark, file.data).unknown

    for field in fields:
        without = {other: value for other, value in fields.items() if other != field}
        for forged in (without, *({**without, field: odd} for odd in ODDITIES)):
            try:
                opened = file.open(write_key_file(file.mark, forged))
            except BackupkitError:
                continue
            # A writer's state lies on its own machine and proves nothing; all else is bound to its seal.
            assert name == "writer"
            assert opened != file.sealed


@every_file
def test_another_spelling_of_the_same_json_is_refused(name: str) -> None:
    file = FILES[name]
    payload = file.data[12:]

    for spelled in (payload + b"\n", payload.replace(b":", b": ", 1), payload.replace(b'"v":1', b'"v":1,"v":1')):
        with pytest.raises(MalformedObject):
            file.open(frame(file.mark, spelled))


def test_base64_with_stray_bits_or_letters_is_refused() -> None:
    fields = read_key_file(Mark.SLOT, RECOVERY_SLOT.encode()).unknown
    commitment = fields["commitment"]
    assert isinstance(commitment, str)
    assert commitment.endswith("=")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stray = commitment[:-2] + letters[letters.index(commitment[-2]) ^ 1] + "="

    for odd in (stray, commitment[:-1], commitment + "=", "\n" + commitment, "钥" + commitment[1:], commitment[4:]):
        with pytest.raises(MalformedObject) as caught:
            decode_slot(write_key_file(Mark.SLOT, {**fields, "commitment": odd}))
        assert caught.value.facts == {"what": "slot", "reason": "field-commitment"}


@pytest.mark.parametrize("payload", [[], ["v"], "text", 1, None])
def test_json_that_is_no_object_is_refused(payload: Any) -> None:
    with pytest.raises(MalformedObject):
        decode_slot(frame(Mark.SLOT, encode_canonical(payload)))


@pytest.mark.parametrize(
    "moment", ["2018-06-01T08:30:60Z", "2018-06-01", "0018-06-01T08:30:00Z", "2018-13-01T08:30:00Z"]
)
def test_a_time_that_is_none_is_refused(moment: str) -> None:
    fields = read_key_file(Mark.SLOT, RECOVERY_SLOT.encode()).unknown

    with pytest.raises(MalformedObject) as caught:
        decode_slot(write_key_file(Mark.SLOT, {**fields, "created": moment}))

    assert caught.value.facts["reason"] == "field-created"


def test_a_newer_version_inside_the_file_says_so() -> None:
    fields = {**read_key_file(Mark.KEYRING, FILES["keyring"].data).unknown, "v": 2}
    from hashlib import sha256

    newer = frame(Mark.KEYRING, encode_canonical({**fields, "sum": sha256(encode_canonical(fields)).hexdigest()}))

    with pytest.raises(NewerFormat) as caught:
        read_public(newer)

    assert caught.value.facts == {"what": "keyring", "version": 2, "known": 1}


@given(st.sampled_from(sorted(FILES)), st.binary(max_size=200))
def test_any_bytes_at_all_give_a_typed_error(name: str, data: bytes) -> None:
    for bytes_ in (data, frame(FILES[name].mark, data)):
        with pytest.raises((MalformedObject, NewerFormat)):
            FILES[name].open(bytes_)
