"""A real app that writes while we copy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from busy_app import StartWriter, busy_apps


@pytest.fixture
def busy_writer(tmp_path: Path) -> Iterator[StartWriter]:
    """Start the app on a database: `busy_writer(path, "wal")`."""
    with busy_apps(tmp_path) as start:
        yield start
