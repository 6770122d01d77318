"""Rules that only the comparison with apksig would miss, each broken once: they hold where no Java machine is."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from apk_factory import (
    NEWEST,
    V3,
    V31,
    AppKey,
    add_pair,
    build_apk,
    make_key,
    make_lineage,
    make_signer,
    make_zip,
    pairs,
    read_zip,
    sections,
    sequence,
    sign_v1,
    sign_v2,
    sign_v3,
    sign_v31,
    sized,
    u32,
    with_pairs,
)
from apk_variants_file import v2_variants, v3_variants, zip_variants

from backupkit.guard.apk.algorithms import strongest
from backupkit.guard.apk.jar_manifest import read_sections
from backupkit.guard.apk.package import NEWEST_KNOWN_SDK, Package, judge_range, read_package
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason

A, B, C = make_key("ec", "A"), make_key("ec", "B"), make_key("ec", "C")
DEV_RELEASE = 0xC2A6B3BA
PROOF = 0x3BA06F8C
ROTATION_MIN_SDK = 0x559F8B02
Answer = Package | Reason


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[bytes, int | None], Answer]:
    """Judge a package at one level, or at all."""

    def asked(apk: bytes, level: int | None) -> Answer:
        path = tmp_path / "app.apk"
        path.write_bytes(apk)
        try:
            return read_package(path, device_sdk=level)
        except PackageNotGenuine as error:
            return error.reason

    return asked


Ask = Callable[[bytes, int | None], Answer]


def signer(answer: Answer) -> str | Reason:
    return answer if isinstance(answer, Reason) else ",".join(answer.signing.digests)


@pytest.mark.parametrize(
    ("numbers", "level", "chosen"),
    [
        ([0x0103, 0x0104], 24, 0x0104),
        ([0x0101, 0x0103], 24, 0x0101),
        ([0x0104, 0x0421], 28, 0x0104),
        ([0x0103, 0x0421], 28, 0x0421),
        ([0x0103, 0x0421], 27, 0x0103),
        ([0x0201, 0x0423], 28, 0x0423),
        ([0x0201, 0x0423], 27, 0x0201),
        ([0x0301, 0x0425], 28, 0x0425),
        ([0x0301, 0x0425], 27, 0x0301),
        ([0x0201, 0x0202], 24, 0x0202),
        ([0x0101, 0x0102], 24, 0x0102),
        ([0x9999, 0x0301], 24, 0x0301),
        ([0x0421], 27, None),
        ([0x9999], 36, None),
    ],
)
def test_a_device_checks_the_strongest_algorithm_that_it_knows(
    numbers: list[int], level: int, chosen: int | None
) -> None:
    found = strongest(numbers, level)

    assert (found.number if found else None) == chosen


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ("v3 no certificates", Reason.NO_CERTIFICATES),
        ("v3 for a negative level", Reason.SDK_RANGE_INVALID),
        ("v3 for a range backwards", Reason.SDK_RANGE_INVALID),
        ("v3 for ranges with a hole", Reason.SDK_RANGES_INCONSISTENT),
        ("v3 for ranges that overlap", Reason.SDK_RANGES_INCONSISTENT),
        ("v3 two lineages, shorter later", Reason.LINEAGES_INCONSISTENT),
        ("v3 two lineages, diverging", Reason.LINEAGES_INCONSISTENT),
        ("v3 lineage of another", Reason.LINEAGE_END_MISMATCH),
        ("v3 lineage with a repeat", Reason.LINEAGE_REPEATS),
        ("v3 lineage without a node", Reason.LINEAGE_MALFORMED),
        ("v3 lineage of version 2", Reason.LINEAGE_MALFORMED),
        ("v3 last level differs outside", Reason.SDK_RANGE_MISMATCH),
        ("v2 by a stranger", Reason.SCHEMES_DISAGREE),
        ("v2 by the last key", Reason.SCHEMES_DISAGREE),
        ("v1 and v2 by different keys", Reason.SCHEMES_DISAGREE),
        ("v1 by one, v2 by two", Reason.SCHEMES_DISAGREE),
        ("v1 by two, v3 by one", Reason.SCHEMES_DISAGREE),
    ],
)
def test_a_signer_of_scheme_3_that_breaks_a_rule_is_refused_on_every_level(
    ask: Ask, variant: str, reason: Reason
) -> None:
    assert ask(v3_variants()[variant](), None) is reason


@pytest.mark.parametrize(
    "variant",
    [
        "v3 for two ranges, the later first",
        "v3 two lineages, longer later",
        "v3 two lineages, longer later, with other grants",
        "v3 two lineages, a part",
        "v1 and v2 by two in another order",
        "v2 by the first key",
    ],
)
def test_what_breaks_no_rule_of_scheme_3_is_genuine(ask: Ask, variant: str) -> None:
    assert isinstance(ask(v3_variants()[variant](), None), Package)


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ("no certificates", Reason.NO_CERTIFICATES),
        ("no signatures", Reason.NO_SIGNATURES),
        ("no digests", Reason.ALGORITHMS_DIFFER),
        ("short digest", Reason.CONTENT_CHANGED),
        ("signature of zeros", Reason.SIGNATURE_WRONG),
        ("signature junk", Reason.SIGNER_MALFORMED),
        ("attributes junk", Reason.ATTRIBUTE_MALFORMED),
        ("names v3", Reason.STRIPPED),
        ("bytes among the signers", Reason.SIGNER_MALFORMED),
        ("block: first size wrong", Reason.UNSIGNED),
        ("block: last size wrong", Reason.UNSIGNED),
        ("block: magic wrong", Reason.UNSIGNED),
        ("block: empty", Reason.UNSIGNED),
    ],
)
def test_a_signer_of_scheme_2_that_breaks_a_rule_is_refused(ask: Ask, variant: str, reason: Reason) -> None:
    assert ask(v2_variants()[variant](), None) is reason


@pytest.mark.parametrize("algorithm", [0x0201, 0x0202])
def test_a_lineage_names_the_algorithm_it_was_signed_with_inside_too(ask: Ask, algorithm: int) -> None:
    """What is outside is nobody's word: the signature, right as it is, could be shown under another algorithm."""
    first = sized(sized(A.certificate) + u32(0)) + u32(23) + u32(A.algorithm) + sized(b"")
    signed = sized(B.certificate) + u32(algorithm)
    second = sized(signed) + u32(23) + u32(0) + sized(A.sign(signed))
    apk = sign_v3(build_apk(min_sdk=28), B, attributes=[(PROOF, u32(1) + sequence([first, second]))])

    assert signer(ask(apk, 28)) == (B.digest if algorithm == A.algorithm else Reason.LINEAGE_SIGNATURE_WRONG)


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("header of a.txt: flags 0x8", Reason.ENTRY_MALFORMED),
        ("directory of a.txt: flags 0x8", Reason.ENTRY_MALFORMED),
        ("header of a.txt: flags 0x1", "v1"),
        ("header of a.txt: length of the name 0x1", Reason.ENTRY_MALFORMED),
        ("header of a.txt: crc 0x5", Reason.ENTRY_MALFORMED),
        ("directory of a.txt: method 0x63", "v1"),
        ("directory of a.txt: method 0x0", Reason.V1_ENTRY_CHANGED),
        ("directory of a.txt: size 0xffffffff", Reason.ENTRY_TOO_LARGE),
        ("directory of a.txt: disk 0x1", "v1"),
        ("gap before the end record", "v1"),
        ("gap before the end record, v2", Reason.UNSIGNED),
        ("locator of zip64, v2", Reason.UNSIGNED),
        ("a.txt twice", Reason.DUPLICATE_ENTRY),
        ("bytes behind", Reason.NOT_A_ZIP),
        ("no manifest", Reason.MANIFEST_MISSING),
        ("all stored", "v1"),
        ("directory of a.txt: mark 0x12345678", Reason.ZIP_MALFORMED),
        ("header of a.txt: mark 0x12345678", Reason.ENTRY_MALFORMED),
        ("directory of META-INF/CERT.SF: length of the comment 0xea60", Reason.ZIP_MALFORMED),
        ("header of a.txt: length of the extra field 0xea60", Reason.ENTRY_MALFORMED),
        ("directory of a.txt: offset 0xffffffff", Reason.ENTRY_MALFORMED),
        ("data descriptor False True", "v1"),
    ],
)
def test_a_container_is_read_as_android_reads_it(ask: Ask, variant: str, expected: Reason | str) -> None:
    answer = ask(zip_variants()[variant](), None)

    assert (answer if isinstance(answer, Reason) else answer.signing.scheme) == expected


def test_no_signing_block_is_seen_beside_a_locator_of_zip64_that_the_directory_holds(ask: Ask) -> None:
    """The directory reaches to the end record then, so that only the locator itself tells."""
    apk = build_apk()
    _, directory, end = sections(apk)
    locator = struct.pack("<IIQI", 0x07064B50, 0, 0, 1)
    tail = bytearray(apk[end:])
    struct.pack_into("<I", tail, 12, end + len(locator) - directory)
    signed = sign_v2(apk[:end] + locator + bytes(tail), A)

    assert ask(signed, None) is Reason.UNSIGNED
    assert signer(ask(sign_v2(apk, A), None)) == A.digest


@pytest.mark.parametrize(
    ("named", "level", "chosen"),
    [
        ("MD5 SHA SHA1 SHA-256 SHA-384 SHA-512", 18, "sha512"),
        ("MD5 SHA SHA1 SHA-256 SHA-384", 18, "sha384"),
        ("MD5 SHA SHA1 SHA-256", 18, "sha256"),
        ("MD5 SHA SHA1", 18, "sha1"),
        ("MD5 SHA SHA-224", 18, None),
        ("SHA-256 SHA1", 17, "sha1"),
        ("SHA-256 SHA", 17, "sha1"),
        ("SHA-256", 17, None),
    ],
)
def test_a_section_is_checked_by_the_digest_that_the_level_chooses(named: str, level: int, chosen: str | None) -> None:
    lines = "".join(f"{name}-Digest: AAAA\r\n" for name in named.split())
    (section,) = read_sections(f"Name: a\r\n{lines}\r\n".encode())

    found = section.digest_at(b"-digest", level)

    assert (found[0] if found else None) == chosen


class TestReleasesInDevelopment:
    def test_the_attribute_means_nothing_in_scheme_3(self, ask: Ask) -> None:
        apk = sign_v3(build_apk(min_sdk=28), A, min_sdk=28, attributes=[(DEV_RELEASE, b"")])

        assert signer(ask(apk, 28)) == A.digest
        both = [make_signer(apk, A, sdks=(28, NEWEST), attributes=more) for more in ([], [(DEV_RELEASE, b"")])]
        assert ask(add_pair(build_apk(min_sdk=28), V3, sized(sequence(both))), 36) is Reason.SEVERAL_SIGNERS

    def rotated(self, first: tuple[int, int], second: tuple[int, int], *, for_development: bool) -> bytes:
        """B from 33 on, C after it; the second range may be for a release in development."""
        apk = sign_v3(build_apk(min_sdk=28), A, max_sdk=32, rotation_min_sdk=33)
        early = make_signer(apk, B, sdks=first, attributes=[(PROOF, make_lineage([A, B]).encode())])
        also = [(DEV_RELEASE, b"")] if for_development else []
        late = make_signer(apk, C, sdks=second, attributes=[(PROOF, make_lineage([A, B, C]).encode()), *also])
        return add_pair(apk, V31, sized(sequence([early, late])))

    def test_its_range_may_begin_where_the_one_before_ends(self, ask: Ask) -> None:
        shared = self.rotated((33, 34), (34, NEWEST), for_development=True)

        assert [signer(ask(shared, level)) for level in (32, 33, 34, 35)] == [
            A.digest,
            B.digest,
            B.digest,
            C.digest,
        ]
        refused = self.rotated((33, 34), (34, NEWEST), for_development=False)
        assert ask(refused, 34) is Reason.SEVERAL_SIGNERS
        assert ask(refused, None) is Reason.SDK_RANGES_INCONSISTENT

    def test_of_two_for_one_level_the_one_for_the_release_in_development_is_meant(self, ask: Ask) -> None:
        """Android 16 may know that; older devices refuse two signers whatever they are for."""
        both = self.rotated((33, NEWEST), (34, NEWEST), for_development=True)

        assert [signer(ask(both, level)) for level in (34, 35, 36)] == [B.digest, Reason.SEVERAL_SIGNERS, C.digest]
        neither = self.rotated((33, NEWEST), (34, NEWEST), for_development=False)
        assert ask(neither, 36) is Reason.SEVERAL_SIGNERS


def test_a_signer_of_v31_that_names_a_block_beside_its_own_is_refused(ask: Ask) -> None:
    """That attribute stands in v3 and says where v3.1 begins; a device that finds it in v3.1 misses another block."""
    apk = sign_v3(build_apk(min_sdk=28), A, max_sdk=32, rotation_min_sdk=33)
    lineage = make_lineage([A, B])

    assert signer(ask(sign_v31(apk, B, lineage), 33)) == B.digest
    named = sign_v31(apk, B, lineage, attributes=[(ROTATION_MIN_SDK, u32(33))])
    assert [signer(ask(named, level)) for level in (32, 33, None)] == [
        A.digest,
        Reason.V31_STRIPPED,
        Reason.V31_STRIPPED,
    ]


@pytest.mark.parametrize(
    ("first", "algorithm", "is_refused"),
    [(24, 0x0103, False), (23, 0x0103, True), (28, 0x0421, False), (27, 0x0421, True)],
)
def test_a_range_of_levels_does_not_begin_before_its_algorithms(
    ask: Ask, first: int, algorithm: int, is_refused: bool
) -> None:
    """A device has its own level only and never notices; apksig does."""
    key, entries = make_key("rsa", "A"), read_zip(build_apk(min_sdk=28, files={"a": b"hello"}))
    entries[-1].extra = bytes(-sections(make_zip(entries))[0] % 4096)
    apk = sign_v3(make_zip(entries), key, min_sdk=first, algorithms=[algorithm])
    apk = with_pairs(apk, pairs(apk), align=True)

    assert signer(ask(apk, 28)) == key.digest
    assert signer(ask(apk, None)) == (Reason.NO_SUPPORTED_ALGORITHM if is_refused else key.digest)


class TestOneAppOverAllSchemes:
    def rotated(self, *early: bytes, later: bytes) -> bytes:
        apk = sign_v2(build_apk(min_sdk=24), A)
        return add_pair(add_pair(apk, V3, sized(sequence(early))), V31, sized(sequence([later])))

    def test_one_signer_may_have_several_ranges_before_the_rotation(self, ask: Ask) -> None:
        apk = build_apk(min_sdk=24)
        later = make_signer(apk, B, sdks=(33, NEWEST), attributes=[(PROOF, make_lineage([A, B]).encode())])
        early = [make_signer(apk, A, sdks=sdks) for sdks in ((28, 30), (31, 32))]

        assert signer(ask(self.rotated(*early, later=later), None)) == B.digest
        stranger = make_signer(apk, C, sdks=(31, 32))
        assert ask(self.rotated(early[0], stranger, later=later), None) is Reason.SCHEMES_DISAGREE
        without = make_signer(apk, B, sdks=(33, NEWEST))
        assert ask(self.rotated(*early, later=without), None) is Reason.SCHEMES_DISAGREE

    def test_the_first_certificate_of_all_histories_together_signed_for_older_devices(self, ask: Ask) -> None:
        """A later signer may have left the oldest certificate out."""
        apk = build_apk(min_sdk=24)
        early = make_signer(apk, A, sdks=(28, 32))

        def signed(*histories: tuple[tuple[int, int], list[AppKey]]) -> bytes:
            later = [
                make_signer(apk, keys[-1], sdks=sdks, attributes=[(PROOF, make_lineage(keys).encode())])
                for sdks, keys in histories
            ]
            v2_and_v3 = add_pair(sign_v2(apk, A), V3, sized(sequence([early])))
            return add_pair(v2_and_v3, V31, sized(sequence(later)))

        assert signer(ask(signed(((33, 33), [A, B]), ((34, NEWEST), [B, C])), None)) == C.digest
        assert ask(signed(((33, NEWEST), [B, C])), None) is Reason.SCHEMES_DISAGREE


@pytest.mark.parametrize(("level", "is_refused"), [(25, False), (26, True), (36, True)])
def test_a_strict_sandbox_needs_more_than_a_jar_from_26_on(ask: Ask, level: int, is_refused: bool) -> None:
    apk = sign_v1(build_apk(min_sdk=21, target_sdk=29, target_sandbox_version=2), A)

    answer = ask(apk, level)

    assert (answer is Reason.SCHEME_TOO_OLD_FOR_SANDBOX) is is_refused
    assert isinstance(answer, Package) is not is_refused


@pytest.mark.parametrize(("target", "level", "is_refused"), [(30, 29, False), (30, 30, True), (29, 30, False)])
def test_a_target_of_30_needs_more_than_a_jar_from_30_on(ask: Ask, target: int, level: int, is_refused: bool) -> None:
    answer = ask(sign_v1(build_apk(min_sdk=21, target_sdk=target), A), level)

    assert (answer is Reason.SCHEME_TOO_OLD_FOR_TARGET) is is_refused
    assert isinstance(answer, Package) is not is_refused


def test_the_newest_known_level_speaks_for_those_to_come(tmp_path: Path) -> None:
    path = tmp_path / "app.apk"
    path.write_bytes(sign_v3(build_apk(min_sdk=28), A, max_sdk=NEWEST_KNOWN_SDK))

    assert judge_range(path, first=None, last=NEWEST_KNOWN_SDK - 1, strict=True).signing.digests == (A.digest,)
    with pytest.raises(PackageNotGenuine) as caught:
        judge_range(path, first=None, last=NEWEST_KNOWN_SDK, strict=True)
    assert caught.value.reason is Reason.SDK_RANGE_MISSING


@pytest.mark.parametrize(("min_sdk", "begins", "wrong", "level"), [(33, 33, V3, 34), (28, 10_000, V31, 36)])
def test_signers_for_levels_that_nobody_asks_about_must_fit_the_content_too(
    ask: Ask, min_sdk: int, begins: int, wrong: int, level: int
) -> None:
    """v3 is for devices below the package's minSdk there, or v3.1 for devices that do not exist yet."""

    def signatures(apk: bytes) -> dict[int, bytes]:
        apk = sign_v3(apk, A, max_sdk=begins - 1, rotation_min_sdk=begins)
        return dict(pairs(sign_v31(apk, B, make_lineage([A, B]), min_sdk=begins)))

    apk = build_apk(min_sdk=min_sdk)
    right, others = signatures(apk), signatures(build_apk(min_sdk=min_sdk, version_code=9))
    broken = with_pairs(apk, list((right | {wrong: others[wrong]}).items()))

    assert isinstance(ask(with_pairs(apk, list(right.items())), None), Package)
    assert isinstance(ask(broken, level), Package)
    assert ask(broken, None) is Reason.CONTENT_CHANGED


def test_a_range_from_level_0_on_is_no_negative_one(ask: Ask) -> None:
    """A device finds itself in it; over all levels no algorithm was known in the beginning."""
    apk = v3_variants()["v3 for 0 on"]()

    assert isinstance(ask(apk, 28), Package)
    assert ask(apk, None) is Reason.NO_SUPPORTED_ALGORITHM


def test_levels_before_33_do_not_miss_a_block_that_they_do_not_know(tmp_path: Path) -> None:
    path = tmp_path / "app.apk"
    path.write_bytes(sign_v3(build_apk(min_sdk=28), A, max_sdk=32, rotation_min_sdk=33))

    assert judge_range(path, first=None, last=32, strict=True).signing.digests == (A.digest,)
    with pytest.raises(PackageNotGenuine) as caught:
        judge_range(path, first=None, last=33, strict=True)
    assert caught.value.reason is Reason.V31_STRIPPED


def test_a_directory_that_reaches_into_the_end_record_is_refused(ask: Ask) -> None:
    apk = bytearray(sign_v1(build_apk(min_sdk=21, target_sdk=29), A))
    at = sections(bytes(apk))[2] + 12
    assert isinstance(ask(bytes(apk), None), Package)
    struct.pack_into("<I", apk, at, struct.unpack_from("<I", apk, at)[0] + 1)

    assert ask(bytes(apk), None) is Reason.ZIP_MALFORMED


def test_a_block_of_scheme_3_beside_scheme_2_decides_alone(ask: Ask) -> None:
    """A broken newer signature is never a reason to try the older one."""
    apk = sign_v2(build_apk(), A, names_v3=True)
    apk = add_pair(apk, V3, sized(sequence([make_signer(build_apk(version_code=9), A, sdks=(24, NEWEST))])))

    assert ask(apk, 28) is Reason.CONTENT_CHANGED
    assert signer(ask(apk, 27)) == A.digest
