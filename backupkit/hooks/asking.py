"""From the bytes of a question to the bytes of an answer, on this machine's guard."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from backupkit.clock import Clock, SystemClock
from backupkit.guard.desk import Desk
from backupkit.guard.places import GuardPlaces
from backupkit.guard.request import RequestMalformed, deadline_of, read_fields, request_of
from backupkit.guard.verdict import Verdict
from backupkit.home import home_of

_LINE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def places_in(environment: Mapping[str, str], system: str = sys.platform) -> GuardPlaces:
    """Where the guard's memory lies: where `backupkit` keeps this machine's own state.

    That is `XDG_STATE_HOME`, or `~/.local/state` where that is not set; macOS and Windows have places of their own.
    """
    if system in {"darwin", "win32"}:
        from backupkit.config.folders import standard_folders

        return GuardPlaces(standard_folders(environment, home_of(environment), system).state / "guard")
    state = Path(environment.get("XDG_STATE_HOME", ""))
    # The XDG base directory specification: a relative path is to be ignored.
    base = state if state.is_absolute() else home_of(environment) / ".local/state"
    return GuardPlaces(base / "backupkit" / "guard")


def decide(
    data: bytes,
    places: GuardPlaces,
    expect_within: Callable[[float], None],
    *,
    clock: Clock | None = None,
) -> tuple[bytes, int]:
    """Return the answer's line and exit code. `expect_within` is told the deadline that the question asks for."""
    now = (clock or SystemClock()).now()
    desk = Desk(places)
    try:
        fields = read_fields(data)
        expect_within(deadline_of(fields).total_seconds())
        verdict = desk.answer(request_of(fields), now)
    except RequestMalformed as error:
        facts = {"field": error.facts["field"], "detail": error.facts["reason"]}
        verdict = desk.refuse("request-malformed", facts, now)
    return line_of(verdict), int(verdict.exit_code)


def line_of(verdict: Verdict) -> bytes:
    """Write a verdict as one line of JSON, keys in the order of the contract."""
    return _LINE.encode(verdict.to_json()).encode() + b"\n"
