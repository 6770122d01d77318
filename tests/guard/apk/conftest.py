import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from apk_reading import Read, Refusal, reader, refuser
from apksig import ApkSig, is_here


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return reader(tmp_path / "app.apk")


@pytest.fixture
def refusal(read: Read) -> Refusal:
    return refuser(read)


@pytest.fixture(scope="package")
def apksig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApkSig]:
    """Apksigner's library as a judge. Where BACKUPKIT_REQUIRE_TOOLS is set, as in CI, its absence is a failure."""
    if not is_here():
        absent = "apksigner's library and javac are not both installed"
        if os.environ.get("BACKUPKIT_REQUIRE_TOOLS"):
            pytest.fail(f"{absent}, and this machine must have them")
        pytest.skip(f"{absent}, so nothing was compared with it")
    with ApkSig(tmp_path_factory.mktemp("apksig")) as judge:
        yield judge
