"""How the elements of a list begin, so that the list can be found again behind a damage.

Brackets cannot be trusted any more once one of them is lost. What can be is that the records of a list look alike: they begin with
the same key, indented alike, and have keys in common. Anything else that begins so lies inside a record, and is none.
"""

import re
from collections import Counter
from typing import Any

_FIRST_KEY = re.compile(r'\{\s{0,200}"[^"\\\x00-\x1f]{1,200}"\s{0,20}:')
_MEMBER = re.compile(
    r'\s{0,200}"([^"\\\x00-\x1f]{1,200})"\s{0,20}:\s{0,20}("[^"\\\x00-\x1f]{0,300}"|[-+.0-9eE]{1,40}|true|false|null|[\[{])\s{0,20},?'
)
_MOST_BEGINNINGS = 16
_MOST_FORMS = 2000
_SETTLED = 20


class Shape:
    """What the elements of one list have in common, as far as they were seen."""

    def __init__(self) -> None:
        self.beginnings: set[str] = set()
        self.usual = "\0"
        self._forms: Counter[tuple[str, ...]] = Counter()
        self._seen = 0
        self._known: set[str] = set()
        self._typical: tuple[int, frozenset[str], int] = 0, frozenset(), 0

    def begins(self, text: str, at: int) -> bool:
        """Note how an element begins at a place of a text. Say whether that is new."""
        found = _FIRST_KEY.match(text, at)
        if found is None:
            return False
        self.usual = found.group()
        if self.usual in self.beginnings or len(self.beginnings) >= _MOST_BEGINNINGS:
            return False
        self.beginnings.add(self.usual)
        return True

    @property
    def is_settled(self) -> bool:
        """Whether so many elements were read whole that one unlike them all is odd."""
        return self._seen >= _SETTLED

    def saw(self, keys: tuple[str, ...]) -> None:
        """Note the keys of an element that was read whole."""
        if keys in self._forms:
            self._forms[keys] += 1
        elif len(self._forms) < _MOST_FORMS:
            self._forms[keys] = 1
            self._known.update(keys)
        self._seen += 1

    def saw_key(self, key: str) -> None:
        """Note a key of an element that is read key by key."""
        if len(self._known) < _MOST_FORMS:
            self._known.add(key)

    def is_begun(self, text: str, at: int) -> bool:
        """Say whether a text has at a place how elements begin."""
        return text.startswith(tuple(self.beginnings), at)

    def has(self, value: Any) -> bool:
        """Say whether a value may be an element of the list."""
        common, fewest = self._what_is_typical()
        if not isinstance(value, dict) or not common:
            return False
        return common <= value.keys() and len(self._known & value.keys()) >= fewest

    def _what_is_typical(self) -> tuple[frozenset[str], int]:
        """Return the keys that nearly all elements have, and how many the shortest have. What stands alone may be damaged."""
        if self._typical[0] != self._seen:
            seen = self._forms.total()
            keys: Counter[str] = Counter()
            for form, count in self._forms.items():
                for key in set(form):
                    keys[key] += count
            common = frozenset(key for key, count in keys.items() if count * 50 >= seen * 49)
            again = [len(form) for form, count in self._forms.items() if count > 1]
            self._typical = self._seen, common, min(again or [len(form) for form in self._forms])
        return self._typical[1:]

    def may_begin(self, text: str, at: int) -> bool:
        """Say whether an element that may be as long as the file begins at a place: with known keys, down to a list or an object."""
        at += 1
        while (member := _MEMBER.match(text, at)) is not None and member[1] in self._known:
            if member[2] in {"[", "{"}:
                return True
            at = member.end()
        return False


class Shapes:
    """The shapes of lists by how deep they lie."""

    def __init__(self) -> None:
        self._by_depth: dict[int, Shape] = {}
        self._pattern: tuple[tuple[int, ...], re.Pattern[str]] | None = None

    def at(self, depth: int) -> Shape:
        """Return the shape of the lists at a depth."""
        return self._by_depth.setdefault(depth, Shape())

    def begins(self, depth: int, text: str, at: int) -> None:
        """Note how an element of a list at a depth begins."""
        if self.at(depth).begins(text, at):
            self._pattern = None

    def pattern(self, depths: tuple[int, ...]) -> re.Pattern[str] | None:
        """Return what finds the elements of lists at these depths: a mark, space, and a beginning; None where none was seen.

        The mark is a comma, or the bracket of another list of the same kind.
        """
        if self._pattern is None or self._pattern[0] != depths:
            beginnings = {one for depth in depths for one in self.at(depth).beginnings}
            if not beginnings:
                return None
            choices = "|".join(map(re.escape, sorted(beginnings)))
            self._pattern = depths, re.compile(rf"([,\[])\s{{0,200}}({choices})")
        return self._pattern[1]


class Tries:
    """What may be spent on reading what only looks like an element: a hostile text holds nothing else."""

    def __init__(self) -> None:
        self._left, self._characters_left = 10_000, 64 * 2**20

    @property
    def are_spent(self) -> bool:
        """Whether nothing more may be tried."""
        return self._left <= 0 or self._characters_left <= 0

    def spend(self, characters: int) -> None:
        """Note that so much was read for nothing."""
        self._left -= 1
        self._characters_left -= characters
