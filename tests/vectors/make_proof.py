"""Makes the golden files under `tests/vectors/proof`: a small store's statements, log and pass, with fixed keys and times.

Everything here is deterministic, so the test makes them anew and compares every byte. Where they differ the format has
changed: that needs a new version of it, and new files beside these.

    python tests/vectors/make_proof.py [FOLDER]
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backupkit.crypto.signing import SigningKey
from backupkit.ids import AppPackage, CertificateDigest, ChunkId, DomainId, PackName
from backupkit.proof.checkpoint import Checkpoint, sign_checkpoint
from backupkit.proof.coverage_pass import (
    EVERY_BYTE_READ,
    KEYS_RECOVERABLE,
    Check,
    CoveragePass,
    Covered,
    CoveredApp,
    LogHead,
    issue,
    proof_from,
)
from backupkit.proof.dsse import sign_envelope
from backupkit.proof.forget_statement import ForgetStatement, UndeleteStatement
from backupkit.proof.log_entry import entry_about
from backupkit.proof.merkle import tree_root
from backupkit.proof.pem import public_pem
from backupkit.proof.pins import Pins
from backupkit.proof.rebuild_statement import RebuildStatement
from backupkit.proof.repack_statement import RepackStatement
from backupkit.proof.snapshot_statement import DomainRoot, PackSet, SnapshotStatement, snapshot_id
from backupkit.proof.sshsig import ATTESTATION_NAMESPACE, SNAPSHOT_NAMESPACE, allowed_signers_line, sign_ssh
from backupkit.proof.statement import PAYLOAD_TYPE
from backupkit.proof.sweep_statement import MarkStatement, SweepStatement
from backupkit.proof.verify_statement import VerifyStatement
from backupkit.proof.witness import WitnessState

LOG_KEY, ATTEST_KEY = SigningKey(bytes(range(32))), SigningKey(bytes(range(32, 64)))
ORIGIN = "backupkit.local/store/aaaqeayeaudaocajbifqydiob4"
TAKEN = datetime(2018, 6, 1, 8, 30, tzinfo=UTC)


def golden_files() -> dict[str, bytes]:
    """Return the golden files by name."""
    snapshot = SnapshotStatement(
        store=ORIGIN,
        writer="00112233445566778899aabbccddeeff",
        previous=None,
        created_at=TAKEN,
        complete=True,
        domains=(DomainRoot(DomainId(b"\x01" * 16), ChunkId(b"\x02" * 32), PackName("03" * 32)),),
        packs=PackSet("04" * 32, 7, 117_440_512),
        size_bytes=123_456_789,
        tool_name="backupkit",
        tool_version="0.1.0",
    )
    taken = snapshot.encode()
    verified = VerifyStatement(
        store=ORIGIN,
        snapshot=snapshot_id(taken),
        snapshot_root=snapshot.root,
        method="sealed",
        result="passed",
        bytes_read=117_440_512,
        packs=7,
        verified_at=TAKEN + timedelta(minutes=5),
    ).encode()
    entries = [
        entry_about(taken, "snapshot", seq=0, time=TAKEN),
        entry_about(verified, "verify", seq=1, time=TAKEN + timedelta(minutes=5)),
    ]
    leaves = [entry.hash() for entry in entries]
    root = tree_root(leaves)
    checkpoint = sign_checkpoint(Checkpoint(ORIGIN, len(leaves), root), LOG_KEY)
    coverage = CoveragePass(
        verifier="backupkit/0.1.0",
        app=CoveredApp(AppPackage("com.tencent.mm"), (CertificateDigest("05" * 32),), 1300),
        snapshot=snapshot_id(taken),
        snapshot_root=snapshot.root,
        covered=Covered(
            messages=48_211,
            conversations=96,
            media=6_502,
            size_bytes=123_456_789,
            files=6_700,
            oldest_message_at=datetime(2012, 1, 30, 4, 5, 6, tzinfo=UTC),
            newest_message_at=TAKEN - timedelta(minutes=7),
            source_high_water="rowid:48211",
        ),
        checks=(Check(EVERY_BYTE_READ, "passed", "sealed"), Check(KEYS_RECOVERABLE, "passed")),
        verified_at=TAKEN + timedelta(minutes=5),
        time_created=TAKEN + timedelta(minutes=6),
        expires=TAKEN + timedelta(hours=24, minutes=5),
        challenge="c0" * 16,
        log=LogHead(ORIGIN, checkpoint, (proof_from(leaves, 1),)),
    )
    marked = ((DomainId(b"\x01" * 16), PackName("03" * 32)), (DomainId(b"\x01" * 16), PackName("06" * 32)))
    later = {
        "forget": ForgetStatement(ORIGIN, (snapshot_id(taken),), "retention", TAKEN + timedelta(days=1)).encode(),
        "undelete": UndeleteStatement(ORIGIN, (snapshot_id(taken),), TAKEN + timedelta(days=2)).encode(),
        "mark": MarkStatement(ORIGIN, marked, 5, TAKEN + timedelta(days=40)).encode(),
        "sweep": SweepStatement(ORIGIN, marked, (snapshot_id(taken),), TAKEN + timedelta(days=42)).encode(),
    }
    replaced = {marked[0]: ((PackName("07" * 32), 10_872),), marked[1]: ()}
    later |= {
        "repack": RepackStatement(ORIGIN, replaced, (), TAKEN + timedelta(days=43)).encode(),
        "rebuild": RebuildStatement(
            store=ORIGIN,
            reason="history-rolled-back",
            kept_size=2,
            seen_size=5,
            snapshots=(snapshot_id(taken),),
            snapshot_count=1,
            gone=(),
            from_packs=0,
            config_made_anew=False,
            rebuilt_at=TAKEN + timedelta(days=44),
        ).encode(),
    }
    return {
        **{f"{kind}.dsse.json": sign_envelope(said, PAYLOAD_TYPE, [ATTEST_KEY]) for kind, said in later.items()},
        "snapshot.statement.json": taken,
        "snapshot.dsse.json": sign_envelope(taken, PAYLOAD_TYPE, [ATTEST_KEY]),
        "snapshot.sshsig": sign_ssh(taken, ATTEST_KEY, SNAPSHOT_NAMESPACE),
        "verify.dsse.json": sign_envelope(verified, PAYLOAD_TYPE, [ATTEST_KEY]),
        "entry-0.json": entries[0].encode(),
        "entry-1.json": entries[1].encode(),
        "checkpoint": checkpoint,
        "pass.dsse.json": issue(coverage, ATTEST_KEY),
        "pins.json": Pins(ORIGIN, LOG_KEY.verify_key, ATTEST_KEY.verify_key).encode(),
        "witness.json": WitnessState(ORIGIN, len(leaves), root).encode(),
        "witness-asked.json": WitnessState(ORIGIN, len(leaves), root, datetime(2018, 6, 1, 9, tzinfo=UTC)).encode(),
        "log-key.pem": public_pem(LOG_KEY.verify_key).encode(),
        "attest-key.pem": public_pem(ATTEST_KEY.verify_key).encode(),
        "allowed_signers": allowed_signers_line(
            ORIGIN, ATTEST_KEY.verify_key, SNAPSHOT_NAMESPACE, ATTESTATION_NAMESPACE
        ).encode(),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "proof"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in golden_files().items():
        (folder / name).write_bytes(data)
