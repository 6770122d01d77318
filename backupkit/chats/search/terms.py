"""What a message is found by, and what a question needs to be found.

Scripts without spaces are cut into pairs of characters, each character with the one after it, so that a word of two
characters is found by its pair and a single one by all pairs that it begins. Words of scripts with spaces are kept whole and
found by any piece of three letters, or by their beginning. Text is folded first: width, case and the two forms of an accent
make no difference.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from operator import add

END = "\x03"
"""Stands after the last character of a run, so that every character begins a pair."""

FACT = "\x01"
"""Begins a term that is not of the text: who wrote it, in which conversation, what hangs on it."""

_MOST_WORD = 40
_STEP = 20
_LEAST_PIECE = 3
"""A piece of a word is looked for inside words from so many letters on; `in` would lead to half of all messages."""

# Thai, Lao, Burmese, Khmer and Hangul letters are left out: they are written without spaces or glued together, and pairs
# serve them better.
_LETTERS = (
    "0-9A-Za-z\u00aa\u00b5\u00ba\u00c0-\u02af\u0300-\u0dff\u0f00-\u0fff\u10a0-\u10ff\u1200-\u177f\u1800-\u1fff"
    "\u2c00-\u2dff\ua640-\ua69f\ua720-\ua7ff\uab30-\uabff\ufb00-\ufdff\ufe70-\ufefc"
)
_RUN = re.compile(f"([{_LETTERS}]+)|([^\\s{_LETTERS}]+)")
_LETTER = re.compile(f"[{_LETTERS}]")
_SPLIT = re.compile(r'"([^"]*)"|(\S+)')


def folded(text: str) -> str:
    """Return text as it is compared."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold()


def terms_of(text: str) -> set[str]:
    """Return the terms of a text."""
    found: set[str] = set()
    for word, pairs in _RUN.findall(folded(text)):
        if pairs:
            found.update(map(add, pairs, pairs[1:] + END))
        elif len(word) <= _MOST_WORD:
            found.add(word)
        else:
            # Pieces that overlap by half: whatever stands in the word, up to half a piece, stands in one of them.
            ends = range(_MOST_WORD, len(word) + _STEP, _STEP)
            found.update(word[end - _MOST_WORD : end] for end in ends)
    return found


def is_word(term: str) -> bool:
    """Say whether a term is a word, or a piece of a long one."""
    return _LETTER.match(term) is not None


class Way(Enum):
    """How a term leads to texts: it is their term, or their terms begin with it, end with it, or have it anywhere."""

    WHOLE = "whole"
    BEGINNING = "beginning"
    ENDING = "ending"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class Needed:
    """A term that a text must have, in one of the ways."""

    term: str
    way: Way


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
        word, pairs = run.groups()
        if word:
            needed.append(_needed_word(word, is_first=run is runs[0], is_last=run is runs[-1]))
        elif len(pairs) == 1:
            needed.append(Needed(pairs, Way.BEGINNING))
        else:
            needed += [Needed(pair, Way.WHOLE) for pair in map(add, pairs, pairs[1:])]
    is_exact = len(runs) == 1 and len(needed) == 1 and needed[0].term == text
    return Part(text, tuple(dict.fromkeys(needed)), is_exact)


def _needed_word(word: str, *, is_first: bool, is_last: bool) -> Needed:
    """Return what leads to a word of a question: before its first one and after its last one a text may go on."""
    if is_first and len(word) >= _LEAST_PIECE:
        piece = word[: _STEP + 1] if is_last else word[-_STEP - 1 :]
        return Needed(piece, Way.INSIDE if is_last else Way.ENDING)
    return Needed(word[:_MOST_WORD], Way.BEGINNING if is_last else Way.WHOLE)


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
