"""The person's word, in two steps, bound to one update.

Consent is never a click on "OK": the first step shows the loss in numbers and is answered with "continue", the second
asks for the app's name in full. It holds for one package, from one file to another, against one snapshot, until one
moment; any other update has another `id`. Without a person only a token signed with the owner's key can stand in, and
it is bound to the same five things. What a person consented to at the owner's own terminal waits there for the store's
question, for an hour: chats go on, and the numbers that were read grow old.
"""

import hashlib
import unicodedata
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from backupkit.clock import from_rfc3339, to_rfc3339
from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SigningKey, VerifyKey
from backupkit.errors import BackupkitError, ExitCode
from backupkit.ids import AppPackage, SnapshotId
from backupkit.text import printable

FIRST_STEP = "consent.first"
SECOND_STEP = "consent.second"
"""Catalogue keys of the two screens. Their words differ on purpose: what is the same twice is clicked away twice."""

FIRST_ANSWER = "continue"
FIRST_WORDS = frozenset({FIRST_ANSWER, "继续"})
"""What a person types at the first step, in every language."""

MAX_VERDICT_BYTES = 1 << 20


class ConsentRefused(BackupkitError):
    """What was given as consent is not consent to this update.

    Facts: `reason` (another-update, expired, first-step-missing, wrong-name, malformed, bad-signature, no-owner-key,
    token-needed, no-consent-asked).
    """

    code = "consent-refused"
    exit_code = ExitCode.HOLD


class NoVerdict(BackupkitError):
    """What was given as a verdict is none, or was changed since the guard spoke it. Facts: `reason` (malformed, altered, too-large)."""

    code = "verdict-unreadable"
    exit_code = ExitCode.USAGE


class ConsentBy(Enum):
    """Who consented: a person at the shop's screens, or the owner's signed token."""

    PERSON = "person"
    TOKEN = "token"  # noqa: S105 - whose word it is, not a secret


class ConsentBinding(NamedTuple):
    """The one update that a consent is for."""

    package: AppPackage
    old_sha256: str | None
    new_sha256: str | None
    snapshot: SnapshotId
    expires: datetime

    def to_json(self) -> dict[str, Any]:
        """The `binding` object."""
        return {
            "package": self.package,
            "old_sha256": self.old_sha256,
            "new_sha256": self.new_sha256,
            "snapshot": self.snapshot,
            "expires": to_rfc3339(self.expires),
        }

    @property
    def id(self) -> str:
        """64 hex digits: SHA-256 of the binding as canonical JSON."""
        return _id_of(self)


# It stands in the verdict and in the ledger, and a resident hook meets the same binding many times.
@lru_cache(maxsize=32)
def _id_of(binding: ConsentBinding) -> str:
    return hashlib.sha256(encode_canonical(binding.to_json())).hexdigest()


class Consent(NamedTuple):
    """What a verdict says of consent: needed, or given and by whom."""

    binding: ConsentBinding
    app_name: str
    given_by: ConsentBy | None = None

    def to_json(self) -> dict[str, Any]:
        """The `consent` object of a verdict."""
        return {
            "state": "needed" if self.given_by is None else "given",
            "by": None if self.given_by is None else self.given_by.value,
            "id": self.binding.id,
            "app_name": self.app_name,
            "binding": self.binding.to_json(),
            "steps": [
                {"step": 1, "text": FIRST_STEP, "answer": FIRST_ANSWER},
                {"step": 2, "text": SECOND_STEP, "answer": self.app_name},
            ],
        }


def asked_in(verdict: bytes) -> Consent:
    """Read which consent a verdict asks for.

    Raises:
        NoVerdict: it is no verdict, or not as the guard spoke it.
        ConsentRefused: it asks for no consent.
    """
    try:
        spoken = decode_json(verdict, what="verdict", max_bytes=MAX_VERDICT_BYTES)
        if spoken["type"] != "verdict":
            raise NoVerdict(reason="malformed")
        asked = spoken["consent"]
        if asked is None:
            raise ConsentRefused(reason="no-consent-asked")
        consent = Consent(_binding_of(asked["binding"]), _text(asked["app_name"]))
        # The id was computed by the guard: a binding that was changed since has another.
        is_whole = consent.binding.id == asked["id"] and name_to_type(consent.app_name) is not None
    except (MalformedObject, KeyError, TypeError, ValueError, AttributeError) as error:
        raise NoVerdict(reason="malformed") from error
    if not is_whole:
        raise NoVerdict(reason="altered")
    return consent


def _binding_of(named: Any) -> ConsentBinding:
    old, new = named["old_sha256"], named["new_sha256"]
    return ConsentBinding(
        AppPackage(_text(named["package"])),
        None if old is None else _text(old),
        None if new is None else _text(new),
        SnapshotId(_text(named["snapshot"])),
        from_rfc3339(_text(named["expires"])),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


class ConsentAnswers(NamedTuple):
    """What a person answered at the two screens, as the shop tells it."""

    id: str
    understood: bool
    typed: str


def accept_answers(answers: ConsentAnswers, binding: ConsentBinding, app_name: str, now: datetime) -> None:
    """Check both steps of a person's consent.

    Raises:
        ConsentRefused: it is for another update, too late, or one of the steps was not taken.
    """
    if answers.id != binding.id:
        raise ConsentRefused(reason="another-update")
    if now >= binding.expires:
        raise ConsentRefused(reason="expired")
    if not answers.understood:
        raise ConsentRefused(reason="first-step-missing")
    if not is_same_name(answers.typed, app_name):
        raise ConsentRefused(reason="wrong-name")


STANDS_FOR = timedelta(hours=1)
MAX_GIVEN_BYTES = 1024


class GivenConsent(NamedTuple):
    """Both steps taken at the owner's terminal, before the store asked."""

    id: str
    given_at: datetime

    def until(self, binding: ConsentBinding) -> datetime:
        """The moment it stops counting."""
        return min(binding.expires, self.given_at + STANDS_FOR)

    def counts_for(self, binding: ConsentBinding, now: datetime) -> bool:
        """Whether it is for exactly this update and still stands."""
        return self.id == binding.id and self.given_at <= now < self.until(binding)

    def encode(self) -> bytes:
        """One line of canonical JSON."""
        fields = {"type": "given-consent", "v": 1, "id": self.id, "given_at": to_rfc3339(self.given_at)}
        return encode_canonical(fields)


def decode_given(data: bytes) -> GivenConsent:
    """Read what was consented to at the terminal.

    Raises:
        ConsentRefused: it is anything else.
    """
    try:
        fields = decode_json(data, what="given-consent", max_bytes=MAX_GIVEN_BYTES)
        given = GivenConsent(_text(fields["id"]), from_rfc3339(_text(fields["given_at"])))
        is_consent = fields["type"] == "given-consent" and fields["v"] == 1
        # Far from the end of all time: adding an hour must be possible.
        is_consent = is_consent and given.given_at.year < 9999
    except (MalformedObject, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConsentRefused(reason="malformed") from error
    if not is_consent:
        raise ConsentRefused(reason="malformed")
    return given


def name_to_type(*names: str | None) -> str | None:
    """Return the first name that can stand in the second step.

    One of blanks would be typed by pressing Enter, one with hidden characters or without a letter or digit cannot be read off the
    screen, and one that is the answer to the first step, in whichever language, would make both steps the same.
    """
    return next((name for name in names if name and _can_be_typed(name)), None)


def _can_be_typed(name: str) -> bool:
    if printable(name) != name or any(map(_is_hidden, name)):
        return False
    # Full-width letters look the same to whoever reads them.
    return _folded(unicodedata.normalize("NFKC", name)) not in FIRST_WORDS and any(map(_is_read, name))


_FILLERS = "\u115f\u1160\u3164\uffa0"
# Marks that nobody sees: the joiner of graphemes, Khmer's inherent vowels, and the selectors of variants.
_MARKS = {0x034F, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}


def _is_hidden(character: str) -> bool:
    return character in _FILLERS or ord(character) in _MARKS or unicodedata.category(character) == "Cf"


def _is_read(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def is_same_name(typed: str, app_name: str) -> bool:
    """Whether a name was typed in full; case, outer space and the way of composing letters do not count."""
    return _folded(typed) == _folded(app_name)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


MAX_TOKEN_BYTES = 8192
_PREFIX = b"backupkit consent token v1\n"
# A prefix of its own: no other signature of the owner's key can be passed off as consent.


def sign_token(binding: ConsentBinding, key: SigningKey) -> bytes:
    """Sign consent to one update with the owner's key: one JSON line."""
    claim = {"type": "consent-token", "v": 1, "binding": binding.to_json()}
    signature = key.sign(_PREFIX + encode_canonical(claim))
    return encode_canonical({**claim, "signature": signature.hex()})


def accept_token(token: bytes, binding: ConsentBinding, owner: VerifyKey | None, now: datetime) -> None:
    """Check a consent token: the owner's, for exactly this update, in time.

    Raises:
        ConsentRefused: with the reason.
    """
    if owner is None:
        raise ConsentRefused(reason="no-owner-key")
    try:
        claim = decode_json(token, what="consent-token", max_bytes=MAX_TOKEN_BYTES)
        signature = bytes.fromhex(claim.pop("signature"))
        named = claim["binding"]
        is_token = claim["type"] == "consent-token" and claim["v"] == 1
    except (MalformedObject, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConsentRefused(reason="malformed") from error
    if not is_token:
        raise ConsentRefused(reason="malformed")
    try:
        owner.verify(signature, _PREFIX + encode_canonical(claim), what="consent-token")
    except SignatureInvalid as error:
        raise ConsentRefused(reason="bad-signature") from error
    if named != binding.to_json():
        raise ConsentRefused(reason="another-update")
    if now >= binding.expires:
        raise ConsentRefused(reason="expired")
