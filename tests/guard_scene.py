"""A shop, a phone and a backup store to play the accident of 2018 with: real packages, real keys, a real log."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from apk_factory import AppKey, build_apk, make_key, make_lineage, sign

from backupkit.crypto.signing import SigningKey
from backupkit.guard.desk import Desk, save_owner, save_pass, save_pins
from backupkit.guard.places import GuardPlaces
from backupkit.guard.policy import GuardPolicy
from backupkit.guard.request import OnDisk, UpdateRequest
from backupkit.guard.verdict import Verdict
from backupkit.ids import AppPackage, CertificateDigest, SnapshotId
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
from backupkit.proof.merkle import leaf_hash, tree_root
from backupkit.proof.pins import Pins

WECHAT = AppPackage("com.tencent.mm")
NOON = datetime(2018, 6, 1, 12, tzinfo=UTC)
ORIGIN = "backupkit.local/store/abc"
LOG_KEY, ATTEST_KEY, OWNER = (SigningKey(bytes([number]) * 32) for number in (17, 18, 19))
PINS = Pins(ORIGIN, LOG_KEY.verify_key, ATTEST_KEY.verify_key)
MAKER, STRANGER, NEW_MAKER = make_key("ec", "maker"), make_key("ec", "stranger"), make_key("ec", "new maker")


@dataclass
class Scene:
    """Everything that lies on the disk in one play."""

    folder: Path
    now: datetime = NOON
    leaves: list[bytes] = field(default_factory=lambda: [leaf_hash(b"entry %d" % number) for number in range(7)])

    @property
    def places(self) -> GuardPlaces:
        """The guard's memory."""
        return GuardPlaces(self.folder / "state" / "backupkit" / "guard")

    def enrol_store(self) -> None:
        """Pair the backup store with the guard."""
        save_pins(self.places, PINS)
        save_owner(self.places, OWNER.verify_key)

    def package(self, name: str, *keys: AppKey, lineage: Any = None, **manifest: Any) -> Path:
        """Write a signed package, WeChat unless said otherwise."""
        path = self.folder / name
        if path.exists():
            # Signing draws new random numbers each time, and one play needs one file.
            return path
        path.write_bytes(sign(build_apk(**{"package": WECHAT, **manifest}), *(keys or (MAKER,)), lineage=lineage))
        return path

    def installed(self) -> Path:
        """WeChat as the phone has it."""
        return self.package("installed.apk", version_code=10)

    def offered_by_stranger(self) -> Path:
        """The update of 2018: another signer, no proof of rotation."""
        return self.package("offered.apk", STRANGER, version_code=20)

    def rotated(self) -> Path:
        """An update by a maker who changed the key and proved it."""
        lineage = make_lineage([MAKER, NEW_MAKER])
        return self.package("rotated.apk", NEW_MAKER, lineage=lineage, version_code=20)

    def head(self, *, leaves: list[bytes] | None = None) -> bytes:
        """The store's log head."""
        entries = self.leaves if leaves is None else leaves
        return sign_checkpoint(Checkpoint(ORIGIN, len(entries), tree_root(entries)), LOG_KEY)

    def coverage(self, *, since: int | None = None, leaves: list[bytes] | None = None) -> CoveragePass:
        """What the store proves: the chats of WeChat, verified an hour ago. `since` is the log size last seen."""
        entries = self.leaves if leaves is None else leaves
        offers = () if since is None else (proof_from(entries, since),)
        return CoveragePass(
            verifier="backupkit/0.1.0",
            app=CoveredApp(WECHAT, (CertificateDigest(MAKER.digest),), 10),
            snapshot=SnapshotId("5a" * 32),
            snapshot_root="6b" * 32,
            covered=Covered(
                messages=48_211,
                conversations=96,
                media=6_502,
                size_bytes=11_000_000_000,
                files=6_700,
                oldest_message_at=self.now - timedelta(days=1000),
                newest_message_at=self.now - timedelta(hours=3),
            ),
            checks=(Check(EVERY_BYTE_READ, "passed", "sealed"), Check(KEYS_RECOVERABLE, "passed")),
            verified_at=self.now - timedelta(hours=1),
            time_created=self.now - timedelta(hours=1),
            expires=self.now + timedelta(hours=23),
            log=LogHead(ORIGIN, self.head(leaves=entries), offers),
        )

    def issue(self, coverage: CoveragePass | None = None, **changes: Any) -> bytes:
        """Write a pass where the guard finds it, and return it."""
        data = issue((coverage or self.coverage())._replace(**changes), ATTEST_KEY)
        save_pass(self.places, WECHAT, data)
        return data


def on_disk(path: Path) -> OnDisk:
    """A package as a careful shop names it: with the digest of what it means."""
    return OnDisk(path, hashlib.sha256(path.read_bytes()).hexdigest())


def question(scene: Scene, offered: Path | None = None, **changes: Any) -> UpdateRequest:
    """A shop's question about WeChat: by default, whether the stranger's update may be installed."""
    candidate = on_disk(offered or scene.offered_by_stranger())
    given: dict[str, Any] = {
        "installed": on_disk(scene.installed()),
        "candidate": candidate,
        "device_sdk": 33,
        "app_name": "微信",
    }
    return UpdateRequest(**{**given, **changes})


def answer(scene: Scene, request: UpdateRequest, policy: GuardPolicy | None = None) -> Verdict:
    """What the guard's desk answers now."""
    return Desk(scene.places, policy).answer(request, scene.now)


def said(verdict: Verdict) -> tuple[str, str, str]:
    """Decision, outcome and reason in the words of the contract."""
    return verdict.decision.value, verdict.outcome.value, verdict.reason
