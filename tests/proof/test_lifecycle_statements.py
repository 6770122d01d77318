"""What is signed when snapshots are forgotten, taken back, marked and swept."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backupkit.codec.canonical import encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import DomainId, PackName, SnapshotId
from backupkit.proof.dsse import open_envelope
from backupkit.proof.forget_statement import (
    MOST_SNAPSHOTS,
    ForgetStatement,
    UndeleteStatement,
    decode_forget_statement,
    decode_undelete_statement,
)
from backupkit.proof.pins import decode_pins
from backupkit.proof.rebuild_statement import RebuildStatement, decode_rebuild_statement
from backupkit.proof.repack_statement import MOST_REPLACED, RepackStatement, decode_repack_statement
from backupkit.proof.statement import MAX_STATEMENT_BYTES, PAYLOAD_TYPE
from backupkit.proof.sweep_statement import (
    MOST_PACKS,
    MOST_SNAPSHOTS as MOST_SWEPT,
    MarkStatement,
    SweepStatement,
    decode_mark_statement,
    decode_sweep_statement,
)

GOLDEN = Path(__file__).parents[1] / "vectors/proof"
STORE, AT = "backupkit.local/store/aaaqeayeaudaocajbifqydiob4", datetime(2018, 6, 1, 8, 30, tzinfo=UTC)
TWO = (SnapshotId("1" * 64), SnapshotId("2" * 64))
PACKS = ((DomainId(b"\x01" * 16), PackName("3" * 64)), (DomainId(b"\x02" * 16), PackName("0" * 64)))
REPLACED = {PACKS[0]: ((PackName("4" * 64), 9000), (PackName("5" * 64), 1)), PACKS[1]: ()}
SAID: list[tuple[Any, Callable[[bytes], Any]]] = [
    (ForgetStatement(STORE, TWO, "asked", AT), decode_forget_statement),
    (UndeleteStatement(STORE, TWO, AT), decode_undelete_statement),
    (MarkStatement(STORE, PACKS, 7, AT), decode_mark_statement),
    (SweepStatement(STORE, PACKS, TWO, AT), decode_sweep_statement),
    (RepackStatement(STORE, REPLACED, TWO, AT), decode_repack_statement),
    (RebuildStatement(STORE, "log-damaged", 3, 7, TWO, 2, TWO[:1], 1, True, AT), decode_rebuild_statement),
]


@pytest.mark.parametrize(("said", "decode"), SAID)
def test_each_reads_as_it_was_written_and_is_never_taken_for_another(said: Any, decode: Callable[[bytes], Any]) -> None:
    assert decode(said.encode()) == said
    for _, other in SAID:
        if other is not decode:
            with pytest.raises(MalformedObject):
                other(said.encode())


@pytest.mark.parametrize(("said", "decode"), SAID)
@pytest.mark.parametrize(
    "harm",
    [
        {"snapshots": [], "packs": [], "replaced": []},
        {"snapshots": ["2" * 64, "1" * 64], "packs": [f"{'02' * 16}/{'0' * 64}", f"{'01' * 16}/{'3' * 64}"]},
        {"snapshots": ["1" * 64], "packs": [f"{'01' * 16}/{'3' * 64}"]},
        {"snapshots": ["short"], "packs": ["short"]},
        {"snapshots": [1], "packs": [1]},
        {"forgottenAt": "today", "undeletedAt": "today", "markedAt": "today", "sweptAt": "today"},
        {"store": 7},
        {"store": STORE, "snapshots": ["3" * 64], "packs": []},
    ],
)
def test_one_that_does_not_hold_together_is_refused(
    said: Any, decode: Callable[[bytes], Any], harm: dict[str, object]
) -> None:
    statement = json.loads(said.encode())
    statement["predicate"].update({key: value for key, value in harm.items() if key in statement["predicate"]})

    with pytest.raises(MalformedObject):
        decode(json.dumps(statement).encode())


@pytest.mark.parametrize(
    "row",
    [
        {"pack": "short", "by": []},
        {"pack": f"{'01' * 16}/{'3' * 64}", "by": [{"pack": "4" * 64, "bytes": 1 << 41}]},
        {"pack": f"{'01' * 16}/{'3' * 64}", "by": [{"pack": "4" * 64, "bytes": -1}]},
        {"pack": f"{'01' * 16}/{'3' * 64}", "by": [{"pack": "../" * 21 + "4", "bytes": 1}]},
        {"pack": f"{'01' * 16}/{'3' * 64}", "by": [{"bytes": 1}]},
        {"pack": f"{'01' * 16}/{'3' * 64}", "by": [], "more": 1},
        {"pack": f"{'01' * 16}/{'3' * 64}"},
        7,
    ],
)
def test_a_replacement_that_names_nothing_a_pack_can_be_is_refused(row: object) -> None:
    statement = json.loads(RepackStatement(STORE, REPLACED, (), AT).encode())
    statement["predicate"]["replaced"] = [row]
    statement["subject"][0]["digest"]["sha256"] = hashlib.sha256(encode_canonical([row])).hexdigest()

    with pytest.raises(MalformedObject):
        decode_repack_statement(encode_canonical(statement))


def test_the_largest_that_are_written_can_be_read() -> None:
    many = tuple(SnapshotId(f"{number:064x}") for number in range(MOST_SNAPSHOTS))
    packs = tuple((DomainId(b"\x01" * 16), PackName(f"{number:064x}")) for number in range(MOST_PACKS))

    forgotten = ForgetStatement(STORE, many, "retention", AT).encode()
    swept = SweepStatement(STORE, packs, many[:MOST_SWEPT], AT).encode()

    replaced = {pack: ((PackName("4" * 64), 1),) for pack in packs[:MOST_REPLACED]}
    repacked = RepackStatement(STORE, replaced, many[:MOST_SWEPT], AT).encode()
    rebuilt = RebuildStatement(STORE, "log-damaged", 0, 0, many, 9999, many, 0, False, AT).encode()

    assert decode_repack_statement(repacked).replaced == replaced
    assert decode_rebuild_statement(rebuilt).gone == many
    assert decode_forget_statement(forgotten).snapshots == many
    assert decode_sweep_statement(swept).packs == packs
    assert max(len(forgotten), len(swept), len(repacked), len(rebuilt)) < MAX_STATEMENT_BYTES


def test_the_golden_statements_are_read() -> None:
    keys = decode_pins((GOLDEN / "pins.json").read_bytes()).attest_key

    def golden(kind: str) -> bytes:
        return open_envelope((GOLDEN / f"{kind}.dsse.json").read_bytes(), keys, PAYLOAD_TYPE)

    assert decode_forget_statement(golden("forget")).reason == "retention"
    assert decode_undelete_statement(golden("undelete")).snapshots == decode_sweep_statement(golden("sweep")).snapshots
    assert decode_mark_statement(golden("mark")).packs == decode_sweep_statement(golden("sweep")).packs
    assert {PackName("06" * 32), PackName("03" * 32)} == {
        pack for _, pack in decode_repack_statement(golden("repack")).replaced
    }
    assert decode_rebuild_statement(golden("rebuild")).reason == "history-rolled-back"
