"""What tests of restoring begin with."""

import pytest

from backupkit.ops.restoring import restored_files


@pytest.fixture(params=["without a name", "under another name"])
def until_whole(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How files lie in the target until they are whole."""
    if request.param == "under another name":
        monkeypatch.setattr(restored_files, "_UNNAMED", 0)
    return str(request.param)
