"""The question: a hook-request, read off bytes that a shop wrote.

Hostile until proved otherwise: bounded, strict JSON, known fields of the right type. Fields nobody knows are ignored,
so that a newer shop can ask an older guard. Specified in `docs/reference/hook-protocol.md`.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from backupkit.clock import from_rfc3339
from backupkit.codec.canonical import decode_json
from backupkit.codec.malformed import MalformedObject
from backupkit.errors import BackupkitError, ExitCode
from backupkit.guard.consent import MAX_TOKEN_BYTES, ConsentAnswers
from backupkit.guard.device_facts import Device, DeviceMalformed, decode_device
from backupkit.guard.outcome import Action
from backupkit.guard.package_index import Listing
from backupkit.guard.package_name import is_package_name
from backupkit.guard.verdict import Loss
from backupkit.ids import AppPackage

MAX_REQUEST_BYTES = 1 << 20
MAX_TEXT = 4096
DEFAULT_DEADLINE = timedelta(seconds=2)
LONGEST_DEADLINE = timedelta(seconds=60)

_SHA256 = re.compile(r"[0-9a-f]{64}")


class RequestMalformed(BackupkitError):
    """The question is not a hook-request that can be understood.

    Facts: `field` (the first that is wrong, `request` for the whole), `reason` (not-strict-json, too-large, missing,
    wrong-type, unknown-value, out-of-range, newer-version).
    """

    code = "request-malformed"
    exit_code = ExitCode.UNDECIDED

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field=field, reason=reason)


class OnDisk(NamedTuple):
    """A package file. `sha256` is what the asker believes it to be; if it is anything else, the answer is void."""

    path: Path
    sha256: str | None = None


class OnRecord(NamedTuple):
    """An app known from its package record."""

    package: AppPackage


class ConsentToken(NamedTuple):
    """A consent token as it came, not yet checked."""

    token: bytes


class UpdateRequest(NamedTuple):
    """What a shop wants to do, and what it knows."""

    installed: OnDisk | OnRecord | Listing
    action: Action = Action.UPGRADE
    candidate: OnDisk | None = None
    package: AppPackage | None = None
    device_sdk: int | None = None
    device: Device = Device()
    app_name: str | None = None
    known_names: Mapping[AppPackage, str] = MappingProxyType({})
    pass_path: Path | None = None
    challenge: bytes | None = None
    loss: Loss | None = None
    consent: ConsentAnswers | ConsentToken | None = None
    store: str | None = None
    deadline: timedelta = DEFAULT_DEADLINE


def decode_request(data: bytes) -> UpdateRequest:
    """Read a hook-request.

    Raises:
        RequestMalformed: it is anything else, with the first wrong field.
    """
    return request_of(read_fields(data))


def read_fields(data: bytes) -> dict[str, Any]:
    """Read the JSON of a question, and nothing in it yet.

    Raises:
        RequestMalformed: it is no object.
    """
    try:
        fields = decode_json(data, what="hook-request", max_bytes=MAX_REQUEST_BYTES)
    except MalformedObject as error:
        raise RequestMalformed("request", str(error.facts["reason"])) from error
    if not isinstance(fields, dict):
        raise RequestMalformed("request", "wrong-type")
    return fields


def request_of(fields: dict[str, Any]) -> UpdateRequest:
    """Understand a question.

    Raises:
        RequestMalformed: with the first wrong field.
    """
    if fields.get("type", "hook-request") != "hook-request":
        raise RequestMalformed("type", "unknown-value")
    if fields.get("v", 1) != 1 or isinstance(fields.get("v"), bool):
        raise RequestMalformed("v", "newer-version")
    package = _package(fields, "package")
    installed = _installed(fields, package)
    try:
        action = Action(_text(fields, "action") or "upgrade")
    except ValueError as error:
        raise RequestMalformed("action", "unknown-value") from error
    candidate = _on_disk(fields, "candidate")
    if candidate is None and action is not Action.UNINSTALL:
        raise RequestMalformed("candidate", "missing")
    device = _device(fields)
    return UpdateRequest(
        action=action,
        installed=installed,
        candidate=candidate,
        package=package,
        device_sdk=_device_sdk(fields, device),
        device=device,
        app_name=_text(fields, "app_name"),
        pass_path=_path(fields, "pass"),
        challenge=_challenge(fields),
        loss=_loss(fields),
        consent=_consent(fields),
        store=_text(fields, "store"),
        deadline=_deadline(fields),
    )


def _device(fields: dict[str, Any]) -> Device:
    if fields.get("device") is None:
        return Device()
    try:
        return decode_device(fields["device"])
    except DeviceMalformed as error:
        raise RequestMalformed(
            "device" if error.field == "device" else f"device.{error.field}", error.reason
        ) from error


def _device_sdk(fields: dict[str, Any], device: Device) -> int | None:
    sdk = _number(fields, "device_sdk", 1, 10000)
    if sdk is not None and device.sdk is not None and sdk != device.sdk:
        # Two answers to one question: whoever asks does not know which device this is.
        raise RequestMalformed("device.sdk", "unknown-value")
    return device.sdk if sdk is None else sdk


def _deadline(fields: dict[str, Any]) -> timedelta:
    most = int(LONGEST_DEADLINE.total_seconds() * 1000)
    asked = _number(fields, "deadline_ms", 1, 1 << 40)
    return DEFAULT_DEADLINE if asked is None else timedelta(milliseconds=min(asked, most))


def deadline_of(fields: dict[str, Any]) -> timedelta:
    """Read only the deadline, before anything else is looked at; the default where it cannot be read."""
    try:
        return _deadline(fields)
    except RequestMalformed:
        return DEFAULT_DEADLINE


def _installed(fields: dict[str, Any], package: AppPackage | None) -> OnDisk | OnRecord:
    value = fields.get("installed")
    if value is None:
        if package is None:
            raise RequestMalformed("installed", "missing")
        return OnRecord(package)
    if isinstance(value, dict) and "record" in value:
        named = _package(value, "record")
        if named is None:
            raise RequestMalformed("installed", "wrong-type")
        return OnRecord(named)
    if isinstance(value, str) and is_package_name(value):
        return OnRecord(AppPackage(value))
    found = _on_disk(fields, "installed")
    if found is None:
        raise RequestMalformed("installed", "missing")
    return found


def _on_disk(fields: dict[str, Any], name: str) -> OnDisk | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return OnDisk(_as_path(value, name))
    if not isinstance(value, dict):
        raise RequestMalformed(name, "wrong-type")
    path = _text(value, "path", within=name)
    if path is None:
        raise RequestMalformed(name, "missing")
    digest = _text(value, "sha256", within=name)
    if digest is not None and not _SHA256.fullmatch(digest):
        raise RequestMalformed(name, "unknown-value")
    return OnDisk(_as_path(path, name), digest)


def _as_path(text: str, name: str) -> Path:
    # A relative path would mean another file in the asker's folder than in ours.
    if not text.startswith("/") or "\0" in text or len(text) > MAX_TEXT:
        raise RequestMalformed(name, "unknown-value")
    return Path(text)


def _path(fields: dict[str, Any], name: str) -> Path | None:
    text = _text(fields, name)
    return None if text is None else _as_path(text, name)


def _text(fields: dict[str, Any], name: str, *, within: str | None = None) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise RequestMalformed(within or name, "wrong-type")
    if len(value) > MAX_TEXT:
        raise RequestMalformed(within or name, "too-large")
    return value


def _package(fields: dict[str, Any], name: str) -> AppPackage | None:
    text = _text(fields, name)
    if text is not None and not is_package_name(text):
        raise RequestMalformed(name, "unknown-value")
    return None if text is None else AppPackage(text)


def _number(fields: dict[str, Any], name: str, least: int, most: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise RequestMalformed(name, "wrong-type")
    if not least <= value <= most:
        raise RequestMalformed(name, "out-of-range")
    return value


def _challenge(fields: dict[str, Any]) -> bytes | None:
    text = _text(fields, "challenge")
    if text is None:
        return None
    try:
        challenge = bytes.fromhex(text)
    except ValueError as error:
        raise RequestMalformed("challenge", "unknown-value") from error
    # Shorter ones can be guessed, longer ones are no use.
    if not 16 <= len(challenge) <= 32:
        raise RequestMalformed("challenge", "out-of-range")
    return challenge


def _loss(fields: dict[str, Any]) -> Loss | None:
    value = fields.get("loss")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise RequestMalformed("loss", "wrong-type")
    counts = {
        name: _number(value, name, 0, 1 << 50)
        for name in ("messages", "conversations", "media", "bytes", "not_in_backup")
    }
    return Loss(oldest=_time(value, "oldest"), newest=_time(value, "newest"), as_of=None, **counts)


def _time(fields: dict[str, Any], name: str) -> datetime | None:
    text = _text(fields, name, within="loss")
    try:
        return None if text is None else from_rfc3339(text)
    except ValueError as error:
        raise RequestMalformed("loss", "unknown-value") from error


def _consent(fields: dict[str, Any]) -> ConsentAnswers | ConsentToken | None:
    value = fields.get("consent")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise RequestMalformed("consent", "wrong-type")
    if "token" in value:
        token = value["token"]
        if not isinstance(token, str) or len(token) > MAX_TOKEN_BYTES:
            raise RequestMalformed("consent", "wrong-type")
        return ConsentToken(token.encode())
    named, typed = _text(value, "id", within="consent"), _text(value, "typed", within="consent")
    understood = value.get("understood")
    if named is None or typed is None or not isinstance(understood, bool):
        raise RequestMalformed("consent", "missing")
    return ConsentAnswers(named, understood, typed)
