"""For line tools and screen readers: one record per line, `field=value` pairs set apart by tabs, no layout."""

from collections.abc import Iterator, Mapping, Sequence

from backupkit.errors import BackupkitError, Fact
from backupkit.ops.events import Event, Found, Notice
from backupkit.text import printable
from backupkit.ui.output import Output
from backupkit.ui.printer import Fields
from backupkit.ui.text_printer import TextPrinter


class PlainPrinter:
    """Prints results as fields; notes and errors as the text printer does."""

    def __init__(self, out: Output, people: TextPrinter) -> None:
        self._out = out
        self._people = people

    def event(self, event: Event) -> None:
        """Findings and notices are told; progress has no place among records."""
        if isinstance(event, Found | Notice):
            self._people.event(event)

    def note(self, key: str, /, **facts: Fact) -> None:
        """Say a sentence to the person watching."""
        self._people.note(key, **facts)

    def record(self, kind: str, fields: Fields, lines: Sequence[str] = ()) -> None:  # noqa: ARG002  -- lines are for the eye
        """Print one record."""
        pairs = "\t".join(f"{name}={printable(value)}" for name, value in _flat(fields))
        self._out.write(f"{kind}\t{pairs}\n" if pairs else f"{kind}\n")

    def summary(self, fields: Fields, lines: Sequence[str] = (), *, kind: str = "summary") -> None:
        """Print the last record."""
        self.record(kind, fields, lines)

    def error(self, error: BackupkitError) -> None:
        """Show the four parts of an error."""
        self._people.error(error)

    def close(self) -> None:
        """Say what was only counted."""
        self._people.close()


def _flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield every value below `value` with its dotted name; unknown is an empty text."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _flat(below, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        if any(isinstance(item, Mapping | list | tuple) for item in value):
            for place, item in enumerate(value):
                yield from _flat(item, f"{name}.{place}")
        else:
            yield name, ",".join(map(_text, value))
    else:
        yield name, _text(value)


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
