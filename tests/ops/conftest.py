"""What tests of use cases begin with. Making a repository costs a second of key stretching, so it is made once and copied."""

from pathlib import Path

import pytest
from backup_scene import Scene, SteppingClock


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    scene = Scene(tmp_path_factory.mktemp("template") / "disk")
    scene.folder.mkdir()
    scene.initialise()
    return scene


@pytest.fixture
def scene(_template: Scene, tmp_path: Path) -> Scene:
    """A repository whose recovery code was typed back, and nothing saved yet."""
    copied = _template.copy_to(tmp_path / "disk")
    copied.clock = SteppingClock(_template.clock.at)
    copied.chats.mkdir()
    return copied


@pytest.fixture
def bare_scene(tmp_path: Path) -> Scene:
    """A disk with no repository."""
    scene = Scene(tmp_path / "disk")
    scene.folder.mkdir()
    return scene
