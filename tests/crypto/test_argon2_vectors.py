"""What the reference implementation of Argon2 gives, version 0x13 (its own test suite)."""

import pytest

from backupkit.crypto.slots import Argon2Profile


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (Argon2Profile(2, 65536, 1), "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"),
        (Argon2Profile(2, 256, 1), "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"),
        (Argon2Profile(2, 256, 2), "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"),
    ],
)
def test_a_profile_runs_argon2id_as_the_reference_does(profile: Argon2Profile, expected: str) -> None:
    assert profile.run(b"password", b"somesalt").hex() == expected
