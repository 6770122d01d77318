"""The hook in an environment that somebody prepared, or that is broken: it answers, and never more kindly than it should."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from guard_scene import WECHAT, Scene

from backupkit.clock import SystemClock

HOOK = Path(sys.executable).with_name("backupkit-hook")


def limit(what: int, most: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(what, (most, most))


def close(*streams: int) -> Callable[[], None]:
    def act() -> None:
        for stream in streams:
            os.close(stream)

    return act


def mask() -> None:
    os.umask(0o777)


@pytest.mark.parametrize(
    ("environment", "before"),
    [
        ({"HOME": "/dev/null", "XDG_STATE_HOME": ""}, None),
        ({"HOME": "relative", "XDG_STATE_HOME": ""}, None),
        ({"XDG_STATE_HOME": "/dev/full"}, None),
        ({"XDG_STATE_HOME": "{folder}/loop"}, None),
        ({"XDG_STATE_HOME": "/" + "x" * 5000}, None),
        ({"TMPDIR": "/nowhere", "LANG": "\x1b[31m", "LANGUAGE": "zh\n"}, None),
        ({"PYTHONWARNINGS": "error", "PYTHONINSPECT": "1", "PYTHONOPTIMIZE": "2"}, None),
        ({}, close(1, 2)),
        ({}, close(0, 1, 2)),
        ({}, mask),
        ({}, limit(resource.RLIMIT_AS, 30 << 20)),
        ({}, limit(resource.RLIMIT_FSIZE, 0)),
        ({}, limit(resource.RLIMIT_NOFILE, 5)),
    ],
)
def test_nothing_in_the_environment_lets_through_what_must_wait(
    tmp_path: Path, environment: dict[str, str], before: Callable[[], None] | None
) -> None:
    scene = Scene(tmp_path, now=SystemClock().now().replace(microsecond=0))
    scene.enrol_store()
    (tmp_path / "loop").symlink_to("loop")
    asked = {
        "package": WECHAT, "installed": str(scene.installed()), "candidate": str(scene.offered_by_stranger()),
        "device_sdk": 33, "deadline_ms": 30_000,
    }  # fmt: skip
    set_up = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    set_up |= {name: value.replace("{folder}", str(tmp_path)) for name, value in environment.items()}

    done = subprocess.run(
        [HOOK], input=json.dumps(asked).encode(), capture_output=True, check=False, env=set_up, cwd=tmp_path,
        preexec_fn=before, timeout=60,
    )  # fmt: skip

    assert done.returncode in {40, 42}, done.stderr
    assert b"Traceback" not in done.stderr
    if done.stdout:
        assert json.loads(done.stdout)["exit_code"] == done.returncode
