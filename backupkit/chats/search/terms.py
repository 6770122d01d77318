"""What a message is found by, and what a question needs to be found.

Scripts without spaces are cut into pairs of characters, each character with the one after it, so that a word of two
characters is found by its pair and a single one by all pairs that it begins. Words of scripts with spaces are kept whole and
found by their beginning. Text is folded first: width, case and the two forms of an accent make no difference.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

END = "\x03"
"""Stands after the last character of a run, so that every character begins a pair."""

FACT = "\x01"
"""Begins a term that is not of the text: who wrote it, in which conversation, what hangs on it."""

_MOST_WORD = 40
_LETTERS = (
    "0-9A-Za-z\u00aa\u00b5\u00ba\u00c0-\u02af\u0300-\u1fff\u2c00-\u2dff\ua640-\ua69f\ua720-\ua7ff\uab30-\uabff"
    "\ufb00-\ufdff\ufe70-\ufefc"
)
# Thai, Lao, Burmese, Khmer and Hangul letters are written without spaces or glued together: pairs serve them better.
_GLUED = "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff"
_RUN = re.compile(f"(?P<pairs>[{_GLUED}]+)|(?P<word>(?:(?![{_GLUED}])[{_LETTERS}])+)|(?P<rest>[^\\s{_LETTERS}]+)")
_SPLIT = re.compile(r'"([^"]*)"|(\S+)')


def folded(text: str) -> str:
    """Return text as it is compared."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold()


def terms_of(text: str) -> set[str]:
    """Return the terms of a text."""
    found: set[str] = set()
    for run in _RUN.finditer(folded(text)):
        if run.lastgroup == "word":
            found.add(run[0][:_MOST_WORD])
        else:
            found.update(map("".join, zip(run[0], run[0][1:] + END, strict=True)))
    return found


@dataclass(frozen=True, slots=True)
class Needed:
    """A term that a text must have, whole or as its beginning."""

    term: str
    is_prefix: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a question: `text` must stand in a message as it is. `is_exact`: having the terms says that it does."""

    text: str
    needed: tuple[Needed, ...]
    is_exact: bool


def parts_of(question: str) -> tuple[Part, ...]:
    """Take a question apart: what stands between spaces is looked for by itself, what stands in quotation marks as it is."""
    pieces = [quoted or plain for quoted, plain in _SPLIT.findall(question)]
    return tuple(_part(text) for piece in pieces if (text := folded(piece).strip()))


def _part(text: str) -> Part:
    needed: list[Needed] = []
    runs = list(_RUN.finditer(text))
    for run in runs:
        if run.lastgroup == "word":
            # Only a word that is followed by something in the question is known to its end.
            is_last = run.end() == len(text)
            needed.append(Needed(run[0][:_MOST_WORD], is_last or len(run[0]) > _MOST_WORD))
        elif len(run[0]) == 1:
            needed.append(Needed(run[0], is_prefix=True))
        else:
            needed += [Needed(pair, is_prefix=False) for pair in map("".join, zip(run[0], run[0][1:], strict=False))]
    is_exact = len(runs) == 1 and len(needed) == 1 and runs[0][0] == text and len(text) <= _MOST_WORD
    return Part(text, tuple(dict.fromkeys(needed)), is_exact)


def places_in(text: str, parts: tuple[Part, ...]) -> Iterator[tuple[int, int]]:
    """Give where the parts of a question stand in a text, in order and apart from each other."""
    wanted = [re.escape(part.text) for part in sorted(parts, key=lambda part: -len(part.text))]
    if not wanted:
        return
    flat, origin = _folded_with_places(text)
    for found in re.finditer("|".join(wanted), flat):
        yield origin[found.start()], origin[found.end()]


def _folded_with_places(text: str) -> tuple[str, list[int]]:
    flat = folded(text)
    if len(flat) == len(text):
        return flat, list(range(len(text) + 1))
    # Folding changed the length: fold each character with the marks on it, and remember where it came from.
    pieces, origin, start = [], [], 0
    for end in range(1, len(text) + 1):
        if end < len(text) and unicodedata.combining(text[end]):
            continue
        piece = folded(text[start:end])
        pieces.append(piece)
        origin += [start] * len(piece)
        start = end
    return "".join(pieces), [*origin, len(text)]
