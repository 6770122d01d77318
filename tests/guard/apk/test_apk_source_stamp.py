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
    read_zip,
    sequence,
    sign_v1,
    sign_v2,
    sign_v3,
    sized,
    u32,
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


@pytest.mark.parametrize(
    ("attributes", "issue"),
    [
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
