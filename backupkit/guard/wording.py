"""Which sentences a verdict is said with: keys of the catalogues and what fills them. No language lives here.

The first sentence is the verdict with the loss as a number; then what happened, why, and one thing to do. Consent has
two steps whose words differ on purpose.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from backupkit.clock import to_rfc3339
from backupkit.errors import Fact
from backupkit.guard.outcome import Outcome, SignerChange
from backupkit.guard.verdict import Decision, Loss, Verdict
from backupkit.proof.coverage_pass import EVERY_BYTE_READ, KEYS_RECOVERABLE, RESTORE_DRILL, SECOND_COPY


@dataclass(frozen=True, slots=True)
class Sentence:
    """A key of the catalogues and the facts that fill it."""

    key: str
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class Wording:
    """A verdict in sentences. `more` adds to the why; `steps` are the two questions of consent, or none."""

    label: Sentence
    headline: Sentence
    what: Sentence
    why: Sentence
    advice: Sentence
    more: tuple[Sentence, ...] = ()
    steps: tuple[Sentence, ...] = ()


def wording(verdict: Verdict) -> Wording:
    """Choose the sentences for a verdict."""
    facts = sentence_facts(verdict)
    own, cause = _own_key(verdict), verdict.facts.get("cause")
    # Where the chats are at stake, what the update would do comes before what is missing to allow it.
    first = own if cause is None else f"reason.{cause}"
    more = [] if cause is None else [f"{own}.what", f"{own}.why"]
    if verdict.loss is not None and verdict.would_erase:
        more.append(_not_in_backup(verdict.loss, counts=verdict.coverage is not None))
    more += [f"finding.{code}" for code in verdict.findings]
    if verdict.loss is not None and verdict.loss.newest is not None:
        more.append("loss.newest" if verdict.loss.oldest is None else "loss.span")
    return Wording(
        label=Sentence(_label(verdict), facts),
        headline=Sentence(_headline(verdict), facts),
        what=Sentence(f"{first}.what", facts),
        why=Sentence(f"{first}.why", facts),
        advice=Sentence(f"{first if cause in _CURED_BY_ANOTHER_WAY else own}.try", facts),
        more=tuple(Sentence(key, facts) for key in more),
        steps=tuple(_steps(verdict, facts)),
    )


# There is a way to the same end that keeps the chats, and it is better advice than a backup.
_CURED_BY_ANOTHER_WAY = {"update-instead", "removes-another-app"}


_CHECKS = frozenset({EVERY_BYTE_READ, KEYS_RECOVERABLE, RESTORE_DRILL, SECOND_COPY})


def _own_key(verdict: Verdict) -> str:
    """Where the sentences of a reason stand. Each check is passed by another command, and a signature is not two steps."""
    check = verdict.facts.get("check")
    if verdict.reason == "pass-policy-not-met" and check in _CHECKS:
        return f"check.{check}"
    if verdict.reason == "consent-refused" and verdict.facts.get("detail") == "token-needed":
        return "consent-refused.token-needed"
    return f"reason.{verdict.reason}"


def sentence_facts(verdict: Verdict) -> dict[str, Fact]:
    """Everything a sentence about this verdict may be filled with."""
    loss = verdict.loss or Loss()
    facts: dict[str, Fact] = {
        "app": verdict.judged.app_name or verdict.judged.package or "",
        "package": verdict.judged.package,
        "install_result": verdict.install_result,
        "messages": loss.messages,
        "conversations": loss.conversations,
        "media": loss.media,
        "size": loss.bytes,
        "oldest": None if loss.oldest is None else to_rfc3339(loss.oldest),
        "newest": None if loss.newest is None else to_rfc3339(loss.newest),
        "not_in_backup": loss.not_in_backup,
        "as_of": None if loss.as_of is None else to_rfc3339(loss.as_of),
        **verdict.facts,
    }
    if verdict.coverage is not None:
        facts |= {
            "snapshot": verdict.coverage.snapshot,
            "verified_at": to_rfc3339(verdict.coverage.verified_at),
            "covered_messages": verdict.coverage.messages,
            "covered_conversations": verdict.coverage.conversations,
            "covered_size": verdict.coverage.bytes,
        }
    return facts


def _label(verdict: Verdict) -> str:
    """The verdict in a word. An "allow" that still waits for the person's consent is not shown as one."""
    return "verdict.ask-first" if verdict.waits_for_consent else f"verdict.{verdict.decision.value}"


def _headline(verdict: Verdict) -> str:
    match verdict.outcome, verdict.decision:
        case Outcome.KEEPS_DATA, _:
            if verdict.signer_change is SignerChange.ROTATED:
                return "headline.keeps-data.rotated"
            return "headline.keeps-data"
        case Outcome.WOULD_WIPE, Decision.DENY:
            return "headline.would-wipe.deny"
        case Outcome.WOULD_WIPE, Decision.ALLOW:
            return f"headline.would-wipe.allow.{_counted(verdict.loss)}"
        case Outcome.WOULD_WIPE, _ if verdict.reason == "consent-refused":
            return f"headline.would-wipe.unconsented.{_counted(verdict.loss)}"
        case Outcome.WOULD_WIPE, _ if _may_be_saved(verdict):
            return f"headline.would-wipe.saved.{_counted(verdict.loss)}"
        case Outcome.WOULD_WIPE, _:
            return f"headline.would-wipe.hold.{_counted(verdict.loss)}"
        case Outcome.UNKNOWN, Decision.HOLD:
            # A chat program on this computer: nobody knows what the change would do, and a backup is waited for.
            return "headline.waits"
        case _:
            return f"headline.{verdict.outcome.value}"


def _may_be_saved(verdict: Verdict) -> bool:
    """Whether a backup holds some of what was counted, though it does not count now: "cannot be brought back" would be false then."""
    loss = verdict.loss
    if loss is None or _counted(loss) == "uncounted":
        return False
    if loss.not_in_backup is None or loss.messages is None:
        return verdict.reason != "no-verified-backup"
    return loss.not_in_backup < loss.messages


def _steps(verdict: Verdict, facts: Mapping[str, Fact]) -> list[Sentence]:
    if verdict.consent is None or not verdict.waits_for_consent:
        return []
    counted = _counted(verdict.loss)
    if counted in {"chats", "messages"} and facts.get("covered_messages") is None:
        # Counted on the phone, and sealed in the backup: how much of it can be restored is known as a size.
        counted += ".sized"
    return [
        Sentence(f"consent.first.{counted}", facts),
        Sentence("consent.second", {**facts, "app": verdict.consent.app_name}),
    ]


def _counted(loss: Loss | None) -> str:
    """Which numbers of a loss are known: the sentence names those, and never one that nobody counted."""
    if loss is None:
        return "uncounted"
    if loss.conversations is not None and loss.messages is not None and loss.bytes is not None:
        return "chats"
    if loss.messages is not None:
        return "messages"
    return "uncounted" if loss.bytes is None else "bytes"


def _not_in_backup(loss: Loss, *, counts: bool) -> str:
    if loss.not_in_backup is None:
        return "loss.not-in-backup.unknown"
    if loss.not_in_backup == 0 and not counts:
        # "None is missing from the backup" beside "no backup counts" would leave a person at a loss.
        return "loss.in-backup.not-counting"
    missing = "loss.not-in-backup" if loss.not_in_backup else "loss.not-in-backup.none"
    return missing if loss.as_of is None else f"{missing}.as-of"
