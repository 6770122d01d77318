"""What every test may ask for."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The suite tries the same examples on every machine, however busy it is. To look for new ones:
# ./scripts/test --hypothesis-profile=explore
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=1000)
settings.load_profile("repeatable")

# A run in the background, or under nohup, is started deaf to these, and so would be every program that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The judged corpus, which is not part of this project. Tests that read it say plainly when it is absent."""
    named = os.environ.get("BACKUPKIT_CORPUS", "")
    if not named:
        pytest.skip("BACKUPKIT_CORPUS names no corpus, so nothing was compared with its judged data")
    folder = Path(named)
    assert folder.is_dir(), f"BACKUPKIT_CORPUS={named} is not a folder"
    return folder


@pytest.fixture(scope="session")
def system_tool() -> Callable[[str], str]:
    """Find a program of the system, or say plainly that the comparison with it did not run.

    Where BACKUPKIT_REQUIRE_TOOLS is set, as in CI, an absent program is a failure.
    """

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            if os.environ.get("BACKUPKIT_REQUIRE_TOOLS"):
                pytest.fail(f"{name} is not installed, and this machine must have it")
            pytest.skip(f"{name} is not installed, so nothing was compared with it")
        return path

    return find


@pytest.fixture
def ordinary_folder() -> Iterator[Path]:
    """A folder in which this process is an ordinary user, who may be denied things, even where root runs the tests."""
    nobody, root = 65534, os.geteuid() == 0
    # Not below pytest's own folders: nobody else may enter those.
    folder = Path(tempfile.mkdtemp(prefix="backupkit-test-"))
    if root:
        os.chown(folder, nobody, nobody)
        os.seteuid(nobody)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _nobodys_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the home, settings or repository of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("BACKUPKIT_") and name not in {"BACKUPKIT_CORPUS", "BACKUPKIT_REQUIRE_TOOLS"}:
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "LC_ALL", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
