"""Codes and facts in, sentences out.

A catalogue is merged from one fragment per layer (`en/store.py`, `zh_cn/store.py`), each a plain dictionary. A key
that is missing comes back as itself: a person sees a code then, never a crash. Tests keep both languages complete.

Placeholders are `{fact}`, or with a form behind a colon:

    {messages}                            1,204,331 (numbers that name something, such as a pid, stay ungrouped)
    {messages:plural:message|messages}    the word for one or for several
    {bytes:size}                          6.2 GB
    {snapshot:short}                      the first 8 characters of an id
    {since:time}                          an RFC 3339 time, in this computer's zone
    {seconds:span}                        4 min 12 s
    {line:raw}                            as it is
    {path:shell}                          as it must be typed in a command: in quotation marks where it needs them

The code in a fact of `_SAYS_WHY` is put into words, where there are any (`why.<code>`); `{reason:raw}` keeps the code.
Every fact that is a text is made safe for a terminal, because it may come from somebody else.
"""

import errno
import importlib
import os
import pkgutil
import re
import shlex
import string
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import cache
from typing import Any

from backupkit.errors import Fact
from backupkit.i18n.amounts import grouped, length_of_time, local_time
from backupkit.i18n.language import Language
from backupkit.text import human_size, printable

_FOLDERS: dict[Language, str] = {"en": "backupkit.i18n.en", "zh-CN": "backupkit.i18n.zh_cn"}

# Thousands are not set apart in these: they name a thing and count nothing.
_NAMES_A_THING = frozenset({
    "api_level", "column", "device_sdk", "epoch", "errno", "exit_code", "fd", "installed_version", "line", "min_sdk", "offset",
    "pid", "port", "sdk", "seq", "target_sdk", "v", "version", "version_code", "year",
})  # fmt: skip


# What most runs need, looked into first; and the areas that lie in one fragment, so that a miss there loads no other.
_FIRST = ("ui", "usage", "results")
_HOMES = {"command": "commands", "option": "commands", "argument": "commands", "help": "usage", "field": "reference"}


@cache
def messages(language: Language) -> Mapping[str, str]:
    """Return every sentence of a language, by key."""
    merged: dict[str, str] = {}
    for fragment in fragments(language):
        merged.update(_fragment(language, fragment))
    return merged


def find(language: Language, key: str) -> str | None:
    """Return one sentence, loading no more fragments than it takes to find it."""
    home = _HOMES.get(key.partition(".")[0])
    if home is not None:
        return _fragment(language, home).get(key)
    for fragment in _FIRST:
        sentence = _fragment(language, fragment).get(key)
        if sentence is not None:
            return sentence
    return messages(language).get(key)


@cache
def _fragment(language: Language, name: str) -> Mapping[str, str]:
    found: Mapping[str, str] = importlib.import_module(f"{_FOLDERS[language]}.{name}").MESSAGES
    return found


def fragments(language: Language) -> list[str]:
    """Return the names of the fragments of a language, sorted."""
    package = importlib.import_module(_FOLDERS[language])
    return sorted(found.name for found in pkgutil.iter_modules(package.__path__))


class Catalogue:
    """Speaks one language. `zone` is the time zone for people, None for this computer's own."""

    def __init__(self, language: Language, zone: tzinfo | None = None) -> None:
        self.language = language
        self.zone = zone

    def say(self, key: str, /, **facts: Fact) -> str:
        """Return the sentence for `key` filled with `facts`; the key itself where there is none."""
        template = find(self.language, key)
        return key if template is None else _closed_up(_Filler(self).vformat(template, (), facts))

    def has(self, key: str) -> bool:
        """Tell whether there is a sentence for `key`."""
        return find(self.language, key) is not None

    def keys(self) -> Sequence[str]:
        """Return every key, sorted."""
        return sorted(messages(self.language))

    def size(self, size_bytes: int | None) -> str:
        """Write a size in bytes with a unit, or the word for an unknown one."""
        return self.say("word.unknown") if size_bytes is None else human_size(size_bytes)

    def time(self, moment: datetime | str | None) -> str:
        """Write a time in the zone of the reader; a text is read as RFC 3339."""
        if moment is None:
            return self.say("word.never")
        if isinstance(moment, str):
            try:
                moment = datetime.fromisoformat(moment)
            except ValueError:
                return printable(str(moment))
        return local_time(moment, self.zone)

    def place(self, place: str) -> str:
        """Write a place in a file: `line 7` in the reader's language, anything else as it stands."""
        if not place:
            return self.say("place.unknown")
        unit, _, number = place.partition(" ")
        return self.say(f"place.{unit}", number=number) if unit in _UNITS and number.isdecimal() else printable(place)

    def why(self, code: str) -> str:
        """Put the code of a reason into words that fit into brackets; of `error/reason` the reason. What is no code stays as it is.

        What the system said is a code as well: it says it in English, whoever reads it.
        """
        code = _SYSTEM.get(code, code)
        for part in reversed(code.split("/") if _IS_CODE.fullmatch(code) else ()):
            words = find(self.language, f"why.{part}")
            if words is not None:
                return words
        return printable(code)

    def span(self, span: timedelta) -> str:
        """Write a length of time."""
        return length_of_time(span, self.language)


def placeholders(template: str) -> set[str]:
    """Return the names of the facts that a sentence is filled with."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


class _Filler(string.Formatter):
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:  # noqa: ARG002  -- the base class has it
        # The name travels along, because whether thousands are set apart depends on it.
        return (field_name, kwargs.get(field_name, _ABSENT)), field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        name, fact = value
        if fact is _ABSENT:
            return f"{{{name}}}"
        form, _, detail = format_spec.partition(":")
        if form == "plural":
            one, _, other = detail.partition("|")
            return one if fact == 1 else other
        if fact is None:
            return self._catalogue.say("word.unknown")
        if isinstance(fact, bool):
            return self._catalogue.say("word.yes" if fact else "word.no")
        if isinstance(fact, int | float):
            return self._number(name, fact, form)
        text = str(fact)
        if form == "short":
            return printable(text[:8] if _IS_ID.fullmatch(text) else text)
        if form == "shell":
            return printable(shlex.quote(text))
        if name == "place":
            return self._catalogue.place(text)
        if name in _SAYS_WHY and form != "raw":
            return self._catalogue.why(text)
        if name == "app":
            return f"{_NAME_BEGINS}{printable(text)}{_NAME_ENDS}"
        return self._catalogue.time(text) if form == "time" else _readable(name, text)

    def _number(self, name: str, number: float, form: str) -> str:
        if form == "size":
            return human_size(int(number))
        if form == "span":
            return self._catalogue.span(timedelta(seconds=number))
        return str(number) if form == "raw" or name in _NAMES_A_THING else grouped(number)


def _closed_up(sentence: str) -> str:
    """Leave out the space beside an app's name where Chinese stands on both sides: it is written around Latin names only."""
    return _NAME_MARKS.sub("", _GAP.sub("", sentence)) if _NAME_BEGINS in sentence else sentence


def _readable(name: str, text: str) -> str:
    """Make a fact safe to show. The middle of a path that fills the screen is left out: its ends tell which it is, and JSON has it all."""
    shown = printable(text)
    if name not in _NAMES_A_PATH or len(shown) <= 2 * _END_OF_PATH:
        return shown
    return f"{shown[:_END_OF_PATH]}…{shown[-_END_OF_PATH:]}"


_ABSENT = object()
# Control characters, which no fact can bring in: `printable` has made them visible.
_NAME_BEGINS, _NAME_ENDS = "\x02", "\x03"
_NAME_MARKS = re.compile(f"[{_NAME_BEGINS}{_NAME_ENDS}]")
_CHINESE = r"[\u3001-\u303f\u3400-\u9fff\uff00-\uffef]"
_GAP = re.compile(f"(?<={_CHINESE}) (?={_NAME_BEGINS}{_CHINESE})|(?<={_CHINESE}{_NAME_ENDS}) (?={_CHINESE})")
_END_OF_PATH = 300
_NAMES_A_PATH = frozenset({"path", "file"})
_SAYS_WHY = frozenset({"reason", "detail", "doubt", "missing"})
_SYSTEM = {
    said: f"system-{name.lower()}" for number, name in errno.errorcode.items() for said in (os.strerror(number), name)
}
_IS_CODE = re.compile(r"[a-z0-9]+(?:[-/][a-z0-9]+)*")
_UNITS = {"line", "byte", "character"}
_IS_ID = re.compile(r"[0-9a-f]{9,}")
