"""What the guard answers.

A verdict cannot be built wrong: "allow" exists only where the chats are kept, or where they are covered and the person
is asked twice. Its JSON is the contract with every shop: `docs/reference/store-contract.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from backupkit.clock import to_rfc3339
from backupkit.errors import ExitCode, Fact
from backupkit.guard.consent import Consent
from backupkit.guard.device_rules import Action, Outcome, SignerChange
from backupkit.ids import AppPackage, SnapshotId


class Decision(Enum):
    """What the shop may do."""

    ALLOW = "allow"
    HOLD = "hold"
    DENY = "deny"
    UNDECIDED = "undecided"


EXIT_CODES = {
    Decision.ALLOW: ExitCode.DONE,
    Decision.HOLD: ExitCode.HOLD,
    Decision.DENY: ExitCode.DENY,
    Decision.UNDECIDED: ExitCode.UNDECIDED,
}


class Loss(NamedTuple):
    """What would be gone, in numbers; None where nobody counted.

    `newest` is the time of the newest message, `not_in_backup` how many messages no verified backup holds.
    """

    messages: int | None = None
    conversations: int | None = None
    media: int | None = None
    bytes: int | None = None
    newest: datetime | None = None
    not_in_backup: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The `loss` object of a verdict."""
        return {
            "messages": self.messages,
            "conversations": self.conversations,
            "media": self.media,
            "bytes": self.bytes,
            "newest": None if self.newest is None else to_rfc3339(self.newest),
            "not_in_backup": self.not_in_backup,
        }


class Coverage(NamedTuple):
    """What a coverage pass proves, after it was checked."""

    snapshot: SnapshotId
    verified_at: datetime
    expires: datetime
    checks: tuple[str, ...]
    messages: int | None
    conversations: int | None
    media: int | None
    bytes: int
    newest: datetime | None

    def to_json(self) -> dict[str, Any]:
        """The `coverage` object of a verdict."""
        return {
            "snapshot": self.snapshot,
            "verified_at": to_rfc3339(self.verified_at),
            "expires": to_rfc3339(self.expires),
            "checks": list(self.checks),
            "messages": self.messages,
            "conversations": self.conversations,
            "media": self.media,
            "bytes": self.bytes,
            "newest": None if self.newest is None else to_rfc3339(self.newest),
        }


class Judged(NamedTuple):
    """Which update a verdict is about. A verdict about other bytes is void."""

    action: Action | None = None
    package: AppPackage | None = None
    app_name: str | None = None
    old_sha256: str | None = None
    new_sha256: str | None = None
    store: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One answer to one question. `facts` fill the sentences of `reason.<reason>`; they are not part of the JSON."""

    decision: Decision
    outcome: Outcome
    reason: str
    install_result: int | None = None
    signer_change: SignerChange = SignerChange.UNKNOWN
    would_erase: bool = True
    consent: Consent | None = None
    loss: Loss | None = None
    coverage: Coverage | None = None
    suggestions: tuple[str, ...] = ()
    judged: Judged = field(default_factory=Judged)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    not_judged: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an "allow" that nothing justifies. This is the last line: a bug above ends here, not in a wipe."""
        if self.decision is not Decision.ALLOW:
            return
        keeps = self.outcome in {Outcome.KEEPS_DATA, Outcome.PARALLEL_APP} and not self.would_erase
        covered = self.outcome is Outcome.WOULD_WIPE and self.coverage is not None and self.consent is not None
        if not keeps and not covered:
            raise UnjustifiedAllow(self.reason)

    @property
    def exit_code(self) -> ExitCode:
        """What the process ends with."""
        return EXIT_CODES[self.decision]

    def to_json(self) -> dict[str, Any]:
        """The verdict as the one JSON object of the contract, keys in their fixed order."""
        return {
            "type": "verdict",
            "v": 1,
            "decision": self.decision.value,
            "outcome": self.outcome.value,
            "install_result": None if self.install_result is None else int(self.install_result),
            "reason": self.reason,
            "signer_change": self.signer_change.value,
            "would_erase": self.would_erase,
            "consent": None if self.consent is None else self.consent.to_json(),
            "loss": None if self.loss is None else self.loss.to_json(),
            "coverage": None if self.coverage is None else self.coverage.to_json(),
            # Install these bytes and no others: a file that was swapped after the answer has another digest.
            "candidate_sha256": self.judged.new_sha256,
            # Facts of the device that nobody gave: they could only have added a refusal that leaves the chats alone.
            "not_judged": list(self.not_judged),
            "try": list(self.suggestions),
            "exit_code": int(self.exit_code),
        }


class UnjustifiedAllow(AssertionError):
    """Somebody tried to build an "allow" without what it needs. A bug, and never an answer."""


def undecided(reason: str, judged: Judged | None = None, facts: Mapping[str, Fact] | None = None) -> Verdict:
    """What is not understood is held: the answer to every failure."""
    return Verdict(
        decision=Decision.UNDECIDED,
        outcome=Outcome.UNKNOWN,
        reason=reason,
        judged=judged or Judged(),
        suggestions=("backupkit explain " + reason,),
        facts=facts or {},
    )
