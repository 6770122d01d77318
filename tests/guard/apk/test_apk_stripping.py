"""Packages from which a signature was taken, or that hide one: none is taken for an older or simpler signed one."""

import os
import struct
from pathlib import Path

import pytest
from apk_factory import (
    NEWEST,
    V2,
    V3,
    V31,
    V32,
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
from apk_reading import DEVICES, Read, Refusal, signer_of

from backupkit.guard.apk.package import NEWEST_KNOWN_SDK, read_package
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason

A, B, C = make_key("ec", "A"), make_key("rsa", "B"), make_key("ec", "C")


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


@pytest.mark.parametrize("hiding", ["behind ten thousand values", "in a block of 65 MiB"])
def test_a_signature_out_of_reach_is_never_passed_over_for_an_older_one(read: Read, hiding: str) -> None:
    """Android has no bounds: it finds the stranger's v2 signature there, where the app's own v1 signature would still hold."""
    apk = sign_v2(sign_v1(build_apk(target_sdk=28), A), B)
    values = [(number, b"") for number in range(10_001)] if hiding.startswith("behind") else [(77, bytes(65 << 20))]

    with pytest.raises(PackageUndecided) as caught:
        read(with_pairs(apk, [*values, *pairs(apk)]), 30)

    assert caught.value.reason is Doubt.TOO_LARGE
    assert signer_of(read(with_pairs(apk, [(77, b""), *pairs(apk)]), 30), 30) == B.digest
