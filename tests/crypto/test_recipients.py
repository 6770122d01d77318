import pytest

from backupkit.crypto.failures import OpenFailed
from backupkit.crypto.recipients import PUBLIC_SIZE, WRAP_OVERHEAD, XWingIdentity, XWingRecipient
from backupkit.errors import ExitCode

IDENTITY = XWingIdentity(bytes(range(32)))


def test_what_is_wrapped_opens_with_the_identity_and_the_same_context() -> None:
    wrapped = IDENTITY.recipient.wrap(b"secret", b"pack")

    assert IDENTITY.unwrap(wrapped, b"pack") == b"secret"
    assert IDENTITY.unwrap(memoryview(wrapped), b"pack") == b"secret"
    assert len(wrapped) == len(b"secret") + WRAP_OVERHEAD


def test_nothing_else_opens_it() -> None:
    wrapped = IDENTITY.recipient.wrap(b"secret", b"pack")

    for identity, context in ((XWingIdentity.generate(), b"pack"), (IDENTITY, b"other")):
        with pytest.raises(OpenFailed) as caught:
            identity.unwrap(wrapped, context)
        assert caught.value.exit_code is ExitCode.DAMAGED


def test_a_wrap_with_a_byte_changed_or_cut_does_not_open() -> None:
    wrapped = IDENTITY.recipient.wrap(b"secret", b"pack")

    for place in range(0, len(wrapped), 7):
        changed = bytearray(wrapped)
        changed[place] ^= 1 << place % 8
        with pytest.raises(OpenFailed):
            IDENTITY.unwrap(bytes(changed), b"pack")
        with pytest.raises(OpenFailed):
            IDENTITY.unwrap(wrapped[:place], b"pack")


def test_the_seed_gives_the_public_key_of_the_published_vector() -> None:
    # draft-connolly-cfrg-xwing-kem, appendix C, first vector.
    identity = XWingIdentity(bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"))

    public = identity.recipient.public

    assert public.hex().startswith("e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5b19cfc3d")


@pytest.mark.parametrize("size", [0, PUBLIC_SIZE - 1, PUBLIC_SIZE + 1])
def test_a_public_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(OpenFailed):
        XWingRecipient(bytes(size))


def test_a_public_key_that_is_no_key_wraps_nothing() -> None:
    with pytest.raises(OpenFailed) as caught:
        XWingRecipient(b"\xff" * PUBLIC_SIZE).wrap(b"secret", b"pack")

    assert caught.value.facts == {"what": "recipient"}


def test_an_identity_does_not_print_its_seed() -> None:
    assert repr(IDENTITY.seed) not in repr(IDENTITY)
