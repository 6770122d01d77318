"""Differential tests of what decides nothing: source stamps and `.idsig` files, each asked of apksigner's library and of us.

Sound ones, and the same with bytes turned over, set, taken out and put in. Counts are printed with -s.
"""

import os
import random
from collections import Counter
from pathlib import Path

from apk_factory import (
    add_pair,
    build_apk,
    content_digest,
    make_idsig,
    make_key,
    make_lineage,
    sequence,
    sign,
    sign_v2,
    sign_v3,
    sized,
    u32,
)
from apksig import ApkSig

from backupkit.guard.apk.idsig import IdsigIssue, compare
from backupkit.guard.apk.package import read_package
from backupkit.guard.apk.source_stamp import StampIssue

A, B, SHOP = make_key("ec", "A"), make_key("rsa", "B"), make_key("rsa", "shop")
STAMP_BLOCK, LINEAGE = 0x6DFF800D, 0x9D6303F7
STAMPS, IDSIGS = 500, 200

STAMP_FAMILIES = {
    "SOURCE_STAMP_DID_NOT_VERIFY": {StampIssue.DID_NOT_VERIFY},
    "SOURCE_STAMP_VERIFY_EXCEPTION": {StampIssue.DID_NOT_VERIFY},
    "SOURCE_STAMP_MALFORMED_SIGNATURE": {StampIssue.MALFORMED},
    "SOURCE_STAMP_CERTIFICATE_MISMATCH_BETWEEN_SIGNATURE_BLOCK_AND_APK": {StampIssue.CERTIFICATE_MISMATCH},
    # A certificate that nobody can read is not the one that the entry names, either: we look at that first.
    "SOURCE_STAMP_MALFORMED_CERTIFICATE": {StampIssue.CERTIFICATE_MISMATCH},
    "SOURCE_STAMP_NO_SIGNATURE": {StampIssue.SCHEME_NOT_SIGNED, StampIssue.NO_SUPPORTED_ALGORITHM},
    "SOURCE_STAMP_UNKNOWN_SIG_ALGORITHM": {StampIssue.NO_SUPPORTED_ALGORITHM},
    "IllegalArgumentException": {StampIssue.MALFORMED},
}
"""What apksig calls it, or the exception that it ends in, and what we call it."""


def bent(data: bytes, dice: random.Random) -> bytes:
    """Return the bytes with one place changed."""
    at, changed = dice.randrange(len(data)), bytearray(data)
    match dice.randrange(4):
        case 0:
            changed[at] ^= 1 << dice.randrange(8)
        case 1:
            changed[at] = dice.choice([0, 1, 127, 255])
        case 2:
            del changed[at : at + dice.choice([1, 2, 4, 8])]
        case _:
            changed[at:at] = bytes(dice.choice([1, 4, 8]))
    return bytes(changed)


def is_cut_or_goes_on(idsig: bytes, sound: bytes) -> bool:
    """Whether an `.idsig` file announces more of a tree, which is one page in the sound one, than is there, or has something behind it."""
    tree = len(sound) - 4096
    announced = int.from_bytes(idsig[tree - 4 : tree], "little")
    return idsig[: tree - 4] == sound[: tree - 4] and (tree + announced > len(idsig) or idsig.startswith(sound))


def stamped() -> list[tuple[bytes, bytes]]:
    """Return a package without its stamp, and stamps that fit it, with more and more attributes."""
    entry = {"stamp-cert-sha256": bytes.fromhex(SHOP.digest)}
    apk = sign_v3(sign_v2(build_apk(target_sdk=29, files=entry), A, names_v3=True), A)
    digests = sized(u32(1) + sized(content_digest(apk, "sha256")))

    def signature(data: bytes) -> bytes:
        return sequence([u32(SHOP.algorithm) + sized(SHOP.sign(data))])

    stamp = sized(SHOP.certificate)
    stamp += sized(sequence([u32(scheme) + sized(signature(digests)) for scheme in (2, 3)]))
    history = u32(LINEAGE) + make_lineage([make_key("rsa", "old shop"), SHOP]).encode()
    fields = [sized(sequence(attributes)) for attributes in ([], [history])]
    return [(apk, sized(stamp + more)) for more in (b"", *(sized(field) + sized(signature(field)) for field in fields))]


def test_source_stamps_hold_where_they_hold_for_apksig_and_break_for_its_reasons(
    apksig: ApkSig, tmp_path: Path
) -> None:
    path, dice, counted = tmp_path / "a.apk", random.Random(5), Counter[str]()
    bases = stamped()
    for turn in range(STAMPS):
        apk, stamp = bases[turn % len(bases)]
        path.write_bytes(add_pair(apk, STAMP_BLOCK, stamp if turn < len(bases) else bent(stamp, dice)))
        opinion = apksig.ask_stamp(path)
        (finding,) = read_package(path).findings
        if opinion.is_genuine:
            assert finding.code == "apk-source-stamp-holds", turn
        elif opinion.issues == {"SOURCE_STAMP_UNKNOWN_ATTRIBUTE"}:
            # Later versions of apksig pass over what they do not know, as we do.
            assert finding.code == "apk-source-stamp-holds", turn
        else:
            assert finding.code == "apk-source-stamp-broken", turn
            assert finding.detail in set.union(*(STAMP_FAMILIES[issue] for issue in opinion.issues)), turn
        counted[" ".join(sorted(opinion.issues)) or "holds"] += 1
    print(f"\n{STAMPS} stamps: {dict(counted)}")  # noqa: T201  # what the report quotes
    assert counted["holds"] >= len(bases)


def test_idsig_files_belong_to_a_package_where_apksig_says_so(apksig: ApkSig, tmp_path: Path) -> None:
    path, idsig, dice = tmp_path / "a.apk", tmp_path / "a.apk.idsig", random.Random(6)
    bases = []
    for key in (A, B):
        for size in (8_000, 100_000):
            apk = sign(build_apk(files={"big": os.urandom(size)}), key)
            bases.append((apk, make_idsig(apk, key)))
    found = Counter[IdsigIssue | None]()
    for turn in range(IDSIGS):
        apk, beside = bases[turn % len(bases)]
        path.write_bytes(apk)
        idsig.write_bytes(beside if turn < len(bases) else bent(beside, dice))
        opinion, issue = apksig.ask_idsig(path, idsig), compare(idsig, path, read_package(path))
        if (issue is None) != opinion.is_genuine:
            # apksig does without a tree that is not there in full, and looks at nothing behind it; adb and the kernel want its very size.
            assert (issue, opinion.is_genuine) == (IdsigIssue.TREE_DIFFERS, True), turn
            assert is_cut_or_goes_on(idsig.read_bytes(), beside), turn
        found[issue] += 1
    print(f"\n{IDSIGS} .idsig files: {dict(found)}")  # noqa: T201  # what the report quotes
    assert found[None] >= len(bases)
    assert found.keys() >= {None, IdsigIssue.MALFORMED, IdsigIssue.SIGNATURE_WRONG, IdsigIssue.TREE_DIFFERS}
