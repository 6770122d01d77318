"""What the guard answers.

A verdict cannot be built wrong: "allow" exists only where the chats are kept, or where they are covered and the person
is asked twice. Its JSON is the contract with every shop: `docs/reference/store-contract.md`.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from backupkit.clock import to_rfc3339
from backupkit.errors import ExitCode, Fact
from backupkit.guard.consent import Consent
from backupkit.guard.outcome import Action, Outcome, SignerChange
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

    `oldest` and `newest` are the times of the first and the last message, `not_in_backup` how many messages no verified backup holds,
    and `as_of` the moment at which that was counted, None where the asker said so just now.
    """

    messages: int | None = None
    conversations: int | None = None
    media: int | None = None
    bytes: int | None = None
    oldest: datetime | None = None
    newest: datetime | None = None
    not_in_backup: int | None = None
    as_of: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The `loss` object of a verdict."""
        return {
            "messages": self.messages,
            "conversations": self.conversations,
            "media": self.media,
            "bytes": self.bytes,
            "oldest": None if self.oldest is None else to_rfc3339(self.oldest),
            "newest": None if self.newest is None else to_rfc3339(self.newest),
            "not_in_backup": self.not_in_backup,
            "as_of": None if self.as_of is None else to_rfc3339(self.as_of),
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
    oldest: datetime | None
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
            "oldest": None if self.oldest is None else to_rfc3339(self.oldest),
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


_NOTHING_JUDGED = Judged()
_NO_FACTS: Mapping[str, Fact] = MappingProxyType({})


class _Fields(NamedTuple):
    decision: Decision
    outcome: Outcome
    reason: str
    install_result: int | None
    signer_change: SignerChange
    would_erase: bool
    consent: Consent | None
    loss: Loss | None
    coverage: Coverage | None
    suggestions: tuple[str, ...]
    judged: Judged
    facts: Mapping[str, Fact]
    not_judged: tuple[str, ...]
    findings: tuple[str, ...]


class Verdict(_Fields):
    """One answer to one question. `facts` fill the sentences of `reason.<reason>`; they are not part of the JSON."""

    __slots__ = ()

    def __new__(
        cls,
        *,
        decision: Decision,
        outcome: Outcome,
        reason: str,
        install_result: int | None = None,
        signer_change: SignerChange = SignerChange.UNKNOWN,
        would_erase: bool = True,
        consent: Consent | None = None,
        loss: Loss | None = None,
        coverage: Coverage | None = None,
        suggestions: tuple[str, ...] = (),
        judged: Judged = _NOTHING_JUDGED,
        facts: Mapping[str, Fact] = _NO_FACTS,
        not_judged: tuple[str, ...] = (),
        findings: tuple[str, ...] = (),
    ) -> Self:
        """Refuse an "allow" that nothing justifies. This is the last line: a bug above ends here, not in a wipe."""
        verdict = super().__new__(
            cls, decision, outcome, reason, install_result, signer_change, would_erase, consent, loss, coverage,
            suggestions, judged, facts, not_judged, findings,
        )  # fmt: skip
        if verdict.decision is not Decision.ALLOW:
            return verdict
        keeps = verdict.outcome in {Outcome.KEEPS_DATA, Outcome.PARALLEL_APP} and not verdict.would_erase
        is_asked = verdict.coverage is not None and verdict.consent is not None
        if not keeps and not (verdict.outcome is Outcome.WOULD_WIPE and is_asked):
            raise UnjustifiedAllow(verdict.reason)
        return verdict

    def but(self, **changes: Any) -> "Verdict":
        """Return the same verdict with some fields changed, looked at again as a whole."""
        return Verdict(**(self._asdict() | changes))

    def _replace(self, **changes: Any) -> "Verdict":
        # The way of named tuples would go past the check.
        return self.but(**changes)

    @property
    def waits_for_consent(self) -> bool:
        """Whether the person must still be asked."""
        return self.decision is Decision.ALLOW and self.consent is not None and self.consent.given_by is None

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
            # What was passed over on the way. It decided nothing.
            "findings": list(self.findings),
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
