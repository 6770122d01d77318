"""Every key of the settings: one table that the reader, the JSON Schema and the reference are made from."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, TypeAlias

VERSION: Final = 1

Value: TypeAlias = str | int | bool | timedelta | None
Kind: TypeAlias = Literal["text", "path", "count", "span", "choice", "flag"]

_SPAN = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PACKAGE = r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: where it stands, what it may hold, and what is meant where it is absent.

    `pattern` is for texts; `choices` for choices; `most` is the longest that a length of time may be; `example` is a
    right value as it is written in TOML.
    """

    table: str
    name: str
    kind: Kind
    default: str | int | bool | None
    example: str
    choices: tuple[str, ...] = ()
    pattern: str = ".+"
    required: bool = False
    most: timedelta = timedelta(days=366)

    @property
    def dotted(self) -> str:
        """The key with its table: `guard.max-backup-age`."""
        return f"{self.table}.{self.name}"

    @property
    def expected(self) -> str:
        """The form of a right value, the same in every language."""
        if self.choices:
            return " | ".join(f'"{choice}"' for choice in self.choices)
        return f"{self.example} (1s..{self.most.days}d)" if self.kind == "span" else self.example

    def parse(self, found: object) -> Value:
        """Return the value for the settings.

        Raises:
            ValueError: the key cannot hold it.
        """
        if type(found) is not {"count": int, "flag": bool}.get(self.kind, str):
            raise ValueError(found)
        return _PARSERS[self.kind](self, found)


def span(text: str) -> timedelta:
    """Read a length of time: `90s`, `30m`, `24h`, `7d`, `2w`.

    Raises:
        ValueError: the text is anything else.
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def _text(key: Key, found: str) -> str:
    if not re.fullmatch(key.pattern, found) or "\0" in found:
        raise ValueError(found)
    return found


def _count(_key: Key, found: int) -> int:
    if not 0 <= found <= 100_000:
        raise ValueError(found)
    return found


def _span(key: Key, found: str) -> timedelta:
    length = span(found)
    if length > key.most:
        raise ValueError(found)
    return length


def _flag(_key: Key, found: bool) -> bool:  # noqa: FBT001  -- it is the value itself
    return found


def _choice(key: Key, found: str) -> str:
    if found not in key.choices:
        raise ValueError(found)
    return found


_PARSERS: dict[Kind, Callable[..., Value]] = {
    "text": _text, "path": _text, "count": _count, "span": _span,
    "choice": _choice,
    "flag": _flag,
}  # fmt: skip

KEYS: Final[tuple[Key, ...]] = (
    Key("repository", "path", "path", None, '"~/Backups/chats"'),
    Key("repository", "passphrase-command", "text", None, '"secret-tool lookup app backupkit"'),
    Key("repository", "passphrase-file", "path", None, '"~/.config/backupkit/passphrase"'),
    Key("source", "name", "text", None, '"wechat"', pattern=r"[^\s/\\]{1,64}", required=True),
    Key("source", "path", "path", None, '"~/Exports/wechat"', required=True),
    Key("source", "app", "choice", "auto", '"wechat"', ("auto", "wechat", "whatsapp", "qq", "telegram", "imessage")),
    Key("source", "package", "text", None, '"com.tencent.mm"', pattern=_PACKAGE),
    Key("source", "chat-key-file", "path", None, '"~/.config/backupkit/whatsapp.key"'),
    Key("keep", "last", "count", 0, "3"),
    Key("keep", "daily", "count", 14, "14"),
    Key("keep", "weekly", "count", 0, "8"),
    Key("keep", "monthly", "count", 24, "24"),
    Key("keep", "yearly", "count", 0, "10"),
    Key("verify", "after-snapshot", "choice", "all", '"all"', ("all", "none")),
    Key("verify", "drill", "choice", "monthly", '"monthly"', ("daily", "weekly", "monthly", "never")),
    Key("guard", "max-backup-age", "span", "24h", '"24h"', most=timedelta(days=30)),
    Key("guard", "needs", "choice", "verified", '"verified"', ("verified", "drilled")),
    Key("guard", "needs-second-copy", "flag", default=False, example="false"),
    Key("guard", "needs-challenge", "flag", default=False, example="false"),
    Key("guard", "consent-from", "choice", "person", '"person"', ("person", "token")),
    # There is no other answer: a guard that lets through what it does not understand is no guard.
    Key("guard", "when-unsure", "choice", "hold", '"hold"', ("hold",)),
    Key("watch", "settle", "span", "90s", '"90s"'),
)

TABLES: Final[dict[str, dict[str, Key]]] = {
    table: {key.name: key for key in KEYS if key.table == table} for table in dict.fromkeys(key.table for key in KEYS)
}
