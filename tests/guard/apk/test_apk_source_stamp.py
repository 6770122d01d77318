"""A shop's stamp is told and decides nothing."""

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from apk_factory import (
    AppKey,
    add_pair,
    build_apk,
    content_digest,
    make_key,
    make_lineage,
    make_zip,
    pairs,
    read_zip,
    sections,
    sequence,
    sign_v1,
    sign_v2,
    sign_v3,
    sized,
    u32,
    with_pairs,
)

from backupkit.guard.apk.package import read_package
from backupkit.guard.apk.source_stamp import StampIssue

MAKER, SHOP = make_key("ec", "A"), make_key("ec", "shop")
STAMP_BLOCK = 0x6DFF800D
TIME, LINEAGE = 0xE43C5946, 0x9D6303F7
Change = Callable[[bytes], bytes]


def unstamped(named: bytes | None = None) -> bytes:
    digest = hashlib.sha256(SHOP.certificate).digest() if named is None else named
    return build_apk(target_sdk=29, files={"stamp-cert-sha256": digest})


def pair(number: int, digest: bytes) -> bytes:
    return sized(u32(number) + sized(digest))


def stamp(signed: dict[int, bytes], attributes: list[tuple[int, bytes]] | None = None, key: AppKey = SHOP) -> bytes:
    """Write a stamp over each scheme's digests."""
    data = sized(key.certificate)
    data += sized(sequence([u32(scheme) + sized(signature(key, digests)) for scheme, digests in signed.items()]))
    if attributes is not None:
        field = sized(sequence([u32(number) + value for number, value in attributes]))
        data += sized(field) + sized(signature(key, field))
    return sized(data)


def signature(key: AppKey, data: bytes) -> bytes:
    return sequence([u32(key.algorithm) + sized(key.sign(data))])


def told(path: Path, apk: bytes) -> tuple[str, str | None]:
    file = path / "app.apk"
    file.write_bytes(apk)
    package = read_package(file)
    assert package.signing.digests == (MAKER.digest,)
    (finding,) = package.findings
    return finding.code, finding.detail


def with_stamp(attributes: list[tuple[int, bytes]] | None = None, change: Change = lambda data: data) -> bytes:
    apk = sign_v3(sign_v2(unstamped(), MAKER, names_v3=True), MAKER)
    digests = pair(1, content_digest(apk, "sha256"))
    return add_pair(apk, STAMP_BLOCK, change(stamp({2: digests, 3: digests}, attributes)))


def test_a_right_stamp_is_told_with_its_certificate(tmp_path: Path) -> None:
    now = (TIME, struct.pack("<Q", 1_700_000_000))
    history = (LINEAGE, make_lineage([make_key("ec", "old shop"), SHOP]).encode())

    for attributes in (None, [], [now, history, (0x99, b"?")]):
        assert told(tmp_path, with_stamp(attributes)) == ("apk-source-stamp-holds", SHOP.digest)


def test_a_stamp_over_a_jar_signature_is_over_its_manifest(tmp_path: Path) -> None:
    apk = sign_v1(unstamped(), MAKER)
    manifest = next(entry.data for entry in read_zip(apk) if entry.name == b"META-INF/MANIFEST.MF")
    right = stamp({1: pair(4, hashlib.sha256(manifest).digest())})

    # A signing block with nothing but the stamp in it signs nothing.
    assert told(tmp_path, add_pair(apk, STAMP_BLOCK, right)) == ("apk-source-stamp-holds", SHOP.digest)
    wrong = stamp({1: pair(4, bytes(32))})
    assert told(tmp_path, add_pair(apk, STAMP_BLOCK, wrong)) == ("apk-source-stamp-broken", StampIssue.DID_NOT_VERIFY)


def test_a_package_without_a_stamp_has_nothing_told_of_one(tmp_path: Path) -> None:
    path = tmp_path / "app.apk"
    path.write_bytes(sign_v2(build_apk(), MAKER))

    assert read_package(path).findings == ()


@pytest.mark.parametrize(("algorithm", "kind", "number"), [(0x0202, "sha512", 2), (0x0423, "verity", 3)])
def test_a_stamp_is_over_the_kind_of_digest_that_the_package_was_signed_with(
    tmp_path: Path, algorithm: int, kind: str, number: int
) -> None:
    entries = read_zip(build_apk(min_sdk=28, files={"stamp-cert-sha256": hashlib.sha256(SHOP.certificate).digest()}))
    entries[-1].extra = bytes(-sections(make_zip(entries))[0] % 4096)
    apk = sign_v3(make_zip(entries), MAKER, min_sdk=28, algorithms=[algorithm])
    right, wrong = (stamp({3: pair(one, content_digest(apk, kind))}) for one in (number, 1))

    stamped = [with_pairs(apk, [*pairs(apk), (STAMP_BLOCK, one)], align=True) for one in (right, wrong)]

    assert told(tmp_path, stamped[0]) == ("apk-source-stamp-holds", SHOP.digest)
    assert told(tmp_path, stamped[1]) == ("apk-source-stamp-broken", StampIssue.DID_NOT_VERIFY)


def test_algorithms_that_nobody_knows_are_passed_over_in_package_and_stamp(tmp_path: Path) -> None:
    apk = sign_v2(unstamped(), MAKER, algorithms=[MAKER.algorithm, 0x7777])
    digests = pair(1, content_digest(apk, "sha256"))
    both = sequence([u32(0x7777) + sized(b"?"), u32(SHOP.algorithm) + sized(SHOP.sign(digests))])
    value = sized(sized(SHOP.certificate) + sized(sequence([u32(2) + sized(both)])))

    assert told(tmp_path, add_pair(apk, STAMP_BLOCK, value)) == ("apk-source-stamp-holds", SHOP.digest)


def test_attributes_that_the_shop_did_not_sign_break_the_stamp(tmp_path: Path) -> None:
    """Nothing else says when the stamp was made and who made it before."""
    time = u32(TIME) + struct.pack("<Q", 1_700_000_000)

    def later(data: bytes) -> bytes:
        assert data.count(time) == 1
        return data.replace(time, u32(TIME) + struct.pack("<Q", 1_800_000_000))

    stamped = with_stamp([(TIME, time[4:])], change=later)

    assert told(tmp_path, stamped) == ("apk-source-stamp-broken", StampIssue.DID_NOT_VERIFY)


def test_of_a_longer_time_the_first_eight_bytes_count(tmp_path: Path) -> None:
    right, wrong = ((TIME, struct.pack("<qq", *numbers)) for numbers in ((1_700_000_000, -1), (-1, 1_700_000_000)))

    assert told(tmp_path, with_stamp([right])) == ("apk-source-stamp-holds", SHOP.digest)
    assert told(tmp_path, with_stamp([wrong])) == ("apk-source-stamp-broken", StampIssue.TIME_INVALID)


@pytest.mark.parametrize(
    ("attributes", "issue"),
    [
        ([(TIME, bytes([1] * 7))], StampIssue.ATTRIBUTE_MALFORMED),
        ([(TIME, u32(1))], StampIssue.ATTRIBUTE_MALFORMED),
        ([(TIME, bytes(8))], StampIssue.TIME_INVALID),
        ([(TIME, b"\xff" * 8)], StampIssue.TIME_INVALID),
        ([(LINEAGE, b"")], StampIssue.LINEAGE_INVALID),
        ([(LINEAGE, make_lineage([SHOP, MAKER]).encode())], StampIssue.LINEAGE_END_MISMATCH),
    ],
)
def test_a_wrong_attribute_breaks_the_stamp_only(
    tmp_path: Path, attributes: list[tuple[int, bytes]], issue: StampIssue
) -> None:
    assert told(tmp_path, with_stamp(attributes)) == ("apk-source-stamp-broken", issue)


@pytest.mark.parametrize(
    ("apk", "issue"),
    [
        (lambda: sign_v2(unstamped(), MAKER), StampIssue.SIGNATURE_MISSING),
        (lambda: add_pair(sign_v2(build_apk(), MAKER), STAMP_BLOCK, b""), StampIssue.ENTRY_MISSING),
        (lambda: add_pair(sign_v2(unstamped(b"x" * 5000), MAKER), STAMP_BLOCK, b""), StampIssue.ENTRY_MALFORMED),
        (lambda: add_pair(sign_v2(unstamped(), MAKER), STAMP_BLOCK, b"\1"), StampIssue.MALFORMED),
        (
            lambda: add_pair(sign_v2(unstamped(bytes(32)), MAKER), STAMP_BLOCK, stamp({})),
            StampIssue.CERTIFICATE_MISMATCH,
        ),
        (lambda: add_pair(sign_v2(unstamped(), MAKER), STAMP_BLOCK, stamp({3: b""})), StampIssue.SCHEME_NOT_SIGNED),
        (
            lambda: add_pair(
                sign_v2(unstamped(), MAKER),
                STAMP_BLOCK,
                sized(sized(SHOP.certificate) + sized(sequence([u32(2) + sized(b"")]))),
            ),
            StampIssue.NO_SUPPORTED_ALGORITHM,
        ),
    ],
)
def test_a_stamp_that_is_not_whole_is_told(tmp_path: Path, apk: Callable[[], bytes], issue: StampIssue) -> None:
    assert told(tmp_path, apk()) == ("apk-source-stamp-broken", issue)
