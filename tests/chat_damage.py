"""Damages done to a chat export whose every message is known, and what may be said of it afterwards."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Finding, Message
from backupkit.chats.readers.registry import read_all, recognise
from backupkit.chats.sources.source import open_source

MARKS = (b"\0", b'"', b"}", b"{", b"]", b"<", b"\xff", b",", b"\\", b"&", b"</div></div></div></div></div>")
STRETCHES = (300, 4096)


@dataclass(frozen=True)
class Damage:
    """Bytes of a file that are lost or changed.

    `told`: that something is wrong can be seen in the bytes themselves. `may_shift`: what is left may be whole by its brackets, and
    mean something else.
    """

    name: str
    data: bytes
    begins: int
    ends: int
    doubled: int = 0
    told: bool = False
    may_change: bool = False
    may_shift: bool = False


@dataclass(frozen=True)
class Reading:
    """What was read of a file: its formats, its messages, and what was found. `formats` are None where nothing could be opened."""

    formats: tuple[str, ...] | None
    messages: tuple[Message, ...]
    findings: tuple[Finding, ...]

    @property
    def keys(self) -> Counter[object]:
        """What tells messages apart."""
        return Counter(
            (one.text.strip(), one.ts_utc_us, one.sender_id, one.sender_name, one.kind) for one in self.messages
        )

    @property
    def codes(self) -> set[str]:
        return {finding.code for finding in self.findings}


def read(path: Path) -> Reading:
    """Read an export to its end, as the commands do."""
    messages: list[Message] = []
    findings: list[Finding] = []
    formats: tuple[str, ...] | None = None
    try:
        with open_source(path) as source:
            recognised = recognise(source)
            formats = tuple(reader.format for reader, _recognition in recognised.parts)
            findings += [*source.findings, *recognised.findings]
            for _reader, told in read_all(source, recognised):
                if isinstance(told, Message):
                    messages.append(told)
                elif isinstance(told, Finding):
                    findings.append(told)
    except MalformedExport as error:
        findings.append(Finding("export-damaged", locator=error.locator, facts={"reason": error.reason}))
    return Reading(formats, tuple(messages), tuple(findings))


def spans_of(data: bytes, messages: tuple[Message, ...]) -> list[tuple[int, int]]:
    """Return where in a file each message lies."""
    spans: list[tuple[int, int]] = []
    for one in messages:
        begins = data.index(one.raw, spans[-1][1] if spans else 0)
        spans.append((begins, begins + len(one.raw)))
    return spans


def damages(data: bytes, spans: list[tuple[int, int]], dice: random.Random) -> Iterator[Damage]:
    """Tell damages without end: a cut, a mark too many, zeros, noise, a hole, a doubled stretch, a flipped bit.

    They lie behind the heading, which says what the file is, and not in the last message, behind which nothing is.
    """
    while True:
        begins, ends = spans[dice.randrange(len(spans) // 2, len(spans) - 1)]
        at = dice.choice([begins, begins + 1, ends - 1, ends, dice.randrange(begins, ends)])
        size = dice.choice(STRETCHES)
        match dice.randrange(8):
            case 0:
                yield Damage(f"cut at {at}", data[:at], at, len(data))
            case 1:
                mark = dice.choice(MARKS)
                told = mark in {b"\0", b"\xff"}
                yield Damage(f"{mark!r} at {at}", data[:at] + mark + data[at:], at, at, told=told, may_change=True)
            case 2:
                zeros = data[:at] + bytes(size) + data[at + size :]
                yield Damage(f"{size} zeros at {at}", zeros[: len(data)], at, at + size, told=True)
            case 3:
                lost = data[:at] + b"\xff" * size + data[at + size :]
                yield Damage(f"{size} of 255 at {at}", lost[: len(data)], at, at + size, told=True)
            case 4:
                noise = data[:at] + dice.randbytes(size) + data[at + size :]
                yield Damage(f"{size} of noise at {at}", noise[: len(data)], at, at + size, told=True, may_change=True)
            case 5:
                yield Damage(
                    f"{size} lost at {at}",
                    data[:at] + data[at + size :],
                    at,
                    at + size,
                    may_change=True,
                    may_shift=True,
                )
            case 6:
                doubled = sum(end > at - size and begin < at for begin, end in spans)
                twice = data[:at] + data[max(at - size, 0) : at] + data[at:]
                yield Damage(f"{size} twice at {at}", twice, at, at, doubled=doubled, may_change=True, may_shift=True)
            case _:
                flipped = bytes([data[at] ^ 1 << dice.randrange(8)]) if at < len(data) else b""
                yield Damage(f"a bit at {at}", data[:at] + flipped + data[at + 1 :], at, at + 1, may_change=True)


def complaints(
    format_name: str, whole: Reading, spans: list[tuple[int, int]], damage: Damage, after: Reading
) -> Iterator[str]:
    """Tell what is wrong with the reading of a damaged file."""
    if "unexpected-shape" in {finding.facts.get("reason") for finding in after.findings}:
        yield "a reader was surprised"
    if not after.formats:
        yield "it is no longer known"
        return
    if format_name not in after.formats and not set(after.formats) <= {"meta-json", "meta-html"}:
        yield f"it became {after.formats}"
    if len(after.messages) > len(whole.messages) + damage.doubled + damage.may_change:
        yield f"{len(after.messages)} messages of {len(whole.messages)}"
    untouched = Counter(
        key
        for key, (begins, ends) in zip(whole.keys.elements(), spans, strict=True)
        if ends <= damage.begins or begins >= damage.ends
    )
    lost = (untouched - after.keys).total()
    # A message goes on up to the next head, and a damage may hide the head of one or join it to the one before.
    if lost > 2 and not (damage.may_shift and after.codes - whole.codes):
        yield f"{lost} of {untouched.total()} untouched messages are lost"
    if damage.told and len(after.messages) < len(whole.messages) and not after.codes - whole.codes:
        yield "nobody was told"
    if not damage.may_change:
        yield from _inventions(whole, after)


def _inventions(whole: Reading, after: Reading) -> Iterator[str]:
    times = {one.ts_utc_us for one in whole.messages} | {None}
    ids = {one.sender_id for one in whole.messages} | {None}
    names = {one.sender_name for one in whole.messages} | {None}
    for one in after.messages:
        if one.ts_utc_us not in times and one.ts_zone != "unknown":
            yield f"the time {one.ts_raw!r} was invented"
        if one.sender_id not in ids or one.sender_name not in names:
            yield f"the sender {one.sender_name!r} was invented"
