"""The four parts of an error: what happened, why, what to try, and the code to ask about."""

import re
from collections.abc import Container
from dataclasses import dataclass

from backupkit.errors import BackupkitError
from backupkit.i18n import Catalogue
from backupkit.text import width
from backupkit.ui.columns import wrapped
from backupkit.ui.terminal import Terminal

_COMMAND = re.compile(r"\bbackupkit((?: [a-z][a-z-]*)+)")


@dataclass(frozen=True, slots=True)
class ErrorText:
    """The sentences of one error in one language."""

    what: str
    why: str
    attempt: str
    code: str


def error_text(error: BackupkitError, catalogue: Catalogue) -> ErrorText:
    """Find and fill the sentences of an error."""
    what, why, attempt = (catalogue.say(f"error.{error.code}.{part}", **error.facts) for part in ("what", "why", "try"))
    return ErrorText(what, why, attempt, error.code)


def error_lines(error: BackupkitError, catalogue: Catalogue, terminal: Terminal) -> list[str]:
    """Lay an error out for a person."""
    text = error_text(error, catalogue)
    head = catalogue.say("error.heading")
    labels = {name: catalogue.say(f"error.label.{name}") for name in ("why", "try", "code")}
    indent = max(width(label) for label in labels.values()) + 4
    columns = min(terminal.columns, 100)
    lines = [terminal.paint("bad", head) + line for line in wrapped(text.what, columns - width(head))[:1]]
    lines += [" " * width(head) + line for line in wrapped(text.what, columns - width(head))[1:]]
    lines += wrapped(text.why, columns, indent=indent, first=f"  {labels['why']}")
    lines += wrapped(text.attempt, columns, indent=indent, first=f"  {labels['try']}")
    explain = catalogue.say("error.explain", code=text.code)
    return [*lines, *wrapped(explain, columns, indent=indent, first=f"  {labels['code']}")]


def commands_to_try(error: BackupkitError, known: Container[str]) -> list[str]:
    """Return the commands that the advice names, the same in every language.

    `known` holds what may follow the program's name, such as `key add`; the words after it are prose.
    """
    found = []
    for words in _COMMAND.findall(error_text(error, Catalogue("en")).attempt):
        parts = words.split()
        path = next((" ".join(parts[:n]) for n in (2, 1) if " ".join(parts[:n]) in known), None)
        if path is not None:
            found.append(f"backupkit {path}")
    return list(dict.fromkeys(found))
