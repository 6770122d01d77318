"""Settings written as the TOML that would give them again: what counts, after all files were put together."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from backupkit.config.keys import TABLES, Value
from backupkit.config.settings import Settings

_UNITS = (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def settings_as_toml(settings: Settings) -> Iterator[str]:
    """Give the lines of a file with every setting in it. What has no value is left out, as no file can name it."""
    for table in TABLES:
        if table == "source":
            for source in settings.sources:
                yield from _table("[[source]]", table, source)
        else:
            yield from _table(f"[{table}]", table, getattr(settings, table))


def _table(heading: str, table: str, values: object) -> Iterator[str]:
    written = [
        f"{name} = {_written(value)}"
        for name in TABLES[table]
        if (value := getattr(values, name.replace("-", "_"))) is not None
    ]
    if written:
        yield from (heading, *written, "")


def _written(value: Value | Path) -> str:
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
        # A day reads better as the 24 hours that a file says.
        return '"24h"' if seconds == 86400 else f'"{seconds // size}{unit}"'
    if isinstance(value, Path):
        value = str(value)
    # A text in JSON is the same text in TOML, once the one character that TOML refuses is escaped too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
