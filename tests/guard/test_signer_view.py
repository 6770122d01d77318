"""Who signed a package, as plain values: what one side grants the other, and how levels join to spans."""

import pytest
from installed_app import A, B, C, D, signed

from backupkit.guard.facts import (
    Capability,
    LineageNode,
    Scheme,
    SignerSpan,
    SignerView,
    join_spans,
)
from backupkit.guard.outcome import InstallCode, SignerChange, signer_change
from backupkit.ids import CertificateDigest

NOBODY = SignerView(())


@pytest.mark.parametrize(("one", "other"), [(NOBODY, signed(A)), (signed(A), NOBODY), (NOBODY, NOBODY)])
def test_where_nobody_signed_nothing_is_granted(one: SignerView, other: SignerView) -> None:
    assert not any(one.grants(other, capability) for capability in Capability)


@pytest.mark.parametrize(("old", "new"), [(None, signed(A)), (signed(A), None), (None, None)])
def test_a_signer_that_is_not_known_has_no_relation(old: SignerView | None, new: SignerView | None) -> None:
    assert signer_change(old, new) is SignerChange.UNKNOWN


def test_several_signers_descend_from_the_same_set_only() -> None:
    both, history = signed(A, B), (LineageNode(A, Capability(0)), LineageNode(B, Capability(0)))

    assert both.descends_from(signed(B, A))
    assert not both.descends_from(signed(A, C))
    assert not signed(B, lineage=history).descends_from(both)
    assert signed(B, lineage=history).descends_from(signed(A))


def test_levels_that_agree_over_a_gap_stay_apart() -> None:
    spans = [SignerSpan(24, 26, signed(A)), SignerSpan(28, 30, signed(A)), SignerSpan(31, 33, signed(A))]

    assert join_spans(spans) == (SignerSpan(24, 26, signed(A)), SignerSpan(28, 33, signed(A)))


@pytest.mark.parametrize("scheme", Scheme)
def test_a_scheme_is_read_as_it_is_written(scheme: Scheme) -> None:
    assert Scheme.from_label(scheme.label) is scheme


@pytest.mark.parametrize("label", ["v4", "V3", "3.1"])
def test_an_unknown_scheme_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match=label):
        Scheme.from_label(label)


def test_numbers_of_android_are_those_of_its_sources() -> None:
    """They lie in records and are spoken to shops."""
    assert {one.name: one.value for one in Capability} == {
        "INSTALLED_DATA": 1, "SHARED_USER_ID": 2, "PERMISSION": 4, "ROLLBACK": 8, "AUTH": 16,
    }  # fmt: skip
    assert {one.name: one.value for one in InstallCode if one.value <= -100 and one.name.startswith("PARSE")} == {
        "PARSE_FAILED_NOT_APK": -100,
        "PARSE_FAILED_NO_CERTIFICATES": -103,
        "PARSE_FAILED_INCONSISTENT_CERTIFICATES": -104,
        "PARSE_FAILED_RESOURCES_ARSC_COMPRESSED": -124,
    }


def rotated(*certificates: CertificateDigest) -> SignerView:
    return signed(certificates[-1], lineage=[LineageNode(one, Capability(0)) for one in certificates])


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (signed(A), signed(A), True),
        (signed(A, B), signed(B, A), True),
        (signed(A), signed(B), False),
        (signed(A, B), signed(A), False),
        (signed(A), rotated(A, B), True),
        (signed(B), rotated(A, B), True),
        (signed(C), rotated(A, B), False),
        (rotated(A, B), rotated(A, B), True),
        (rotated(A, B), rotated(A, B, C), True),
        (rotated(A, B), rotated(B, C), True),
        (rotated(B, C), rotated(A, B, C, D), True),
        (rotated(A, B), rotated(C, B), False),
        (rotated(A, B), rotated(D, B, C), False),
        (rotated(A, B, C), rotated(A, D, C), False),
        (rotated(A, B), rotated(A, C), False),
    ],
)
def test_two_histories_are_one_where_they_name_the_same_signers_as_far_as_both_go(
    one: SignerView, other: SignerView, *, shared: bool
) -> None:
    # The cases of AOSP's `SigningDetailsTest`, `hasCommonAncestor_*`.
    assert one.shares_history(other) is shared
    assert other.shares_history(one) is shared
