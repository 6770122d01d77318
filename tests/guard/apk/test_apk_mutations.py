"""Any bytes at all: an answer or a typed refusal, in bounded time, and never somebody else's signature.

Longer runs: scripts/fuzz_guard.py.
"""

import random
import time
from functools import cache
from pathlib import Path

import pytest
from apk_factory import build_apk, make_key, make_lineage, sections, sign, sign_v1
from hypothesis import given, settings, strategies as st

from backupkit.guard.apk.certificates import read_certificate
from backupkit.guard.apk.package import Package, read_package
from backupkit.guard.apk.reasons import PackageNotGenuine, PackageUndecided

A, B = make_key("ec", "A"), make_key("rsa-1024", "B")
OUR_KEYS = {A.public_key_info, B.public_key_info}
MOST_SECONDS = 5.0


@cache
def seeds() -> tuple[bytes, ...]:
    apk = build_apk(min_sdk=21, target_sdk=29, files={"a.txt": b"hello" * 50})
    return (
        sign(apk, A),
        sign_v1(apk, B, signed_attributes=True),
        sign(apk, B, lineage=make_lineage([A, B]), rotation_min_sdk=33),
    )


def keys_of(package: Package) -> set[bytes]:
    """Return whose signature it is. In a JAR nothing signs the certificate beside the key, so that its bytes may differ.

    Then it is somebody else to Android too, and the change can only turn an update into none.
    """
    signings = [package.signing_at(level) for level in package.levels]
    return {read_certificate(signer).public_key_info for signing in signings for signer in signing.signers}


def answer(path: Path, data: bytes) -> Package | None:
    path.write_bytes(data)
    started = time.process_time()
    try:
        return read_package(path)
    except (PackageNotGenuine, PackageUndecided):
        return None
    finally:
        assert time.process_time() - started < MOST_SECONDS


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_damage_gives_a_refusal_or_the_same_signer(tmp_path: Path, seed: int) -> None:
    original, dice = seeds()[seed], random.Random(seed)
    for _ in range(400):
        data = bytearray(original)
        for _ in range(dice.choice([1, 1, 1, 2, 8])):
            at = dice.randrange(len(data))
            kind = dice.randrange(4)
            if kind == 0:
                data[at] ^= 1 << dice.randrange(8)
            elif kind == 1:
                data[at : at + 4] = dice.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\1\0\0\0"])
            elif kind == 2:
                del data[at : at + dice.randrange(1, 40)]
            else:
                data[at:at] = data[at : at + dice.randrange(1, 40)]
        package = answer(tmp_path / "app.apk", bytes(data))
        if package is not None:
            assert keys_of(package) <= OUR_KEYS


@settings(max_examples=150, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2))
def test_no_single_changed_byte_gives_another_signer(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, seed: int
) -> None:
    apk = bytearray(seeds()[seed])
    at = data.draw(st.integers(0, len(apk) - 1))
    apk[at] = data.draw(st.integers(0, 255))

    package = answer(tmp_path_factory.getbasetemp() / "changed.apk", bytes(apk))

    assert package is None or keys_of(package) <= OUR_KEYS


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2000), st.booleans())
def test_any_bytes_are_answered(tmp_path_factory: pytest.TempPathFactory, data: bytes, with_end: bool) -> None:
    end = b"PK\x05\x06" + bytes(4) + b"\1\0\1\0" + len(data).to_bytes(4, "little") + bytes(6)

    assert answer(tmp_path_factory.getbasetemp() / "any.apk", data + (end if with_end else b"")) is None


@pytest.mark.parametrize("seed", [0, 2])
def test_every_byte_outside_the_signing_block_is_covered_where_v2_is_in_force(tmp_path: Path, seed: int) -> None:
    apk, dice = seeds()[seed], random.Random(7)
    begin, directory, _ = sections(apk)
    for _ in range(150):
        at = dice.choice([dice.randrange(begin), dice.randrange(directory, len(apk))])
        data = bytearray(apk)
        data[at] ^= 1 << dice.randrange(8)
        path = tmp_path / "app.apk"
        path.write_bytes(data)

        with pytest.raises((PackageNotGenuine, PackageUndecided)):
            read_package(path, device_sdk=34)
