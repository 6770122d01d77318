"""What an export's own messages say against its being whole and right: silences, clocks, twins, broken text, absent files.

Each finding names its evidence. None of them changes what is counted, and none is an error: an app may have had its reasons.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from backupkit.chats.model import Finding, Locator, MediaState, Message, Severity
from backupkit.chats.texts.wall_time import day_of
from backupkit.errors import Fact

_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
EARLIEST_US = 788_918_400_000_000
"""1995: before that no app of today had a message to keep."""

SILENT_DAYS = 30
LEAST_ACTIVE_DAYS = 60
LEAST_TWINS = 10
_MOST_DAYS = 40_000
_MOST_FILES = 100_000


@dataclass(slots=True)
class _Rhythm:
    """When one conversation was spoken in, and where its clock jumped."""

    title: str
    days: set[int] = field(default_factory=set)
    last_us: int | None = None
    last_file: str = ""
    back: int = 0
    first_back: Locator | None = None
    forth: int = 0
    first_forth: Locator | None = None


@dataclass(slots=True)
class _Evidence:
    """How often something was seen, and where first."""

    count: int = 0
    first: Locator | None = None
    name: str = ""

    def saw(self, locator: Locator, name: str = "") -> None:
        if not self.count:
            self.first, self.name = locator, name
        self.count += 1


@dataclass(slots=True)
class _Part:
    """All messages of one file."""

    digest: "hashlib.blake2b" = field(default_factory=lambda: hashlib.blake2b(digest_size=16))
    count: int = 0


class Completeness:
    """Looks at every message of a source. `now_us` is the present, None where nobody says: then no time is in the future."""

    def __init__(self, now_us: int | None = None) -> None:
        self._now_us = now_us
        self._rhythms: dict[tuple[str, str], _Rhythm] = {}
        self._garbled = _Evidence()
        self._dates = _Evidence()
        self._media: dict[MediaState, _Evidence] = {}
        self._files: dict[str, _Part] = {}
        self._messages = 0

    def message(self, format_name: str, message: Message) -> None:
        """Look at the next message."""
        self._messages += 1
        for media in message.media:
            if media.state in {MediaState.MISSING, MediaState.CORRUPT}:
                self._media.setdefault(media.state, _Evidence()).saw(message.locator, media.name)
        if message.text and not message.text.isascii() and is_garbled(message.text):
            self._garbled.saw(message.locator)
        self._note_twin(message)
        if message.ts_utc_us is not None:
            self._note_time(format_name, message, message.ts_utc_us)

    def _note_twin(self, message: Message) -> None:
        known = self._files.get(message.locator.file)
        if known is None:
            if len(self._files) >= _MOST_FILES:
                return
            known = self._files[message.locator.file] = _Part()
        known.digest.update(message.conversation.encode("utf-8", "surrogatepass"))
        known.digest.update(message.raw)
        known.count += 1

    def _note_time(self, format_name: str, message: Message, ts_us: int) -> None:
        if ts_us < EARLIEST_US or (self._now_us is not None and ts_us > self._now_us + _DAY_US):
            self._dates.saw(message.locator, message.ts_raw)
            return
        key = (format_name, message.conversation)
        rhythm = self._rhythms.get(key) or self._rhythms.setdefault(key, _Rhythm(message.conversation))
        if len(rhythm.days) < _MOST_DAYS:
            rhythm.days.add(ts_us // _DAY_US)
        # The parts of an export may come in any order.
        if rhythm.last_us is not None and rhythm.last_file == message.locator.file:
            if ts_us < rhythm.last_us:
                rhythm.back += 1
                if ts_us <= rhythm.last_us - _HOUR_US and rhythm.first_back is None:
                    rhythm.first_back = message.locator
            elif ts_us > rhythm.last_us:
                rhythm.forth += 1
                if ts_us >= rhythm.last_us + _HOUR_US and rhythm.first_forth is None:
                    rhythm.first_forth = message.locator
        rhythm.last_us, rhythm.last_file = ts_us, message.locator.file

    def findings(self) -> Iterator[Finding]:
        """Tell what was found, once everything was seen."""
        if not self._messages:
            yield Finding("no-messages", Severity.WARNING)
        for state, evidence in self._media.items():
            facts: dict[str, Fact] = {"count": evidence.count, "name": evidence.name}
            if state is MediaState.MISSING:
                yield Finding("media-missing", Severity.WARNING, evidence.first, facts)
            else:
                yield Finding("media-corrupt", Severity.WARNING, evidence.first, facts)
        if self._garbled.count:
            yield Finding("text-garbled", Severity.WARNING, self._garbled.first, {"count": self._garbled.count})
        if self._dates.count:
            dates: dict[str, Fact] = {"count": self._dates.count, "time": self._dates.name}
            yield Finding("date-implausible", Severity.WARNING, self._dates.first, dates)
        yield from self._twins()
        for rhythm in self._rhythms.values():
            yield from _silence(rhythm)
            yield from _jump(rhythm)

    def _twins(self) -> Iterator[Finding]:
        first: dict[bytes, str] = {}
        for name, part in self._files.items():
            twin = first.setdefault(part.digest.digest(), name)
            if twin != name and part.count >= LEAST_TWINS:
                yield Finding("duplicate-part", Severity.WARNING, Locator(name), {"twin": twin, "count": part.count})


def is_garbled(text: str) -> bool:
    """Say whether a text was once read in a wrong encoding: UTF-8 taken for Latin letters, or for GBK after it was lost already."""
    if "锟斤拷" in text:
        return True
    try:
        return not text.encode("cp1252").decode("utf-8").isascii()
    except UnicodeError:
        return False


def _silence(rhythm: _Rhythm) -> Iterator[Finding]:
    days = sorted(rhythm.days)
    if len(days) < LEAST_ACTIVE_DAYS:
        return
    gaps = [after - before for before, after in pairwise(days)]
    longest = max(gaps)
    usual = sorted(gaps)[len(gaps) * 19 // 20]
    # A conversation of nearly every day that then is silent for a month: somebody deleted, or an export left it out.
    if longest >= SILENT_DAYS and longest >= 10 * usual:
        place = gaps.index(longest)
        facts: dict[str, Fact] = {
            "conversation": rhythm.title,
            "days": longest - 1,
            "from": day_of(days[place] * _DAY_US),
            "to": day_of(days[place + 1] * _DAY_US),
        }
        yield Finding("silent-days", Severity.WARNING, None, facts)


def _jump(rhythm: _Rhythm) -> Iterator[Finding]:
    # Some apps export the newest first: what most messages do is the order, and the others are the jumps.
    against = rhythm.first_back if rhythm.forth >= rhythm.back else rhythm.first_forth
    if against is not None and min(rhythm.back, rhythm.forth) * 20 <= max(rhythm.back, rhythm.forth):
        yield Finding("clock-jump", Severity.INFO, against, {"conversation": rhythm.title})
