"""Signers that changed, and which of them a device of each level sees."""

import pytest
from apk_factory import (
    DEFAULT_CAPABILITIES,
    INSTALLED_DATA,
    NEWEST,
    ROLLBACK,
    V3,
    AppKey,
    add_pair,
    build_apk,
    make_key,
    make_lineage,
    make_signer,
    sequence,
    sign,
    sign_v2,
    sign_v3,
    sign_v31,
    sized,
    without_pair,
)
from apk_reading import DEVICES, Read, Refusal, signer_of

from backupkit.guard.apk.lineage import Capability
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason

A, B, C = make_key("ec", "A"), make_key("rsa", "B"), make_key("ec", "C")


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
