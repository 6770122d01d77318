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


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "Phone 微信 %3F"
    folder.mkdir()
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"
