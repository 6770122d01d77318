"""Who signed a package, as plain values: what one side grants the other, and how levels join to spans."""

import pytest
from installed_app import A, B, C, signed

from backupkit.guard.facts import (
    Capability,
    LineageNode,
    Scheme,
    SignerSpan,
    SignerView,
    join_spans,
)
from backupkit.guard.outcome import InstallCode, SignerChange, signer_change

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
    }
