"""`backupkit-hook serve` as shops meet it: real processes on real sockets."""

import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from guard_scene import WECHAT, Scene, on_disk
from hook_server import HOOK, HookServer, SocketCaller, hook_server
from schema_check import problems

from backupkit.guard.desk import load_hook_key
from backupkit.guard.ledger import verify_ledger

SCHEMAS = Path(__file__).parents[2] / "backupkit" / "hooks" / "schemas"
VERDICT_SCHEMA = json.loads((SCHEMAS / "verdict-1.json").read_text("utf-8"))
OPENAPI = json.loads((SCHEMAS / "openapi-1.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A phone with WeChat on it and a verified backup of its chats."""
    scene = Scene(tmp_path_factory.mktemp("s"), now=datetime.now(UTC).replace(microsecond=0))
    scene.enrol_store()
    scene.issue()
    return scene


@pytest.fixture(scope="module")
def server(scene: Scene) -> Iterator[HookServer]:
    with hook_server(scene.folder / "state", "--socket", str(scene.folder / "door"), "--http", "0") as running:
        yield running


def question(scene: Scene, offered: Path, **fields: Any) -> dict[str, Any]:
    installed = on_disk(scene.installed())
    return {
        "type": "hook-request",
        "v": 1,
        "package": WECHAT,
        "installed": {"path": str(installed.path), "sha256": installed.sha256},
        "candidate": {"path": str(offered)},
        "device_sdk": 33,
        "app_name": "微信",
        "store": "a shop",
        "deadline_ms": 60_000,
        **fields,
    }


def one_shot(scene: Scene, asked: dict[str, Any]) -> dict[str, Any]:
    environment = {**os.environ, "XDG_STATE_HOME": str(scene.folder / "state")}
    done = subprocess.run([HOOK], input=json.dumps(asked).encode(), capture_output=True, env=environment, check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_both_doors_answer_what_the_program_answers(scene: Scene, server: HookServer) -> None:
    caller = server.caller()
    for offered in (scene.offered_by_stranger(), scene.rotated(), scene.package("old.apk", version_code=5)):
        asked = question(scene, offered)

        alone = one_shot(scene, asked)
        by_socket = caller.ask(asked)
        status, by_http, _ = server.http(json.dumps(asked).encode())

        assert by_socket == by_http == alone
        assert problems(alone, VERDICT_SCHEMA) == []
        assert (status == 200) == (alone["decision"] == "allow")


def test_consent_is_given_over_the_socket_in_two_steps(scene: Scene, server: HookServer) -> None:
    caller = server.caller()
    asked = question(scene, scene.offered_by_stranger())

    needed = caller.ask(asked)
    answers = {"id": needed["consent"]["id"], "understood": True, "typed": "微信"}
    given = caller.ask({**asked, "consent": answers})
    wrong = caller.ask({**asked, "consent": {**answers, "typed": "QQ"}})

    assert (needed["decision"], needed["consent"]["state"]) == ("allow", "needed")
    assert (given["consent"]["state"], given["consent"]["by"]) == ("given", "person")
    assert (wrong["decision"], wrong["reason"]) == ("hold", "consent-refused")


def test_every_decision_of_many_callers_at_once_is_in_the_ledger(scene: Scene, server: HookServer) -> None:
    before = verify_ledger(scene.places.ledger, load_hook_key(scene.places).verify_key).entries

    def ask_five(_: int) -> list[str]:
        caller = server.caller()
        return [caller.ask(question(scene, scene.rotated()))["decision"] for _ in range(5)]

    with ThreadPoolExecutor(8) as many:
        answers = [answer for five in many.map(ask_five, range(8)) for answer in five]

    assert answers == ["allow"] * 40
    assert verify_ledger(scene.places.ledger, load_hook_key(scene.places).verify_key).entries == before + 40


def test_questions_in_one_breath_are_answered_in_their_order(scene: Scene, server: HookServer) -> None:
    caller = server.caller()
    first, second = question(scene, scene.rotated()), question(scene, scene.package("old.apk", version_code=5))

    caller.send(json.dumps(first).encode() + b"\n\n" + json.dumps(second).encode())
    caller.socket.shutdown(socket.SHUT_WR)

    reasons = [answer and answer["reason"] for answer in (caller.answer(), caller.answer(), caller.answer())]
    assert reasons[:2] == ["signer-rotated", "request-malformed"]
    assert reasons[2] not in {None, "request-malformed", "signer-rotated"}
    assert caller.answer() is None


@pytest.mark.parametrize("data", [b"{\n", b"nonsense\n", b"[]\n", b"\xff\xfe\n", b"\n", b'{"package":5}\n'])
def test_garbage_on_the_socket_is_not_decided(server: HookServer, data: bytes) -> None:
    caller = server.caller()
    caller.send(data)
    answer = caller.answer()

    assert answer is not None
    assert (answer["decision"], answer["reason"]) == ("undecided", "request-malformed")


def test_a_question_without_end_is_cut_off(server: HookServer) -> None:
    caller = server.caller()
    with pytest.raises((ConnectionError, AssertionError)):  # noqa: PT012 - where the server hangs up is its own business
        for _ in range(64):
            caller.send(b" " * (1 << 16))
        answer = caller.answer()
        assert answer is None or answer["decision"] == "undecided"
        raise ConnectionError


def test_callers_who_never_read_their_answers_lose_their_places(tmp_path: Path) -> None:
    with hook_server(tmp_path / "state", "--socket", str(tmp_path / "door")) as running:
        opened = Path(f"/proc/{running.process.pid}/fd")
        before = len(list(opened.iterdir()))
        for _ in range(3):
            deaf = running.caller()
            deaf.socket.settimeout(1)
            with suppress(OSError):
                deaf.send(b"[]\n" * 10_000)
            # It hears the beginning of the first answer, and never anything more.
            assert deaf.socket.recv(1) == b"{"

        end = time.monotonic() + 40
        while (now := len(list(opened.iterdir()))) > before and time.monotonic() < end:
            time.sleep(0.2)

        assert now <= before


def test_a_caller_who_says_nothing_more_is_told_that_time_is_up(server: HookServer) -> None:
    caller = server.caller()
    caller.send(b'{"package":')
    answer = caller.answer()

    assert answer is not None
    assert (answer["decision"], answer["reason"]) == ("undecided", "timed-out")


def test_a_deadline_of_the_question_holds_here_too(scene: Scene, server: HookServer) -> None:
    caller = server.caller()
    answer = caller.ask(question(scene, scene.offered_by_stranger(), deadline_ms=1))

    assert answer["decision"] == "undecided"
    assert answer["reason"] == "timed-out"


def test_the_socket_and_the_token_are_the_owners_alone(server: HookServer) -> None:
    socket_mode = Path(server.serving["socket"]).stat().st_mode
    token_mode = Path(server.serving["token_file"]).stat().st_mode

    assert stat.S_IMODE(socket_mode) == 0o600
    assert stat.S_IMODE(token_mode) == 0o600
    assert len(server.token) == 64


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_learns_nothing() -> None:
    # Loaded before, for the interpreter may lie where only root can read.
    program = (
        "import os, sys, asyncio, encodings.idna, backupkit.hooks.serving; from backupkit.hooks.program import run\n"
        "place = os.path.dirname(sys.argv[3]); os.chmod(os.path.dirname(place), 0o755); os.makedirs(place)\n"
        "os.chown(place, 65534, -1); os.setuid(65534); run()"
    )
    with (
        TemporaryDirectory() as folder,
        hook_server(
            Path(folder, "state"), "serve", "--socket", f"{folder}/open/door", program=[sys.executable, "-c", program]
        ) as other,
    ):
        door = other.serving["socket"]
        os.chmod(door, 0o777)  # noqa: PTH101 - even a door left open
        ask = (
            "import os, socket, sys; os.setuid(12345); s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
            "print(s.makefile().readline())"
        )
        stranger = subprocess.run([sys.executable, "-c", ask, door], capture_output=True, text=True, check=False)
        assert stranger.stderr == ""
        root = SocketCaller(door)
        root.send(b"{}\n")
        answer = root.answer()
        root.close()

    assert json.loads(stranger.stdout)["reason"] == "not-permitted"
    assert answer is not None
    assert answer["reason"] == "request-malformed"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer " + "0" * 64}, 401),
        ({"Authorization": "Basic abc"}, 401),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": None}, 415),
    ],
)
def test_browsers_and_strangers_get_a_status_and_no_decision(
    scene: Scene, server: HookServer, headers: dict[str, Any], status: int
) -> None:
    asked = json.dumps(question(scene, scene.rotated())).encode()

    got, body, sent = server.http(asked, **headers)

    assert (got, body["decision"], body["exit_code"]) == (status, "undecided", 42)
    assert problems(body, VERDICT_SCHEMA) == []
    assert not [name for name in sent if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/decide", 405),
        ("POST", "/v1/openapi-1.json", 405),
        ("POST", "/v2/decide", 404),
        ("OPTIONS", "/v1/decide", 405),
    ],
)
def test_other_ways_in_are_closed(server: HookServer, method: str, path: str, status: int) -> None:
    got, body, _ = server.http(b"{}", method=method, path=path)

    assert (got, body["decision"]) == (status, "undecided")


def test_the_description_of_the_http_door_is_true(scene: Scene, server: HookServer) -> None:
    asked = question(scene, scene.rotated())
    seen = {
        "200": server.http(json.dumps(asked).encode()),
        "400": server.http(b"nonsense"),
        "401": server.http(b"{}", Authorization=None),
        "403": server.http(b"{}", Origin="x"),
        "409": server.http(json.dumps(question(scene, scene.package("new.apk", version_code=20, min_sdk=34))).encode()),
        "413": server.http(b" " * (1 << 20) + b"{}"),
        "415": server.http(b"{}", Content_Type="text/plain"),
        "503": server.http(json.dumps({**asked, "package": "org.example.none", "installed": None}).encode()),
        "504": server.http(json.dumps({**asked, "deadline_ms": 1}).encode()),
    }
    described = OPENAPI["paths"]["/v1/decide"]["post"]["responses"]

    for status, (got, body, sent) in seen.items():
        assert str(got) == status
        assert status in described
        assert problems(body, VERDICT_SCHEMA) == []
        assert (body["exit_code"] == 0) == (status == "200")
        assert sent["content-type"] == "application/json"
    assert set(described) - set(seen) == {"408"}
    for path, methods in OPENAPI["paths"].items():
        if "get" in methods:
            code, document, _ = server.http(method="GET", path=path)
            assert (code, document) == (200, json.loads((SCHEMAS / Path(path).name).read_text("utf-8")))


def test_a_new_server_takes_the_socket_over_and_no_caller_meets_a_closed_door(scene: Scene, tmp_path: Path) -> None:
    state, door = str(scene.folder / "state"), str(tmp_path / "door")
    with hook_server(Path(state), "--socket", door) as old:
        early = old.caller()
        assert early.ask(question(scene, scene.rotated()))["decision"] == "allow"
        with hook_server(Path(state), "--socket", door) as new:
            late = new.caller()
            assert late.ask(question(scene, scene.rotated()))["decision"] == "allow"
            assert old.process.wait(60) == 0
            assert early.answer() is None
            assert late.ask(question(scene, scene.rotated()))["decision"] == "allow"
            assert new.terminate() == 0
    assert not Path(door).exists()


def test_a_question_in_work_is_answered_before_the_server_goes(scene: Scene, tmp_path: Path) -> None:
    slow = (
        "import time, backupkit.guard.desk as desk\n"
        "real = desk.examine\n"
        "def examine(*given):\n"
        "    open({began!r}, 'w').close()\n"
        "    time.sleep(0.5)\n"
        "    return real(*given)\n"
        "desk.examine = examine\n"
        "from backupkit.hooks.program import run\n"
        "run()\n"
    ).format(began=str(tmp_path / "began"))
    with hook_server(
        scene.folder / "state", "serve", "--socket", str(tmp_path / "door"), program=[sys.executable, "-c", slow]
    ) as server:
        asking, waiting = server.caller(), server.caller()
        asking.send(json.dumps(question(scene, scene.rotated())).encode() + b"\n")
        while not (tmp_path / "began").exists():
            time.sleep(0.01)
        assert server.terminate() == 0
        answer = asking.answer()

        assert answer is not None
        assert answer["decision"] == "allow"
        assert waiting.answer() is None


def test_a_server_that_is_killed_gives_no_allow_and_leaves_a_socket_that_the_next_one_takes(
    scene: Scene, tmp_path: Path
) -> None:
    door = tmp_path / "door"
    with hook_server(scene.folder / "state", "--socket", str(door)) as server:
        caller = server.caller()
        server.process.kill()
        server.process.wait()
        assert caller.answer() is None
    assert stat.S_ISSOCK(door.stat().st_mode)

    with hook_server(scene.folder / "state", "--socket", str(door)) as server:
        assert server.caller().ask(question(scene, scene.rotated()))["decision"] == "allow"


def test_too_many_questions_at_once_are_not_decided(scene: Scene, tmp_path: Path) -> None:
    program = (
        "import time, backupkit.guard.desk as desk, backupkit.hooks.counter as counter\n"
        "counter.Limits.__new__.__defaults__ = (1, 1)\n"
        "real = desk.examine\n"
        "def examine(*given):\n"
        "    time.sleep(1)\n"
        "    return real(*given)\n"
        "desk.examine = examine\n"
        "from backupkit.hooks.program import run\n"
        "run()\n"
    )
    with hook_server(
        scene.folder / "state", "serve", "--socket", str(tmp_path / "door"), program=[sys.executable, "-c", program]
    ) as server:
        callers = [server.caller() for _ in range(6)]
        for caller in callers:
            caller.send(json.dumps(question(scene, scene.rotated())).encode() + b"\n")
        answers = [caller.answer() for caller in callers]

    reasons = [answer["reason"] for answer in answers if answer]
    assert set(reasons) == {"signer-rotated", "overloaded"}
    assert reasons.count("overloaded") >= 2
    assert all(answer["decision"] == "undecided" for answer in answers if answer and answer["reason"] == "overloaded")


def start(state: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "XDG_STATE_HOME": str(state), **environment}
    return subprocess.run(
        [HOOK, "serve", *arguments], env=settings, capture_output=True, text=True, check=False, timeout=30
    )


def test_what_lies_in_the_way_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")

    for language, word in (("en", "no socket"), ("zh_CN", "不是套接字")):
        refused = start(tmp_path, "--socket", str(tmp_path / "letter"), BACKUPKIT_LANG=language)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert word in refused.stderr
    assert (tmp_path / "letter").read_text() == "dear"
    assert start(tmp_path, "--socket", str(tmp_path / ("x" * 200))).returncode == 2


def test_a_folder_in_which_everybody_may_replace_the_socket_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "everybodys"
    folder.mkdir()
    folder.chmod(0o777)

    refused = start(tmp_path, "--socket", str(folder / "door"), "--json", LANG="zh_CN.UTF-8")

    assert (refused.returncode, json.loads(refused.stdout)["code"]) == (2, "socket-folder-open")
    assert str(folder) in refused.stderr
    assert "任何人" in refused.stderr
    assert list(folder.iterdir()) == []


def test_a_token_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    guard = tmp_path / "backupkit" / "guard"
    guard.mkdir(parents=True)
    (guard / "http.token").write_text("a" * 64)
    (guard / "http.token").chmod(0o644)

    refused = start(tmp_path, "--socket", str(tmp_path / "door"), "--http", "0")

    assert refused.returncode == 2
    assert "http.token" in refused.stderr
    assert not (tmp_path / "door").exists()


@pytest.mark.parametrize("missing", ["httptools", "uvicorn", "uvloop"])
def test_without_the_extra_http_is_refused_and_the_socket_works(scene: Scene, tmp_path: Path, missing: str) -> None:
    program = f"import sys; sys.modules['{missing}'] = None; from backupkit.hooks.program import run; run()"
    command = [sys.executable, "-c", program, "serve", "--socket", str(tmp_path / "door")]
    settings = {**os.environ, "XDG_STATE_HOME": str(scene.folder / "state")}

    refused = subprocess.run([*command, "--http", "0"], env=settings, capture_output=True, text=True, check=False)
    with hook_server(scene.folder / "state", *command[3:], program=command[:3]) as server:
        answer = server.caller().ask(question(scene, scene.rotated()))

    assert (refused.returncode, "backupkit[serve]" in refused.stderr) == (2, True)
    assert answer["decision"] == "allow"


def test_the_unit_names_this_program_and_nothing_is_started(tmp_path: Path) -> None:
    printed = start(tmp_path, "--socket", str(tmp_path / "door"), "--http", "8123", "--print-unit")

    assert printed.returncode == 0
    assert f'ExecStart="{HOOK}" serve --socket "{tmp_path / "door"}" --http 8123' in printed.stdout
    assert not (tmp_path / "door").exists()


def test_the_unit_quotes_the_socket_as_systemd_reads_it(tmp_path: Path) -> None:
    printed = start(tmp_path, "--socket", '/run/a "b" $c %d\\e', "--print-unit")

    assert 'serve --socket "/run/a \\"b\\" $$c %%d\\\\e"\n' in printed.stdout


def test_programs_get_the_unit_and_a_failed_start_as_json(tmp_path: Path) -> None:
    (tmp_path / "door").write_text("no socket")

    printed = start(tmp_path, "--socket", str(tmp_path / "new"), "--print-unit", "--json")
    refused = start(tmp_path, "--socket", str(tmp_path / "door"), "--json")

    assert json.loads(printed.stdout)["unit"].startswith("# ~/.config/systemd/user/backupkit-hook.service\n[Unit]\n")
    error = json.loads(refused.stdout)
    assert (
        problems(error, json.loads((SCHEMAS.parents[1] / "ui" / "schemas" / "error-1.json").read_text("utf-8"))) == []
    )
    assert (refused.returncode, error["code"], error["exit_code"]) == (2, "socket-in-the-way", 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--http"], ["--http", "70000"], ["--http", "x"], ["--http", "9" * 5000], ["--http", "٣"], ["--sock"], ["now"],
        ["--socket", "a\nExecStartPre=b", "--print-unit"],
    ],
)  # fmt: skip
def test_other_words_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    refused = start(tmp_path, *arguments)

    assert (refused.returncode, refused.stdout) == (2, "")
