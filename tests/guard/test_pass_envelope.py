"""A pass is taken as it was issued, or not at all."""

import pytest
from guard_scene import Scene

from backupkit.guard.pass_envelope import require_as_issued
from backupkit.proof.coverage_pass import MAX_PASS_BYTES
from backupkit.proof.refusals import PassMalformed


def test_a_pass_as_it_was_issued_has_nothing_that_is_not_signed(scene: Scene) -> None:
    require_as_issued(scene.issue())


@pytest.mark.parametrize(
    ("issued", "changed"),
    [
        (b'"keyid":""', b'"keyid":"owner"'),
        (b'"keyid":""', b'"keyid":null'),
        (b'"keyid":""', b'"keyid":"","more":1'),
        (b'"keyid":"",', b""),
        (b'"payloadType"', b'"more":1,"payloadType"'),
        (b'"payloadType"', b'"payloadTypo"'),
    ],
)
def test_what_is_not_signed_and_was_changed_makes_a_pass_malformed(scene: Scene, issued: bytes, changed: bytes) -> None:
    data = scene.issue()
    assert issued in data

    with pytest.raises(PassMalformed) as refused:
        require_as_issued(data.replace(issued, changed))

    assert refused.value.facts == {"detail": "unsigned-fields"}


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense", b"[]", b"1", b"{}", b'{"signatures":1}', b'{"signatures":[1]}', b'{"signatures":[[]]}',
     b'{"payload":"","payloadType":"","signatures":1}', b'{"payload":"","payloadType":"","signatures":[1]}',
     b" " * (MAX_PASS_BYTES + 1)],
)  # fmt: skip
def test_what_is_no_envelope_makes_a_pass_malformed(data: bytes) -> None:
    with pytest.raises(PassMalformed):
        require_as_issued(data)
