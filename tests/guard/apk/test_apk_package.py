"""Reading a package as a device of each API level reads it."""

import hashlib
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apk_factory import (
    DEFAULT_CAPABILITIES,
    INSTALLED_DATA,
    NEWEST,
    ROLLBACK,
    V2,
    V3,
    V31,
    V32,
    AppKey,
    ZipEntry,
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
    sign,
    sign_v1,
    sign_v2,
    sign_v3,
    sign_v31,
    sized,
    u32,
    with_pairs,
    without_pair,
)

from backupkit.guard.apk import chunks
from backupkit.guard.apk.lineage import Capability
from backupkit.guard.apk.package import NEWEST_KNOWN_SDK, Package, read_package
from backupkit.guard.apk.package_file import PackageFile
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason

A, B, C = make_key("ec", "A"), make_key("rsa", "B"), make_key("ec", "C")
Read = Callable[..., Package]
Refusal = Callable[..., Reason]
DEVICES = range(24, NEWEST_KNOWN_SDK + 1)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a package to a file and read it."""

    def read(apk: bytes, sdk: int | None = None) -> Package:
        path = tmp_path / "app.apk"
        path.write_bytes(apk)
        return read_package(path, device_sdk=sdk)

    return read


@pytest.fixture
def refusal(read: Read) -> Refusal:
    """Return the reason why a package is refused."""

    def refusal(apk: bytes, sdk: int | None = None) -> Reason:
        with pytest.raises(PackageNotGenuine) as caught:
            read(apk, sdk)
        return caught.value.reason

    return refusal


def signer_of(package: Package, level: int) -> str:
    (digest,) = package.signing_at(level).digests
    return digest


@pytest.mark.parametrize(
    "key", [make_key(kind, "K") for kind in ("ec", "ec-p384", "ec-p521", "rsa", "rsa-1024", "dsa")]
)
def test_every_kind_of_key_is_named_by_the_bytes_of_its_certificate(read: Read, key: AppKey) -> None:
    apk = sign(build_apk(min_sdk=21, target_sdk=29), key)

    package = read(apk)

    assert {package.signing_at(level).digests for level in package.levels} == {(key.digest,)}
    assert package.signing_at(28).signers == (key.certificate,)
    assert [package.signing_at(level).scheme for level in (21, 24, 28)] == ["v1", "v2", "v3"]


def test_what_was_judged_is_named_by_the_hash_of_the_whole_file(read: Read) -> None:
    apk = sign(build_apk(package="org.example.Chat", version_code=5 << 32 | 7, files={"big": os.urandom(3 << 20)}), A)

    package = read(apk)

    assert package.sha256 == hashlib.sha256(apk).hexdigest()
    assert (package.size, package.package, package.version_code) == (len(apk), "org.example.Chat", 5 << 32 | 7)


@pytest.mark.parametrize("algorithm", [0x0101, 0x0102, 0x0103, 0x0104])
def test_rsa_packages_of_every_padding_and_hash_are_genuine(read: Read, refusal: Refusal, algorithm: int) -> None:
    apk = sign_v2(build_apk(files={"big": bytes(2_500_000)}), B, algorithms=[algorithm])

    assert signer_of(read(apk), 36) == B.digest
    assert refusal(apk.replace(b"dex\n035", b"dex\n036")) is Reason.CONTENT_CHANGED


@pytest.mark.parametrize("region", ["first-header", "content", "block-size", "signer", "directory", "end"])
def test_no_changed_byte_of_a_signed_package_is_taken_for_genuine(read: Read, region: str) -> None:
    apk = sign(build_apk(files={"a": bytes(100)}), A)
    begin, directory, end = sections(apk)
    at = {
        "first-header": 10,
        "content": begin // 2,
        "block-size": begin,
        "signer": begin + 60,
        "directory": directory + 12,
        "end": end + 21,
    }[region]
    broken = bytearray(apk)
    broken[at] ^= 1

    with pytest.raises(PackageNotGenuine):
        read(bytes(broken))


def test_bytes_after_the_end_record_are_refused(refusal: Refusal) -> None:
    assert refusal(sign(build_apk(), A) + b"\0") is Reason.NOT_A_ZIP


def test_a_comment_added_after_signing_is_seen(refusal: Refusal) -> None:
    apk = sign(build_apk(), A)

    assert refusal(apk[:-2] + b"\x01\0x") is Reason.CONTENT_CHANGED


def test_several_signers_are_given_in_the_order_of_the_package(read: Read) -> None:
    package = read(sign(build_apk(min_sdk=21), A, B))

    assert [package.signing_at(level).digests for level in (21, 30)] == [(A.digest, B.digest)] * 2


def test_eleven_signers_are_one_too_many(read: Read, refusal: Refusal) -> None:
    keys = [make_key("ec", f"many-{number}") for number in range(11)]

    assert len(read(sign_v2(build_apk(), *keys[:10])).signing.signers) == 10
    assert refusal(sign_v2(build_apk(), *keys)) is Reason.TOO_MANY_SIGNERS
    assert refusal(sign_v1(build_apk(target_sdk=29), *keys)) is Reason.TOO_MANY_SIGNERS


def test_one_broken_signer_of_two_refuses_the_package(refusal: Refusal) -> None:
    apk = build_apk()
    other = build_apk(version_code=9)
    apk = add_pair(apk, V2, sized(sequence([make_signer(apk, A), make_signer(other, B)])))

    assert refusal(apk) is Reason.CONTENT_CHANGED


class TestStripping:
    def test_v3_cut_off_a_package_that_names_it_is_refused_where_v3_is_known(
        self, read: Read, refusal: Refusal
    ) -> None:
        apk = without_pair(sign(build_apk(), A), V3)

        assert refusal(apk) is Reason.STRIPPED
        assert refusal(apk, 28) is Reason.STRIPPED
        assert read(apk, 27).signing.scheme == "v2"

    def test_v2_cut_off_a_package_whose_jar_signature_names_it_is_refused(self, refusal: Refusal) -> None:
        apk = sign(build_apk(target_sdk=29), A, schemes=["v1", "v2"])

        assert refusal(without_pair(apk, V2)) is Reason.STRIPPED

    def test_v31_cut_off_is_refused_where_v31_is_known(self, read: Read, refusal: Refusal) -> None:
        rotated = sign(build_apk(), B, lineage=make_lineage([A, B]), rotation_min_sdk=34)
        apk = without_pair(rotated, V31)

        assert refusal(apk) is Reason.V31_STRIPPED
        assert refusal(apk, 33) is Reason.V31_STRIPPED
        assert signer_of(read(apk, 32), 32) == A.digest

    def test_a_v31_block_for_other_levels_than_v3_says_is_refused(self, refusal: Refusal) -> None:
        apk = sign_v3(build_apk(), A, max_sdk=33, rotation_min_sdk=34)
        apk = sign_v31(apk, B, make_lineage([A, B]), min_sdk=35)

        assert refusal(apk, 33) is Reason.V31_RANGE_MISMATCH

    def test_a_stripping_attribute_without_its_value_is_refused(self, refusal: Refusal) -> None:
        assert refusal(sign_v2(build_apk(), A, attributes=[(0xBEEFF00D, b"\3")])) is Reason.ATTRIBUTE_MALFORMED

    def test_a_package_with_v3_alone_is_refused_below_28_and_genuine_above(self, read: Read, refusal: Refusal) -> None:
        apk = sign_v3(build_apk(min_sdk=21), A)

        package = read(apk)

        assert signer_of(package, 28) == A.digest
        assert [finding.detail for finding in package.findings] == ["21-27"]
        with pytest.raises(PackageNotGenuine) as caught:
            package.signing_at(27)
        assert (caught.value.reason, caught.value.level) == (Reason.UNSIGNED_FOR_LEVEL, 27)
        assert refusal(apk, 27) is Reason.UNSIGNED_FOR_LEVEL


class TestRotation:
    def test_older_devices_see_the_first_signer_and_newer_ones_the_last_with_its_history(self, read: Read) -> None:
        lineage = make_lineage([A, B, C], [INSTALLED_DATA | ROLLBACK, 0, DEFAULT_CAPABILITIES])

        package = read(sign(build_apk(), C, lineage=lineage))

        assert [signer_of(package, level) for level in (24, 27, 28, 36)] == [A.digest, A.digest, C.digest, C.digest]
        found = package.signing_at(28).lineage
        assert found is not None
        assert found.digests == (A.digest, B.digest, C.digest)
        assert [node.capabilities for node in found.nodes] == [9, 0, 23]
        assert found.nodes[0].grants(Capability.ROLLBACK)
        assert Capability.names(9) == ["installed-data", "rollback"]
        assert package.signing_at(27).lineage is None

    @pytest.mark.parametrize("first", [33, 34, 36])
    def test_v31_takes_over_from_its_own_level_on(self, read: Read, first: int) -> None:
        package = read(sign(build_apk(), B, lineage=make_lineage([A, B]), rotation_min_sdk=first))

        assert [signer_of(package, level) == B.digest for level in DEVICES] == [level >= first for level in DEVICES]
        assert package.signing_at(first).scheme == "v3.1"

    def test_a_rotation_for_a_coming_release_does_not_count_on_the_release_before(self, read: Read) -> None:
        apk = sign_v3(sign_v2(build_apk(), A, names_v3=True), A, rotation_min_sdk=33)
        apk = sign_v31(apk, B, make_lineage([A, B]), min_sdk=33, targets_dev_release=True)

        assert [signer_of(read(apk, level), level) for level in (33, 34)] == [A.digest, B.digest]

    def test_a_rotation_that_begins_above_every_known_level_counts_for_none(self, read: Read) -> None:
        package = read(sign(build_apk(), B, lineage=make_lineage([A, B]), rotation_min_sdk=10_000))

        assert {signer_of(package, level) for level in DEVICES} == {A.digest}

    def test_v31_without_v3_is_cut_apart_for_the_range_and_installs_where_v31_is_known(
        self, read: Read, refusal: Refusal
    ) -> None:
        apk = without_pair(sign(build_apk(), B, lineage=make_lineage([A, B]), rotation_min_sdk=33), V3)

        assert refusal(apk) is Reason.V31_WITHOUT_V3
        assert signer_of(read(apk, 34), 34) == B.digest
        assert refusal(apk, 28) is Reason.STRIPPED

    def test_a_lineage_of_somebody_else_is_refused(self, refusal: Refusal) -> None:
        assert refusal(sign_v3(build_apk(), C, make_lineage([A, B])), 28) is Reason.LINEAGE_END_MISMATCH

    def test_a_lineage_signed_by_the_wrong_parent_is_refused(self, refusal: Refusal) -> None:
        good = make_lineage([A, C]).encode()
        forged = good.replace(A.certificate, make_key("ec", "stranger").certificate)
        apk = sign_v3(build_apk(), C, attributes=[(0x3BA06F8C, forged)])

        assert refusal(apk, 28) in {Reason.LINEAGE_SIGNATURE_WRONG, Reason.LINEAGE_MALFORMED}

    def test_two_lineages_in_one_signer_are_refused(self, refusal: Refusal) -> None:
        proof = (0x3BA06F8C, make_lineage([A, B]).encode())

        assert refusal(sign_v3(build_apk(), B, attributes=[proof, proof]), 28) is Reason.LINEAGE_MALFORMED

    def test_an_older_signer_outside_the_history_is_two_apps_in_one(self, read: Read, refusal: Refusal) -> None:
        apk = sign_v3(sign_v2(build_apk(), C, names_v3=True), B, make_lineage([A, B]))

        assert refusal(apk) is Reason.SCHEMES_DISAGREE
        assert [signer_of(read(apk, level), level) for level in (27, 28)] == [C.digest, B.digest]

    @pytest.mark.parametrize("history", [[C, B], [B]])
    def test_a_rotation_that_knows_nothing_of_the_older_signer_is_two_apps_in_one(
        self, read: Read, refusal: Refusal, history: list[AppKey]
    ) -> None:
        apk = sign_v3(sign_v2(build_apk(), A, names_v3=True), A, max_sdk=32, rotation_min_sdk=33)
        apk = sign_v31(apk, B, make_lineage(history))

        assert refusal(apk) is Reason.SCHEMES_DISAGREE
        assert [signer_of(read(apk, level), level) for level in (27, 32, 33)] == [A.digest, A.digest, B.digest]

    def test_signers_that_leave_out_the_levels_to_come_are_refused(self, read: Read, refusal: Refusal) -> None:
        """Each level known here has its signer; a phone that is updated would lose the app's."""
        v3 = sign_v3(build_apk(min_sdk=28), A, max_sdk=40)
        gap = sign_v31(
            sign_v3(build_apk(min_sdk=28), A, max_sdk=40, rotation_min_sdk=50), B, make_lineage([A, B]), min_sdk=50
        )
        short = sign_v31(
            sign_v3(build_apk(min_sdk=28), A, max_sdk=32, rotation_min_sdk=33), B, make_lineage([A, B]), max_sdk=40
        )

        for apk in (v3, gap, short):
            assert refusal(apk) is Reason.SDK_RANGE_MISSING
            assert signer_of(read(apk, 32), 32) == A.digest

    def test_levels_without_a_v3_signer_are_refused(self, read: Read, refusal: Refusal) -> None:
        apk = sign_v3(build_apk(min_sdk=28), A, max_sdk=30)

        assert refusal(apk) is Reason.SDK_RANGE_MISSING
        assert signer_of(read(apk, 30), 30) == A.digest
        assert refusal(apk, 31) is Reason.SDK_RANGE_MISSING


class TestV3Ranges:
    def two(self, first: tuple[int, int], second: tuple[int, int]) -> bytes:
        apk = build_apk(min_sdk=28)
        signers = [make_signer(apk, A, sdks=first), make_signer(apk, B, sdks=second, attributes=self.proof())]
        return add_pair(apk, V3, sized(sequence(signers)))

    def proof(self) -> list[tuple[int, bytes]]:
        return [(0x3BA06F8C, make_lineage([A, B]).encode())]

    def test_each_range_has_its_signer(self, read: Read) -> None:
        package = read(self.two((28, 30), (31, NEWEST)))

        assert [signer_of(package, level) for level in (28, 30, 31, 36)] == [A.digest, A.digest, B.digest, B.digest]

    def test_two_signers_for_one_level_are_refused(self, refusal: Refusal) -> None:
        assert refusal(self.two((28, 31), (31, 99))) is Reason.SDK_RANGES_INCONSISTENT
        assert refusal(self.two((28, 31), (31, 99)), 31) is Reason.SEVERAL_SIGNERS

    def test_a_hole_between_two_ranges_is_refused(self, refusal: Refusal) -> None:
        assert refusal(self.two((28, 30), (32, 99))) is Reason.SDK_RANGES_INCONSISTENT

    def test_a_range_that_is_signed_differently_is_refused(self, refusal: Refusal) -> None:
        apk = build_apk(min_sdk=28)
        signer = make_signer(apk, A, sdks=(28, 30), outer_sdks=(28, 99))

        assert refusal(add_pair(apk, V3, sized(sequence([signer])))) is Reason.SDK_RANGE_MISMATCH

    def test_a_range_that_runs_backwards_is_refused(self, refusal: Refusal) -> None:
        apk = build_apk(min_sdk=28)
        signer = make_signer(apk, A, sdks=(99, 28))

        assert refusal(add_pair(apk, V3, sized(sequence([signer])))) is Reason.SDK_RANGE_INVALID

    def test_a_broken_signer_for_other_levels_is_not_looked_at_by_a_device(self, read: Read, refusal: Refusal) -> None:
        apk = build_apk(min_sdk=28)
        broken = bytearray(make_signer(apk, B, sdks=(40, 99)))
        broken[-100] ^= 1
        apk = add_pair(apk, V3, sized(sequence([make_signer(apk, A, sdks=(28, 39)), bytes(broken)])))

        assert signer_of(read(apk, 30), 30) == A.digest
        with pytest.raises(PackageNotGenuine):
            read(apk)


class TestSignerRecords:
    def refused(self, refusal: Refusal, **odd: Any) -> Reason:
        apk = build_apk()
        return refusal(add_pair(apk, V2, sized(sequence([make_signer(apk, A, **odd)]))))

    def test_the_key_must_be_the_certificates_own(self, refusal: Refusal) -> None:
        assert self.refused(refusal, certificate=C.certificate) is Reason.PUBLIC_KEY_MISMATCH

    def test_a_certificate_that_is_none_is_refused(self, refusal: Refusal) -> None:
        assert self.refused(refusal, certificate=b"\x30\x03abc") is Reason.CERTIFICATE_MALFORMED

    def test_digests_and_signatures_must_name_the_same_algorithms_in_order(self, refusal: Refusal) -> None:
        odd: Any = {"algorithms": [0x0201, 0x0202], "digest_algorithms": [0x0202, 0x0201]}

        assert self.refused(refusal, **odd) is Reason.ALGORITHMS_DIFFER

    def test_a_key_of_another_kind_than_the_algorithm_is_refused(self, refusal: Refusal) -> None:
        assert self.refused(refusal, algorithms=[0x0103]) is Reason.PUBLIC_KEY_MALFORMED

    def test_only_unknown_algorithms_are_refused_and_further_ones_are_passed_over(
        self, read: Read, refusal: Refusal
    ) -> None:
        assert self.refused(refusal, algorithms=[0x0777]) is Reason.NO_SUPPORTED_ALGORITHM
        apk = build_apk()
        mixed = add_pair(apk, V2, sized(sequence([make_signer(apk, A, algorithms=[0x0777, 0x0201])])))
        assert signer_of(read(mixed), 30) == A.digest

    def test_unknown_attributes_are_passed_over(self, read: Read) -> None:
        assert signer_of(read(sign_v3(build_apk(), A, attributes=[(0x12345678, b"?")]), 28), 28) == A.digest

    def test_the_strongest_algorithm_is_the_one_that_is_checked(self, read: Read, refusal: Refusal) -> None:
        apk = build_apk()
        signer = make_signer(apk, A, algorithms=[0x0201, 0x0202])
        # The signature over SHA-512 is the second; break its last byte, then the last byte of the first.
        info = signer.rindex(sized(A.public_key_info))
        strong, weak = bytearray(signer), bytearray(signer)
        strong[info - 1] ^= 1
        (first_size,) = struct.unpack_from("<I", signer, signer.index(u32(0x0201), 300) + 4)
        weak[signer.index(u32(0x0201), 300) + 8 + first_size - 1] ^= 1

        assert refusal(add_pair(apk, V2, sized(sequence([bytes(strong)])))) is Reason.SIGNATURE_WRONG
        assert signer_of(read(add_pair(apk, V2, sized(sequence([bytes(weak)])))), 30) == A.digest

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (b"", Reason.SIGNERS_MALFORMED),
            (u32(9), Reason.SIGNERS_MALFORMED),
            (sized(b""), Reason.NO_SIGNERS),
            (sized(b"\x01"), Reason.SIGNER_MALFORMED),
            (sized(sequence([b""])), Reason.SIGNER_MALFORMED),
            (sized(sequence([sized(b"x") + sized(b"") + sized(b"k")])), Reason.NO_SIGNATURES),
            (
                sized(sequence([sized(b"x") + sized(sequence([u32(0x0103) + sized(b"s")])) + sized(b"k")])),
                Reason.PUBLIC_KEY_MALFORMED,
            ),
        ],
    )
    def test_a_block_that_is_no_list_of_signers_is_refused(
        self, refusal: Refusal, value: bytes, reason: Reason
    ) -> None:
        assert refusal(add_pair(build_apk(), V2, value)) is reason


class TestVerity:
    def package(self, key: AppKey, algorithm: int) -> bytes:
        """A package whose content in front of the signing block fills whole pages."""
        apk = build_apk(files={"a": os.urandom(900_000)})
        front = sections(apk)[0]
        entries = read_zip(apk)
        entries[-1].extra = bytes(-front % 4096)
        apk = make_zip(entries)
        signed = sign_v2(apk, key, algorithms=[key.algorithm, algorithm])
        return with_pairs(signed, pairs(signed), align=True)

    @pytest.mark.parametrize(("key", "algorithm"), [(B, 0x0421), (A, 0x0423), (make_key("dsa", "V"), 0x0425)])
    def test_the_page_tree_is_checked_where_it_is_known(
        self, read: Read, refusal: Refusal, key: AppKey, algorithm: int
    ) -> None:
        apk = self.package(key, algorithm)

        assert signer_of(read(apk), 28) == key.digest
        assert refusal(apk.replace(b"dex\n035", b"dex\n036"), 28) is Reason.CONTENT_CHANGED

    def test_a_package_not_laid_out_in_pages_is_refused_where_the_tree_is_asked_for(
        self, read: Read, refusal: Refusal
    ) -> None:
        apk = sign_v2(build_apk(), A, algorithms=[0x0201, 0x0423])

        assert refusal(apk, 28) is Reason.VERITY_UNALIGNED
        assert signer_of(read(apk, 27), 27) == A.digest


class TestDecoys:
    def test_the_first_of_two_blocks_counts_and_the_second_is_told(self, read: Read) -> None:
        apk = sign_v2(build_apk(), A)
        apk = with_pairs(apk, [*pairs(apk), *pairs(sign_v2(build_apk(), C))])

        package = read(apk)

        assert package.signing.digests == (A.digest,)
        assert [(finding.code, finding.detail) for finding in package.findings] == [
            ("apk-signature-repeated", "0x7109871a")
        ]

    def test_a_jar_signer_is_not_read_where_a_newer_signature_is_in_force(self, read: Read) -> None:
        apk = sign_v2(sign_v1(build_apk(), make_key("rsa", "decoy")), A)

        assert {signer_of(read(apk), level) for level in DEVICES} == {A.digest}

    def test_a_jar_signer_that_older_devices_would_see_must_be_the_same(self, refusal: Refusal) -> None:
        apk = sign_v2(sign_v1(build_apk(min_sdk=21), make_key("rsa", "decoy"), schemes="2"), A)

        assert refusal(apk) is Reason.SCHEMES_DISAGREE

    @pytest.mark.parametrize("name", [b"META-INF/A.RSA\n", b"META-INF/A\n.RSA", b"META-INF/\rA.RSA"])
    def test_names_with_line_breaks_are_no_signatures(self, read: Read, refusal: Refusal, name: bytes) -> None:
        """fdroid fakesigner, PoC 5a: a pattern that stops at the end of a line takes the decoy for the signature."""
        decoy = next(one for one in read_zip(sign_v1(build_apk(), C)) if one.name.endswith((b".RSA", b".EC")))
        entries = [*read_zip(build_apk(min_sdk=21, target_sdk=29)), ZipEntry(name, decoy.data)]

        assert read(sign_v1(make_zip(entries), A), 23).signing.digests == (A.digest,)
        assert refusal(make_zip(entries)) is Reason.UNSIGNED

    def test_an_unknown_block_is_passed_over(self, read: Read) -> None:
        assert read(add_pair(sign(build_apk(), A), 0x504B4453, b"dependencies")).signing.digests == (A.digest,)

    def test_a_cut_short_pair_hides_what_lies_behind_it(self, refusal: Refusal) -> None:
        apk = sign_v2(build_apk(), A)
        begin, _, _ = sections(apk)
        broken = bytearray(apk)
        struct.pack_into("<Q", broken, begin + 8, 1 << 40)

        assert refusal(bytes(broken)) is Reason.UNSIGNED


class TestNotUnderstood:
    def test_a_newer_scheme_that_cannot_be_read_is_never_judged(self, read: Read) -> None:
        for value in (b"", sized(b""), b"from the future", sized(sequence([b"no signer"]))):
            for sdk in (None, 28, 36):
                with pytest.raises(PackageUndecided) as caught:
                    read(add_pair(sign(build_apk(), A), V32, value), sdk)
                assert caught.value.reason is Doubt.NEWER_SCHEME

    @pytest.mark.parametrize("number", [V32, 0x12345678])
    def test_levels_that_never_heard_of_a_newer_scheme_are_judged_by_what_they_know(
        self, read: Read, number: int
    ) -> None:
        plain = build_apk()
        value = sized(sequence([make_signer(plain, B, sdks=(37, NEWEST)), make_signer(plain, C, sdks=(37, NEWEST))]))
        apk = add_pair(sign(plain, A), number, value)

        for sdk in (None, 36):
            with pytest.raises(PackageUndecided) as caught:
                read(apk, sdk)
            assert (caught.value.reason, caught.value.level) == (Doubt.NEWER_SCHEME, 36)
        for sdk in (24, 28, 33, 35):
            found = read(apk, sdk)
            assert found.signing.digests == (A.digest,)
            assert [one.code for one in found.findings] == ["apk-newer-scheme-ahead"]

    def test_a_newer_scheme_that_names_an_older_level_is_believed(self, read: Read) -> None:
        plain = build_apk()
        apk = add_pair(sign(plain, A), V32, sized(sequence([make_signer(plain, B, sdks=(33, NEWEST))])))

        assert read(apk, 32).signing.digests == (A.digest,)
        with pytest.raises(PackageUndecided):
            read(apk, 33)

    @pytest.mark.parametrize("value", [b"", b"x" * 100, sized(b""), sized(sequence([b"1234"]))])
    def test_what_shops_leave_under_unknown_numbers_is_passed_over(self, read: Read, value: bytes) -> None:
        assert read(add_pair(sign(build_apk(), A), 0x12345678, value)).findings == ()

    @pytest.mark.parametrize("attribute", [0xBF940529, 0x9F06B79C])
    def test_a_signer_that_names_a_newer_scheme_is_judged_below_it_only(self, read: Read, attribute: int) -> None:
        apk = sign_v3(build_apk(), A, attributes=[(attribute, u32(37))])
        unreadable = sign_v3(build_apk(), A, attributes=[(attribute, b"")])

        assert read(apk, 35).signing.digests == (A.digest,)
        for odd, sdk in ((apk, 36), (apk, None), (unreadable, 30)):
            with pytest.raises(PackageUndecided):
                read(odd, sdk)

    @pytest.mark.parametrize("sdk", [0, -1, NEWEST_KNOWN_SDK + 1])
    def test_an_unknown_level_is_not_judged(self, read: Read, sdk: int) -> None:
        with pytest.raises(PackageUndecided) as caught:
            read(sign(build_apk(), A), sdk)
        assert caught.value.reason is Doubt.LEVEL_UNKNOWN

    def test_a_package_for_later_devices_only_is_not_judged(self, read: Read) -> None:
        with pytest.raises(PackageUndecided):
            read(sign(build_apk(min_sdk=NEWEST_KNOWN_SDK + 1), A))

    def test_a_level_that_was_not_judged_is_not_answered(self, read: Read) -> None:
        with pytest.raises(PackageUndecided) as caught:
            read(sign(build_apk(), A), 30).signing_at(31)
        assert caught.value.reason is Doubt.LEVEL_NOT_JUDGED

    def test_what_cannot_be_opened_is_not_judged(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path / "absent", tmp_path, tmp_path / "pipe", Path("nul\0byte")):
            with pytest.raises(PackageUndecided) as caught:
                read_package(path)
            assert caught.value.reason is Doubt.UNREADABLE


class TestSignedTooSimply:
    def test_apps_for_newer_android_need_more_than_a_jar_signature(self, read: Read, refusal: Refusal) -> None:
        apk = sign_v1(build_apk(target_sdk=30), A)

        assert refusal(apk) is Reason.SCHEME_TOO_OLD_FOR_TARGET
        assert refusal(apk, 30) is Reason.SCHEME_TOO_OLD_FOR_TARGET
        assert read(apk, 29).signing.scheme == "v1"

    def test_apps_in_the_newer_sandbox_need_more_than_a_jar_signature(self, read: Read, refusal: Refusal) -> None:
        apk = sign_v1(build_apk(target_sdk=29, target_sandbox_version=2), A)

        assert refusal(apk) is Reason.SCHEME_TOO_OLD_FOR_SANDBOX
        assert read(apk, 25).signing.scheme == "v1"

    def test_an_unsigned_package_is_refused_everywhere(self, refusal: Refusal) -> None:
        for sdk in (None, 21, 24, 36):
            assert refusal(build_apk(min_sdk=21), sdk) is Reason.UNSIGNED


class TestSwapping:
    def test_a_file_swapped_while_it_is_read_is_noticed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "app.apk"
        path.write_bytes(sign(build_apk(), A))
        other = tmp_path / "other.apk"
        other.write_bytes(sign(build_apk(), C))
        real = PackageFile.sweep

        def sweep(*arguments: Any) -> Any:
            other.replace(path)
            return real(*arguments)

        monkeypatch.setattr(PackageFile, "sweep", sweep)

        with pytest.raises(PackageUndecided) as caught:
            read_package(path)
        assert caught.value.reason is Doubt.CHANGED_WHILE_READ

    def test_bytes_changed_after_they_were_looked_at_are_noticed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "app.apk"
        apk = sign(build_apk(), A)
        path.write_bytes(apk)
        real = PackageFile.sweep

        def sweep(*arguments: Any) -> Any:
            begin, _, _ = sections(apk)
            with path.open("r+b") as file:
                file.seek(begin + 30)
                file.write(b"!")
            return real(*arguments)

        monkeypatch.setattr(PackageFile, "sweep", sweep)

        with pytest.raises(PackageUndecided) as caught:
            read_package(path)
        assert caught.value.reason is Doubt.CHANGED_WHILE_READ

    def test_writers_wait_while_a_large_package_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A map of a file that somebody cuts short would end the process."""
        path = tmp_path / "app.apk"
        apk = sign(build_apk(files={"big": os.urandom(6 << 20)}), A)
        path.write_bytes(apk)
        writers: list[threading.Thread] = []

        class Helper(chunks.Helper):
            def take(self, offset: int, view: memoryview) -> bool:
                if not writers:
                    writers.append(threading.Thread(target=path.write_bytes, args=(b"cut",)))
                    writers[0].start()
                return super().take(offset, view)

        monkeypatch.setattr("backupkit.guard.apk.package_file.Helper", Helper)
        try:
            found = read_package(path).sha256
        except PackageUndecided:
            found = None  # where the system grants no lease, the writer gets through, and that is noticed
        writers[0].join()
        assert path.read_bytes() == b"cut"
        assert found in {None, hashlib.sha256(apk).hexdigest()}

    def test_a_large_package_is_read_the_same_without_a_map(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "app.apk"
        apk = sign(build_apk(files={"big": os.urandom(6 << 20)}), A)
        path.write_bytes(apk)
        monkeypatch.setattr(chunks, "_WORTH_A_MAP", 1 << 40)

        assert read_package(path).sha256 == hashlib.sha256(apk).hexdigest()


@pytest.mark.parametrize("hiding", ["behind ten thousand values", "in a block of 65 MiB"])
def test_a_signature_out_of_reach_is_never_passed_over_for_an_older_one(read: Read, hiding: str) -> None:
    """Android has no bounds: it finds the stranger's v2 signature there, where the app's own v1 signature would still hold."""
    apk = sign_v2(sign_v1(build_apk(target_sdk=28), A), B)
    values = [(number, b"") for number in range(10_001)] if hiding.startswith("behind") else [(77, bytes(65 << 20))]

    with pytest.raises(PackageUndecided) as caught:
        read(with_pairs(apk, [*values, *pairs(apk)]), 30)

    assert caught.value.reason is Doubt.TOO_LARGE
    assert signer_of(read(with_pairs(apk, [(77, b""), *pairs(apk)]), 30), 30) == B.digest
