"""What end-to-end tests begin with."""

from pathlib import Path

import pytest
from computer import Computer


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path / "home")


@pytest.fixture
def ready_computer(computer: Computer) -> Computer:
    computer.initialise()
    return computer
