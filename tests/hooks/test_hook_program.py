"""`backupkit-hook` as a shop meets it: a real process, a question in, one answer out."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from guard_scene import STRANGER, WECHAT, Scene, on_disk
from schema_check import problems

from backupkit.guard.desk import load_hook_key
from backupkit.guard.ledger import verify_ledger
from backupkit.guard.verdict import undecided

HOOK = Path(sys.executable).with_name("backupkit-hook")
SCHEMAS = Path(__file__).parents[2] / "backupkit" / "hooks" / "schemas"
VERDICT_SCHEMA = json.loads((SCHEMAS / "verdict-1.json").read_text("utf-8"))
REQUEST_SCHEMA = json.loads((SCHEMAS / "hook-request-1.json").read_text("utf-8"))


class Phone:
    """A shop's phone: asks the real hook, and does what the store contract says."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def ask(self, **fields: Any) -> tuple[dict[str, Any], int]:
        """Ask about an upgrade and return the answer and exit code."""
        installed, offered = on_disk(self.scene.installed()), fields.pop("offered", None)
        question = {
            "type": "hook-request",
            "v": 1,
            "package": WECHAT,
            "action": "upgrade",
            "installed": {"path": str(installed.path), "sha256": installed.sha256},
            "candidate": None if offered is None else {"path": str(offered)},
            "device_sdk": 33,
            "app_name": "微信",
            "store": "a shop",
            "deadline_ms": 25_000,
            **fields,
        }
        assert problems(question, REQUEST_SCHEMA) == []
        return self.send(json.dumps(question).encode())

    def send(self, data: bytes, **settings: Any) -> tuple[dict[str, Any], int]:
        """Send bytes to the hook and read its one answer."""
        done = subprocess.run(
            [HOOK], input=data, capture_output=True, env=self.environment(), timeout=30, check=False, **settings
        )
        assert done.stderr == b""
        lines = done.stdout.splitlines()
        assert len(lines) == 1
        answer = json.loads(lines[0])
        assert problems(answer, VERDICT_SCHEMA) == []
        assert answer["exit_code"] == done.returncode
        return answer, done.returncode

    def environment(self) -> dict[str, str]:
        """The environment of the process: its own state, nobody's home."""
        return {**os.environ, "XDG_STATE_HOME": str(self.scene.folder / "state")}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, now=datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def phone(scene: Scene) -> Phone:
    return Phone(scene)


def test_the_accident_of_2018_does_not_happen(scene: Scene, phone: Phone) -> None:
    scene.enrol_store()
    loss = {"messages": 50_000, "conversations": 96, "bytes": 11_000_000_000, "not_in_backup": 1_789}
    offered = scene.offered_by_stranger()

    held, hold_code = phone.ask(offered=offered, loss=loss)
    scene.issue()
    covered, covered_code = phone.ask(offered=offered, loss=loss)
    answers = {"id": covered["consent"]["id"], "understood": True, "typed": "微信"}
    consented, consent_code = phone.ask(offered=offered, loss=loss, consent=answers)

    assert (hold_code, held["decision"], held["outcome"], held["reason"]) == (
        40, "hold", "would-wipe", "no-verified-backup",
    )  # fmt: skip
    assert (held["install_result"], held["would_erase"], held["coverage"]) == (-7, True, None)
    assert held["loss"]["messages"] == 50_000
    assert (covered_code, covered["decision"], covered["consent"]["state"]) == (0, "allow", "needed")
    assert covered["coverage"]["messages"] == 48_211
    assert covered["loss"]["not_in_backup"] == 1_789
    assert (consent_code, consented["consent"]["state"], consented["consent"]["by"]) == (0, "given", "person")
    assert verify_ledger(scene.places.ledger, load_hook_key(scene.places).verify_key).entries == 3


def test_a_rotated_maker_keeps_the_chats(scene: Scene, phone: Phone) -> None:
    answer, code = phone.ask(offered=scene.rotated())

    assert (code, answer["outcome"], answer["signer_change"]) == (0, "keeps-data", "rotated")


def test_what_the_device_refuses_is_denied(scene: Scene, phone: Phone) -> None:
    answer, code = phone.ask(offered=scene.package("v20.apk", version_code=20, min_sdk=34))

    assert (code, answer["outcome"], answer["install_result"]) == (41, "refused-safe", -12)


def test_another_app_is_allowed_with_its_notice(scene: Scene, phone: Phone) -> None:
    answer, code = phone.ask(offered=scene.package("other.apk", STRANGER, package="com.tencent.MM"))

    assert (code, answer["outcome"], answer["reason"]) == (0, "parallel-app", "another-app")


def test_a_damaged_package_is_denied(scene: Scene, phone: Phone) -> None:
    path = scene.package("v20.apk", version_code=20)
    path.write_bytes(path.read_bytes()[:-1])

    answer, code = phone.ask(offered=path)

    assert (code, answer["outcome"]) == (41, "not-genuine")


def test_a_swapped_file_is_not_decided(scene: Scene, phone: Phone) -> None:
    good = on_disk(scene.package("v20.apk", version_code=20))
    shutil.copy(scene.offered_by_stranger(), good.path)

    answer, code = phone.ask(candidate={"path": str(good.path), "sha256": good.sha256})

    assert (code, answer["reason"]) == (42, "package-swapped")


@pytest.mark.parametrize("data", [b"", b"{", b"nonsense", b"[]", b'{"package":5}', b"\xff" * 100])
def test_garbage_is_not_decided(scene: Scene, phone: Phone, data: bytes) -> None:
    answer, code = phone.send(data)

    assert (code, answer["decision"], answer["reason"]) == (42, "undecided", "request-malformed")
    assert answer == undecided("request-malformed").to_json()


def test_a_question_without_end_is_not_decided(phone: Phone) -> None:
    answer, code = phone.send(b" " * (1 << 20) + b"x" * 100_000)

    assert (code, answer["reason"]) == (42, "request-malformed")


def test_a_flipped_byte_of_the_pass_holds_with_its_reason(scene: Scene, phone: Phone) -> None:
    scene.enrol_store()
    data = bytearray(scene.issue())
    place = data.index(b'"sig":"') + 12
    data[place] = ord("A") if data[place] != ord("A") else ord("B")
    scene.places.pass_of(WECHAT).write_bytes(data)

    answer, code = phone.ask(offered=scene.offered_by_stranger())

    assert (code, answer["reason"]) == (40, "pass-signature-invalid")


def test_a_store_set_back_or_forked_holds_with_its_reason(scene: Scene, phone: Phone) -> None:
    scene.enrol_store()
    scene.issue()
    assert phone.ask(offered=scene.offered_by_stranger())[1] == 0

    scene.issue(scene.coverage(leaves=scene.leaves[:3]))
    rolled_back, rolled_back_code = phone.ask(offered=scene.offered_by_stranger())
    scene.issue(scene.coverage(leaves=[b"\x01" * 32, *scene.leaves[1:]]))
    forked, forked_code = phone.ask(offered=scene.offered_by_stranger())

    assert (rolled_back_code, rolled_back["reason"]) == (40, "log-rolled-back")
    assert (forked_code, forked["reason"]) == (40, "log-forked")


def test_yesterdays_pass_is_not_todays(scene: Scene, phone: Phone) -> None:
    scene.enrol_store()
    scene.issue(
        scene.coverage(),
        verified_at=scene.now - timedelta(hours=30),
        time_created=scene.now - timedelta(hours=30),
        expires=scene.now - timedelta(hours=6),
    )

    answer, code = phone.ask(offered=scene.offered_by_stranger())

    assert (code, answer["reason"]) == (40, "pass-expired")


def test_an_app_on_record_and_a_pass_of_its_own_are_enough(scene: Scene, phone: Phone) -> None:
    scene.enrol_store()
    phone.ask(offered=scene.offered_by_stranger())
    data = scene.issue()
    scene.places.pass_of(WECHAT).unlink()
    own = scene.folder / "own.pass"
    own.write_bytes(data)

    held, _ = phone.ask(installed=None, action="uninstall")
    covered, code = phone.ask(installed={"record": WECHAT}, action="uninstall", **{"pass": str(own)})

    assert held["reason"] == "no-verified-backup"
    assert (code, covered["decision"], covered["outcome"]) == (0, "allow", "would-wipe")


def test_a_pipe_in_place_of_a_file_is_not_waited_for(scene: Scene, phone: Phone) -> None:
    os.mkfifo(scene.folder / "pipe")

    for field in ("candidate", "pass"):
        offered = scene.offered_by_stranger()
        fields = {"candidate": {"path": str(offered)}, field: str(scene.folder / "pipe")}
        answer, code = phone.ask(**fields, deadline_ms=20_000)
        assert (code, answer["decision"]) == (42, "undecided")


def test_a_silent_shop_is_answered_in_time(phone: Phone) -> None:
    started = time.monotonic()
    with subprocess.Popen([HOOK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=phone.environment()) as process:
        assert process.stdout is not None
        answer = process.stdout.read()
        code = process.wait()
    took = time.monotonic() - started

    assert (code, json.loads(answer)) == (42, undecided("timed-out").to_json())
    assert 1.5 < took < 10


def test_a_deadline_that_passes_during_the_work_gives_one_answer(scene: Scene, phone: Phone) -> None:
    answer, code = phone.ask(offered=scene.offered_by_stranger(), deadline_ms=1)

    assert (code, answer["reason"]) == (42, "timed-out")


def crash_at(place: str) -> str:
    """A program that runs the hook with one function replaced by one that raises."""
    module, _, name = place.rpartition(".")
    return (
        f"import {module} as broken\n"
        f"def crash(*given, **more): raise {'MemoryError' if 'examine' in name else 'ZeroDivisionError'}\n"
        f"broken.{name} = crash\n"
        "from backupkit.hooks.program import run\n"
        "run()\n"
    )


@pytest.mark.parametrize(
    "place",
    [
        "backupkit.guard.desk.examine",
        "backupkit.guard.desk.conclude",
        "backupkit.guard.desk.load_pins",
        "backupkit.hooks.asking.read_fields",
        "backupkit.hooks.asking.line_of",
        "backupkit.hooks.asking.places_in",
        "backupkit.hooks.program._read",
    ],
)
def test_a_crash_anywhere_inside_is_not_decided(scene: Scene, phone: Phone, place: str) -> None:
    question = {"package": WECHAT, "installed": str(scene.installed()), "candidate": str(scene.rotated())}
    done = subprocess.run(
        [sys.executable, "-c", crash_at(place)],
        input=json.dumps(question).encode(),
        capture_output=True,
        env=phone.environment(),
        check=False,
    )

    assert (done.returncode, done.stderr) == (42, b"")
    assert json.loads(done.stdout)["decision"] == "undecided"


def test_a_machine_without_room_for_a_thread_gets_an_answer(phone: Phone) -> None:
    program = (
        "import threading\n"
        "def no_room(self): raise RuntimeError('no more threads')\n"
        "threading.Thread.start = no_room\n"
        "from backupkit.hooks.program import run\n"
        "run()\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], input=b"{}", capture_output=True, env=phone.environment(), check=False
    )

    assert (done.returncode, done.stderr) == (42, b"")
    assert json.loads(done.stdout)["reason"] == "guard-failed"


def test_a_hook_that_is_killed_gives_no_allow(phone: Phone) -> None:
    with subprocess.Popen([HOOK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=phone.environment()) as process:
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        assert process.stdout.read() == b""
        assert process.wait() != 0


@pytest.mark.parametrize(
    "taken_away",
    ["signal.signal(signal.SIGALRM, signal.SIG_IGN)", "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})"],
    ids=["ignored", "blocked"],
)
def test_an_alarm_that_was_ignored_by_the_shop_still_ends_a_stuck_hook(taken_away: str) -> None:
    program = (
        f"import signal, time\n{taken_away}\n"
        "from backupkit.hooks.one_answer import OneAnswer\n"
        "answer = OneAnswer(1, started=time.monotonic())\n"
        "answer._watch = lambda: time.sleep(60)\n"
        "answer.expect_within(0.1)\n"
        "time.sleep(60)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=30)

    assert done.returncode == -signal.SIGALRM
    assert done.stdout == b""


def test_a_question_may_come_from_a_file(scene: Scene, phone: Phone) -> None:
    file = scene.folder / "question.json"
    question = {"package": WECHAT, "installed": str(scene.installed()), "candidate": str(scene.rotated())}
    file.write_text(json.dumps(question))

    done = subprocess.run(
        [HOOK, "--request", file], capture_output=True, env=phone.environment(), stdin=subprocess.DEVNULL, check=False
    )
    absent = subprocess.run([HOOK, "--request", "/nowhere"], capture_output=True, env=phone.environment(), check=False)

    assert (done.returncode, json.loads(done.stdout)["decision"]) == (0, "allow")
    assert (absent.returncode, json.loads(absent.stdout)["reason"]) == (42, "request-unreadable")


@pytest.mark.parametrize(("lang", "word"), [("en_US.UTF-8", "Usage"), ("zh_CN.UTF-8", "用法"), ("C", "Usage")])
def test_help_comes_in_the_language_of_the_reader(lang: str, word: str) -> None:
    done = subprocess.run([HOOK, "--help"], capture_output=True, env={**os.environ, "LANG": lang}, check=False)

    assert done.returncode == 0
    assert done.stdout.decode().startswith(word)


def test_the_version_is_said_and_other_words_are_refused() -> None:
    version = subprocess.run([HOOK, "--version"], capture_output=True, check=False)
    unknown = subprocess.run([HOOK, "--allow"], capture_output=True, check=False)

    assert version.stdout.startswith(b"backupkit-hook ")
    assert (unknown.returncode, unknown.stdout) == (2, b"")


def test_nothing_slow_is_loaded_on_any_way_through_the_hook(scene: Scene, phone: Phone) -> None:
    scene.enrol_store()
    scene.issue()
    program = (
        "import sys\n"
        "from backupkit.hooks import program\n"
        "import time\n"
        "code = program.main([], __import__('os').environ, started=time.monotonic())\n"
        "sys.stderr.write('\\n'.join(sys.modules))\n"
        "sys.exit(code)\n"
    )
    question = {
        "package": WECHAT,
        "installed": str(scene.installed()),
        "candidate": str(scene.offered_by_stranger()),
        "device_sdk": 33,
    }

    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(question).encode(),
        capture_output=True,
        env=phone.environment(),
        check=False,
    )
    loaded = set(done.stderr.decode().split())

    assert done.returncode == 0
    assert "backupkit.guard.judge" in loaded
    slow = {
        "typer",
        "click",
        "rich",
        "watchdog",
        "zstandard",
        "pyfastcdc",
        "mnemonic",
        "platformdirs",
        "asyncio",
        "ssl",
    }
    assert not {name.split(".")[0] for name in loaded} & slow
    # What a question about an app on record needs of these was a fifth of its time.
    on_record = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(
            {"package": WECHAT, "installed": {"record": WECHAT}, "action": "uninstall", "device_sdk": 33}
        ).encode(),
        capture_output=True,
        env=phone.environment(),
        check=False,
    )
    assert on_record.returncode == 0
    avoided = {
        "dataclasses",
        "inspect",
        "ast",
        "secrets",
        "random",
        "base64",
        "tomllib",
        "email",
        "subprocess",
        "asyncio",
    }
    assert not {name.split(".")[0] for name in on_record.stderr.decode().split()} & avoided
    rooms = {name.split(".")[1] for name in loaded if name.startswith("backupkit.")}
    assert rooms <= {"errors", "ids", "clock", "home", "text", "codec", "crypto", "proof", "guard", "hooks", "config"}


@pytest.mark.parametrize(
    ("closed", "code"), [(">&-", 42), ("2>&-", 0), ("<&-", 42), (">/dev/full", 42), ("<&- >&- 2>&-", 42)]
)
def test_a_shop_that_closed_its_streams_gets_the_right_exit_code(
    scene: Scene, phone: Phone, closed: str, code: int
) -> None:
    question: dict[str, object] = {"package": WECHAT, "installed": str(scene.installed())}
    question |= {"candidate": str(scene.rotated()), "device_sdk": 33, "deadline_ms": 30_000}
    asked = ["/bin/sh", "-c", f'exec "$0" {closed}', str(HOOK)]
    data = json.dumps(question).encode()
    done = subprocess.run(asked, input=data, capture_output=True, env=phone.environment(), timeout=60, check=False)
    assert (done.returncode, done.stderr) == (code, b"")
