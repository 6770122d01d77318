from pathlib import Path

import pytest
from apk_reading import Read, Refusal, reader, refuser


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return reader(tmp_path / "app.apk")


@pytest.fixture
def refusal(read: Read) -> Refusal:
    return refuser(read)
