"""What is signed after a repair says what came back, and nothing about anybody."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backupkit.codec.malformed import MalformedObject
from backupkit.ids import PackName
from backupkit.proof.repair_statement import MOST_NAMED, RepairStatement, decode_repair_statement
from backupkit.proof.verify_statement import decode_verify_statement

FIRST, SECOND = PackName("0" * 64), PackName("f" * 64)
SAID = RepairStatement(
    store="backupkit.local/store/aaaqeayeaudaocajbifqydiob4",
    repaired=(FIRST,),
    lost=(SECOND,),
    repaired_count=1,
    lost_count=1,
    copies=2,
    packs=3,
    bytes_read=4096,
    repaired_at=datetime(2018, 6, 1, 8, 30, tzinfo=UTC),
)


def test_it_reads_as_it_was_written() -> None:
    assert decode_repair_statement(SAID.encode()) == SAID


def test_a_long_list_names_the_first_and_counts_all() -> None:
    many = tuple(PackName(f"{number:064x}") for number in range(MOST_NAMED + 5))

    said = decode_repair_statement(replace(SAID, repaired=many, repaired_count=len(many)).encode())

    assert (len(said.repaired), said.repaired_count) == (MOST_NAMED, MOST_NAMED + 5)


def test_it_is_never_taken_for_a_verification() -> None:
    with pytest.raises(MalformedObject):
        decode_verify_statement(SAID.encode())


@pytest.mark.parametrize("harm", [{"repaired": []}, {"lost": ["short"]}, {"copies": -1}, {"repairedAt": "today"}])
def test_one_that_does_not_hold_together_is_refused(harm: dict[str, object]) -> None:
    statement = json.loads(SAID.encode())
    statement["predicate"].update(harm)

    with pytest.raises(MalformedObject):
        decode_repair_statement(json.dumps(statement).encode())
