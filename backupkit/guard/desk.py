"""Where a question is answered on this machine: with the pins, policy, records and passes that lie in `GuardPlaces`.

The order matters. What was learned (the store's newer log head, the app's record) is kept, then the decision is put in
the ledger, and only then is it spoken. If one of the first two fails, an "allow" is not spoken at all.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from backupkit.codec.canonical import decode_json
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.signing import PUBLIC_SIZE, SigningKey, VerifyKey
from backupkit.errors import Fact, reason_of
from backupkit.guard.consent import MAX_GIVEN_BYTES, ConsentRefused, GivenConsent, decode_given
from backupkit.guard.desktop import DesktopChange, decide_desktop
from backupkit.guard.examination import Unanswerable, examine, judged_of
from backupkit.guard.judge import Known, conclude, never_raise
from backupkit.guard.ledger import append, entry_of, kept_entry
from backupkit.guard.loss_hint import MAX_HINT_BYTES
from backupkit.guard.package_record import Records
from backupkit.guard.places import GuardPlaces, read_small, write_first, write_whole
from backupkit.guard.policy import GuardPolicy, PolicyRefused
from backupkit.guard.request import UpdateRequest
from backupkit.guard.verdict import Decision, Judged, Verdict, undecided
from backupkit.home import is_open_to_others
from backupkit.ids import AppPackage
from backupkit.proof.coverage_pass import MAX_PASS_BYTES
from backupkit.proof.pins import MAX_PINS_BYTES, Pins, decode_pins
from backupkit.proof.witness import KeptWitness, WitnessState, held_witness

__all__ = [
    "Desk", "Unanswerable", "load_given", "load_hook_key", "load_owner", "load_pins", "load_policy", "save_given",
    "save_owner", "save_pass", "save_pins", "save_policy",
]  # fmt: skip

MAX_POLICY_BYTES = 16 << 10
SEED_SIZE = 32


class Desk(NamedTuple):
    """A guard with a memory. `policy` None: the one in its places, or the defaults."""

    places: GuardPlaces
    policy: GuardPolicy | None = None

    def answer(self, request: UpdateRequest, now: datetime) -> Verdict:
        """Judge an update, remember it, and return the verdict. Never raises."""
        judged = judged_of(request)
        verdict = never_raise(lambda: self._judge(request, now), judged)
        return self._recorded(verdict, now)

    def answer_desktop(self, change: DesktopChange, now: datetime) -> Verdict:
        """Decide about a package of the system, remember it, and return the verdict. Never raises."""
        judged = Judged(action=change.action, package=change.app, app_name=change.name, store=change.store)
        return self._recorded(never_raise(lambda: self._decide_desktop(change, now), judged), now)

    def refuse(self, reason: str, facts: Mapping[str, Fact], now: datetime) -> Verdict:
        """Answer something that was no question; that is remembered too."""
        return self._recorded(undecided(reason, facts=facts), now)

    def note_kept(self, verdict: Verdict, now: datetime) -> None:
        """Remember that a person was asked for consent to this update and keeps the app.

        A note that cannot be written is one note less: the app is kept all the same.
        """
        with suppress(OSError, Unanswerable):
            append(self.places.ledger, kept_entry(verdict, now), load_hook_key(self.places))

    def _judge(self, request: UpdateRequest, now: datetime) -> Verdict:
        _require_private(self.places)
        policy = self.policy or load_policy(self.places)
        records = Records(self.places.records)
        examined = examine(request, records, now)
        with _held(self.places) as witness:
            if records.read(examined.installed.package) != examined.on_file:
                # Another question about this app was answered meanwhile. What it allowed may be what is installed now.
                examined = examine(request, records, now)
            known = Known(
                pins=load_pins(self.places),
                policy=policy,
                witness=witness.state,
                now=now,
                pass_data=_pass_on_file(self.places, examined.installed.package),
                owner=load_owner(self.places),
                given=load_given(self.places, examined.installed.package),
                hint=_hint_on_file(self.places, examined.installed.package),
            )
            judgement = conclude(examined, known)
            # Kept before it is acted on: a crash in between costs a question, never a rollback unnoticed.
            _keep(witness, judgement.witness, now)
            if judgement.record is not None and judgement.record != examined.on_file:
                with _usable("memory-unwritable"):
                    records.write(judgement.record)
        return judgement.verdict

    def _decide_desktop(self, change: DesktopChange, now: datetime) -> Verdict:
        _require_private(self.places)
        with _held(self.places) as witness:
            known = Known(
                pins=load_pins(self.places),
                policy=self.policy or load_policy(self.places),
                witness=witness.state,
                now=now,
                pass_data=_pass_on_file(self.places, change.app),
            )
            judgement = decide_desktop(change, known)
            _keep(witness, judgement.witness, now)
        return judgement.verdict

    def _recorded(self, verdict: Verdict, now: datetime) -> Verdict:
        try:
            append(self.places.ledger, entry_of(verdict, now), load_hook_key(self.places))
        except Exception as error:  # noqa: BLE001 - see the module's promise
            if verdict.decision is Decision.ALLOW:
                if isinstance(error, Unanswerable):
                    return undecided(error.reason, verdict.judged, {"detail": error.facts["detail"]})
                return undecided("ledger-unwritable", verdict.judged, {"detail": reason_of(error)})
        return verdict


def load_policy(places: GuardPlaces) -> GuardPolicy:
    """Return the owner's policy, or the defaults where none was set.

    Raises:
        Unanswerable: there is one and it cannot be used.
    """
    with _usable("policy-unusable"):
        data = read_small(places.policy, most=MAX_POLICY_BYTES)
        if data is None:
            return GuardPolicy()
        settings = decode_json(data, what="policy", max_bytes=MAX_POLICY_BYTES)
        if not isinstance(settings, dict):
            raise MalformedObject(what="policy", reason="not-an-object")
        return GuardPolicy.from_mapping(settings)


def save_policy(places: GuardPlaces, policy: GuardPolicy) -> None:
    """Set the owner's policy."""
    write_whole(places.policy, policy.encode())


def load_pins(places: GuardPlaces) -> Pins | None:
    """Return the pinned store, or None where none was enrolled.

    Raises:
        Unanswerable: there is one and it cannot be used.
    """
    with _usable("pins-unusable"):
        data = read_small(places.pins, most=MAX_PINS_BYTES)
        return None if data is None else decode_pins(data)


def save_pins(places: GuardPlaces, pins: Pins) -> None:
    """Pin a store: its passes count from now on."""
    write_whole(places.pins, pins.encode())


def load_owner(places: GuardPlaces) -> VerifyKey | None:
    """Return the key whose consent tokens count, or None.

    Raises:
        Unanswerable: there is one and it cannot be used.
    """
    with _usable("pins-unusable"):
        data = read_small(places.owner_key, most=2 * PUBLIC_SIZE + 1)
        return None if data is None else VerifyKey(_hex_key(data, PUBLIC_SIZE))


def save_owner(places: GuardPlaces, owner: VerifyKey) -> None:
    """Let consent tokens under this key count."""
    write_whole(places.owner_key, owner.public.hex().encode() + b"\n")


def save_pass(places: GuardPlaces, package: AppPackage, data: bytes) -> None:
    """Lay an app's newest coverage pass where the hook finds it."""
    write_whole(places.pass_of(package), data)


def load_given(places: GuardPlaces, package: AppPackage) -> GivenConsent | None:
    """Return what was consented to at the owner's terminal; what cannot be read is no consent."""
    try:
        data = read_small(places.consent_of(package), most=MAX_GIVEN_BYTES)
        return None if data is None else decode_given(data)
    except (OSError, ConsentRefused):
        return None


def save_given(places: GuardPlaces, package: AppPackage, given: GivenConsent) -> None:
    """Let the store's next question about this update be answered with this consent."""
    write_whole(places.consent_of(package), given.encode())


def load_hook_key(places: GuardPlaces) -> SigningKey:
    """Return the key that signs this machine's ledger; drawn at its first use.

    Raises:
        OSError, Unanswerable: it cannot be read or made.
    """
    with _usable("hook-key-unusable"):
        data = read_small(places.hook_key, most=2 * SEED_SIZE + 1)
        if data is not None:
            return _opened(_hex_key(data, SEED_SIZE))
    write_first(places.hook_key, SigningKey.generate().seed.hex().encode() + b"\n")
    # Whoever came first, both must use the one that lies there.
    return load_hook_key(places)


# A resident server signs with the same key every time, and opening one takes as long as signing.
_opened = lru_cache(maxsize=1)(SigningKey)


def _require_private(places: GuardPlaces) -> None:
    """Make sure that nobody else could have laid down what lies in the guard's folders: a policy, a pinned store, a consent."""
    for folder in places.folders:
        try:
            is_open = is_open_to_others(folder)
        except OSError as error:
            raise Unanswerable("memory-unwritable", detail=reason_of(error)) from error
        if is_open:
            raise Unanswerable("memory-open", detail=str(folder))


@contextmanager
def _held(places: GuardPlaces) -> Iterator[KeptWitness]:
    """Hold the kept head. What is wrong with it, or with the folder, is told as what it is."""
    with ExitStack() as stack:
        try:
            witness = stack.enter_context(held_witness(places.witness))
        except (MalformedObject, NewerFormat) as error:
            raise Unanswerable("witness-unusable", detail=reason_of(error)) from error
        except OSError as error:
            raise Unanswerable("memory-unwritable", detail=reason_of(error)) from error
        yield witness


def _keep(witness: KeptWitness, seen: WitnessState | None, now: datetime) -> None:
    """Keep the head that was seen with a pass, or else the one that is kept, and that it was asked about now."""
    state = seen or witness.state
    if state is not None:
        with _usable("memory-unwritable"):
            witness.keep(state.noted(now))


def _hex_key(data: bytes, size: int) -> bytes:
    key = bytes.fromhex(data.decode("ascii").strip())
    if len(key) != size:
        raise ValueError("not a key")
    return key


def _hint_on_file(places: GuardPlaces, package: AppPackage) -> bytes | None:
    try:
        return read_small(places.hint_of(package), most=MAX_HINT_BYTES)
    except OSError:
        # There is something, and it is no note: the judge says so.
        return b""


def _pass_on_file(places: GuardPlaces, package: AppPackage) -> bytes | None:
    with _usable("pass-unreadable"):
        return read_small(places.pass_of(package), most=MAX_PASS_BYTES)


@contextmanager
def _usable(reason: str) -> Iterator[None]:
    """Whatever is wrong with a file of ours makes the question unanswerable, never the answer looser."""
    try:
        yield
    except (OSError, ValueError, MalformedObject, NewerFormat, PolicyRefused) as error:
        raise Unanswerable(reason, detail=reason_of(error)) from error
