"""The accident of 2018, played through on this machine's own guard, with packages and chats that nobody will miss.

Everything lies in one scratch folder: the packages, the chats, a repository, and a guard with a memory of its own. What
is the owner's is neither read nor written.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from backupkit.clock import Clock, to_rfc3339
from backupkit.errors import BackupkitError, ExitCode
from backupkit.guard.consent import ConsentAnswers
from backupkit.guard.desk import Desk
from backupkit.guard.places import GuardPlaces
from backupkit.guard.policy import GuardPolicy
from backupkit.guard.request import OnDisk, UpdateRequest
from backupkit.guard.verdict import Decision, Loss, Verdict
from backupkit.ids import AppPackage
from backupkit.ops.events import tell_nobody
from backupkit.ops.keys.confirm_recovery import confirm_recovery
from backupkit.ops.keys.initialise import initialise
from backupkit.ops.places import Places
from backupkit.ops.restoring.restore import restore
from backupkit.ops.saving.snapshot import SourceSpec, take_snapshot
from backupkit.ops.unlock import Secret

PACKAGE = AppPackage("org.example.chat")
APP_NAME = "Example Chat"
CARELESS = "OK"
_CONVERSATIONS, _MESSAGES = 4, 30
_LEVEL = 33
_FIRST_MESSAGE = datetime(2014, 6, 1, 8, tzinfo=UTC)


class AccidentNotPrevented(BackupkitError):
    """The guard did not answer as it must.

    Facts: `step`, `decision`, `reason` (what it answered).
    """

    code = "accident-not-prevented"
    exit_code = ExitCode.UNDECIDED


@dataclass(frozen=True, slots=True)
class AccidentStep:
    """One step, and what the guard answered; None where nothing was asked. `typed` is what was typed as the app's name."""

    name: str
    verdict: Verdict | None = None
    messages: int = 0
    files: int = 0
    typed: str | None = None


def replay_accident(folder: Path, clock: Clock) -> Iterator[AccidentStep]:
    """Play the accident in an empty folder and yield each step as it was answered.

    Raises:
        AccidentNotPrevented: an answer is not the one that keeps the chats.
    """
    play = _Play(folder, clock)
    yield play.expect("offered", play.ask(), Decision.HOLD)
    yield play.save()
    needed = play.expect("covered", play.ask(), Decision.ALLOW)
    yield needed
    assert needed.verdict is not None
    assert needed.verdict.consent is not None
    consent = needed.verdict.consent.binding.id
    careless = play.ask(ConsentAnswers(consent, understood=True, typed=CARELESS))
    yield play.expect("careless", careless, Decision.HOLD, typed=CARELESS)
    answers = ConsentAnswers(consent, understood=True, typed=APP_NAME)
    yield play.expect("consented", play.ask(answers), Decision.ALLOW, typed=APP_NAME)
    play.swap()
    yield play.expect("swapped", play.ask(answers), Decision.UNDECIDED)
    yield play.lose_and_restore()


class _Play:
    """The phone, the shop and the owner of one play."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        # The defaults, whatever the owner asks for: the play shows the two steps, also where only tokens count.
        self._policy = GuardPolicy()
        self._clock = clock
        self._folder = folder
        self._places = Places(folder / "repository", folder / "state", folder / "cache")
        self._passphrase = secrets.token_hex(16)
        self._chats = folder / "phone"
        self._installed, self._candidate = folder / "installed.apk", folder / "update.apk"
        _lay_package("installed", self._installed)
        _lay_package("update", self._candidate)
        self._offered = hashlib.sha256(self._candidate.read_bytes()).hexdigest()
        self._loss = _write_chats(self._chats)

    def ask(self, consent: ConsentAnswers | None = None) -> Verdict:
        """Ask as the shop does before it puts the update over the app."""
        request = UpdateRequest(
            installed=OnDisk(self._installed),
            candidate=OnDisk(self._candidate, self._offered),
            package=PACKAGE,
            device_sdk=_LEVEL,
            app_name=APP_NAME,
            loss=self._loss,
            consent=consent,
            store="backupkit guard drill",
        )
        return Desk(GuardPlaces(self._places.guard), self._policy).answer(request, self._clock.now())

    def expect(self, name: str, verdict: Verdict, decision: Decision, *, typed: str | None = None) -> AccidentStep:
        """Return a step whose answer is the one that keeps the chats."""
        if verdict.decision is not decision:
            raise AccidentNotPrevented(step=name, decision=verdict.decision.value, reason=verdict.reason)
        return AccidentStep(name, verdict, typed=typed)

    def save(self) -> AccidentStep:
        """Take a verified snapshot into a new repository, whose words are typed back."""
        made = initialise(self._places, passphrase=self._passphrase, clock=self._clock, tell=tell_nobody)
        confirm_recovery(self._places, " ".join(made.sheet.words_en), self._clock)
        source = SourceSpec(self._chats, "phone", app="telegram", package=PACKAGE)
        taken = take_snapshot(
            self._places,
            [source],
            clock=self._clock,
            tell=tell_nobody,
            verify=True,
            max_age=self._policy.max_backup_age,
        )
        return AccidentStep("saved", messages=taken.messages or 0, files=taken.files)

    def swap(self) -> None:
        """Lay another package where the judged one was, as a thief between the answer and the installation would."""
        _lay_package("swapped", self._candidate)

    def lose_and_restore(self) -> AccidentStep:
        """Lose the phone's chats and bring them back."""
        before = _contents(self._chats)
        for path in before:
            (self._chats / path).unlink()
        secret = Secret(passphrase=self._passphrase)
        to = self._folder / "restored"
        restore(self._places, "latest", to, secret=lambda: secret, clock=self._clock, tell=tell_nobody)
        if _contents(to / self._chats.name) != before:
            raise AccidentNotPrevented(step="restored", decision="", reason="")
        return AccidentStep("restored", messages=self._loss.messages or 0, files=len(before))


def _lay_package(name: str, path: Path) -> None:
    path.write_bytes(
        (resources.files("backupkit") / "ops" / "guarding" / "drill_packages" / f"{name}.apk").read_bytes()
    )


def _write_chats(folder: Path) -> Loss:
    """Write an export of four years of chats, and say how much it is."""
    steps = _CONVERSATIONS * _MESSAGES
    moments = [_FIRST_MESSAGE + timedelta(days=4 * 365) * turn // steps for turn in range(steps)]
    chats = []
    for number in range(_CONVERSATIONS):
        messages = [
            {
                "id": turn + 1,
                "type": "message",
                "date": to_rfc3339(moment).removesuffix("Z"),
                "date_unixtime": str(int(moment.timestamp())),
                "from": ("A", "B")[turn % 2],
                "from_id": f"user{turn % 2 + 1}",
                "text": f"你好 hello {number} {turn}",
            }
            for turn, moment in enumerate(moments[number::_CONVERSATIONS])
        ]
        chats.append({"name": f"Chat {number}", "type": "personal_chat", "id": number + 1, "messages": messages})
    folder.mkdir()
    export = {"about": "backupkit guard drill", "chats": {"about": "", "list": chats}}
    (folder / "result.json").write_text(json.dumps(export, ensure_ascii=False, indent=1), "utf-8")
    return Loss(
        messages=steps,
        conversations=_CONVERSATIONS,
        bytes=(folder / "result.json").stat().st_size,
        oldest=moments[0],
        newest=moments[-1],
        not_in_backup=None,
    )


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
