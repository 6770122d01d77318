"""What the place we print to can do. Pure: flags, environment and the facts about the stream come in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

ColorChoice: TypeAlias = Literal["auto", "always", "never"]
ProgressChoice: TypeAlias = Literal["auto", "bar", "lines", "none"]
Role: TypeAlias = Literal["good", "warning", "bad", "strong", "faint"]

# Meaning is never carried by colour alone: every coloured word also says what it means.
_CODES: dict[Role, str] = {"good": "32", "warning": "33", "bad": "31", "strong": "1", "faint": "2"}


@dataclass(frozen=True, slots=True)
class Terminal:
    """The stream that people read. `columns` is its width; `color` says whether escape codes are welcome."""

    is_tty: bool = False
    color: bool = False
    columns: int = 80

    def paint(self, role: Role, text: str) -> str:
        """Colour a text, or return it as it is where colour is not wanted."""
        return f"\x1b[{_CODES[role]}m{text}\x1b[0m" if self.color and text else text


def wants_color(choice: ColorChoice, environment: Mapping[str, str], *, is_tty: bool) -> bool:
    """Decide about colour: the flag, then NO_COLOR, then FORCE_COLOR, then a terminal that is not dumb."""
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") not in {"", "0"}:
        return True
    return is_tty and environment.get("TERM", "") != "dumb"


def progress_kind(
    choice: ProgressChoice, environment: Mapping[str, str], *, is_tty: bool, quiet: bool
) -> Literal["bar", "lines", "none"]:
    """Decide how progress is shown: nothing when quiet; a bar only where a line can be drawn over again."""
    if quiet:
        return "none"
    if choice != "auto":
        return choice
    return "bar" if is_tty and environment.get("TERM", "") != "dumb" else "lines"
