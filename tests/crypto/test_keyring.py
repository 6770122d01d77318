from dataclasses import replace

import pytest

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import OpenFailed
from backupkit.crypto.keyring import Keyring, open_keyring, read_public
from backupkit.crypto.recipients import XWingIdentity


def test_a_keyring_opens_with_its_secret_and_only_with_it() -> None:
    keyring, secret = Keyring.create()
    file = keyring.seal(secret)

    assert open_keyring(file, secret) == keyring
    with pytest.raises(OpenFailed) as caught:
        open_keyring(file, bytes(32))
    assert caught.value.facts == {"what": "keyring"}


def test_the_public_half_needs_no_key() -> None:
    keyring, secret = Keyring.create()

    public = read_public(keyring.seal(secret))

    assert public == keyring.public
    public.owner_key.verify(keyring.owner.sign(b"config"), b"config", what="config")
    assert keyring.root.unwrap(public.root_recipient.wrap(b"domain", b"context"), b"context") == b"domain"


def test_two_keyrings_share_nothing() -> None:
    first, first_secret = Keyring.create()
    second, second_secret = Keyring.create()

    assert first_secret != second_secret
    assert first.public.owner_key != second.public.owner_key
    assert first.public.root_recipient != second.public.root_recipient


def test_fields_of_a_newer_backupkit_survive_reading_and_writing() -> None:
    keyring, secret = Keyring.create()
    newer = replace(keyring, epoch=3, unknown={"note": "x"}, unknown_sealed={"token": {"a": [1]}})

    again = open_keyring(newer.seal(secret), secret)

    assert again == newer
    assert open_keyring(again.seal(secret), secret) == newer


def test_a_public_half_that_was_exchanged_is_refused_even_by_who_holds_the_secret() -> None:
    keyring, secret = Keyring.create()
    exchanged = read_public(keyring.seal(secret))
    stranger = replace(keyring, root=XWingIdentity.generate())
    file, other = keyring.seal(secret), stranger.seal(secret)

    mixed = _with_field(file, "root_recipient", other)

    assert read_public(mixed).root_recipient == stranger.public.root_recipient != exchanged.root_recipient
    with pytest.raises(OpenFailed):
        open_keyring(mixed, secret)


def test_halves_that_do_not_fit_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring, secret = Keyring.create()
    lying = Keyring(0, keyring.owner, keyring.root)
    public = Keyring.create()[0].public
    monkeypatch.setattr(XWingIdentity, "recipient", property(lambda _: public.root_recipient))
    file = lying.seal(secret)
    monkeypatch.undo()

    with pytest.raises(MalformedObject) as caught:
        open_keyring(file, secret)

    assert caught.value.facts == {"what": "keyring", "reason": "halves-do-not-fit"}


def test_no_secret_is_in_what_a_keyring_prints() -> None:
    keyring, _ = Keyring.create()

    printed = repr(keyring)

    assert keyring.owner.seed.hex() not in printed
    assert repr(keyring.owner.seed) not in printed
    assert repr(keyring.root.seed) not in printed


def _with_field(file: bytes, name: str, other: bytes) -> bytes:
    from backupkit.codec.framing import Mark
    from backupkit.crypto.key_file import read_key_file, write_key_file

    return write_key_file(
        Mark.KEYRING,
        {**read_key_file(Mark.KEYRING, file).unknown, name: read_key_file(Mark.KEYRING, other).unknown[name]},
    )
