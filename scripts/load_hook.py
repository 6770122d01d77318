"""Loads the resident hook server as shops would: real client processes, a fixed rate, every answer looked at.

    .venv/bin/python scripts/load_hook.py [--rate 200] [--seconds 20] [--clients 4] [--door unix|http] [--question record|package]

A question's time runs from the moment it was due, not from when its client got round to it, so that a server that falls
behind cannot hide it. Prints one JSON object: p50, p99 and worst in milliseconds, errors, and the server's CPU per question.
"""

import argparse
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from guard_scene import WECHAT, Scene

HOOK = Path(sys.executable).with_name("backupkit-hook")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--door", choices=["unix", "http"], default="unix")
    parser.add_argument("--question", choices=["record", "package"], default="record")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(measure(Path(name), asked)))


def measure(folder: Path, asked: argparse.Namespace) -> dict[str, object]:
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "XDG_RUNTIME_DIR": str(folder)}
    question = prepare(folder, asked.question, environment)
    door = ["--http", "0"] if asked.door == "http" else []
    with subprocess.Popen([HOOK, "serve", *door], stdout=subprocess.PIPE, env=environment, text=True) as server:
        assert server.stdout is not None
        serving = json.loads(server.stdout.readline())
        try:
            before = cpu_of(server.pid)
            results = load(serving, question, asked)
            used = cpu_of(server.pid) - before
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    times = sorted(taken for taken, _ in results)
    lates = sorted(late for _, late in results)
    errors = sum(taken == float("inf") for taken, _ in results)

    def at(values: list[float], share: float) -> float:
        return round(values[min(int(len(values) * share), len(values) - 1)] * 1000, 2)

    return {
        "door": asked.door,
        "question": asked.question,
        "rate": asked.rate,
        "questions": len(results),
        "errors": errors,
        "p50_ms": at(times, 0.5),
        "p99_ms": at(times, 0.99),
        "p999_ms": at(times, 0.999),
        "worst_ms": at(times, 1),
        "clients_late_p99_ms": at(lates, 0.99),
        "server_cpu_ms_per_question": round(used / len(results) * 1000, 3),
        "load_average": round(os.getloadavg()[0], 2),
    }


def prepare(folder: Path, kind: str, environment: dict[str, str]) -> bytes:
    """Lay a record and a pass on file, and return the question that needs both."""
    scene = Scene(folder, now=datetime.now(UTC).replace(microsecond=0))
    scene.enrol_store()
    installed, same = scene.installed(), scene.package("same.apk", version_code=20)
    first = {"package": WECHAT, "installed": str(installed), "candidate": str(same), "device_sdk": 33}
    subprocess.run([HOOK], input=json.dumps(first).encode(), env=environment, check=True, capture_output=True)
    scene.issue()
    asked = {
        "package": WECHAT,
        "device_sdk": 33,
        "app_name": "WeChat",
        "store": "load",
        "installed": {"record": WECHAT},
    }
    if kind == "package":
        return json.dumps({**asked, "candidate": str(scene.offered_by_stranger())}).encode()
    return json.dumps({**asked, "action": "uninstall"}).encode()


def load(serving: dict[str, str], question: bytes, asked: argparse.Namespace) -> list[tuple[float, float]]:
    start = time.monotonic() + 1
    each = asked.rate / asked.clients
    plan = [
        [start + (turn + client / asked.clients) / each for turn in range(int(each * asked.seconds))]
        for client in range(asked.clients)
    ]
    with multiprocessing.get_context("fork").Pool(asked.clients) as pool:
        parts = pool.starmap(one_client, [(serving, question, due, asked.door) for due in plan])
    return [result for part in parts for result in part]


def one_client(serving: dict[str, str], question: bytes, due: list[float], door: str) -> list[tuple[float, float]]:
    """Ask at each moment; return how long each answer took and how late the client itself was."""
    ask = asker(serving, question, door)
    results = []
    for moment in due:
        time.sleep(max(moment - time.monotonic(), 0))
        late = time.monotonic() - moment
        try:
            answer = json.loads(ask())
            good = answer["reason"] == "backup-covers" and answer["consent"]["state"] == "needed"
        except (OSError, ValueError, KeyError):
            good = False
            ask = asker(serving, question, door)
        results.append((time.monotonic() - moment if good else float("inf"), late))
    return results


def asker(serving: dict[str, str], question: bytes, door: str) -> Callable[[], bytes]:
    if door == "unix":
        talk = socket.socket(socket.AF_UNIX)
        talk.connect(serving["socket"])
        lines = talk.makefile("rb")

        def over_socket() -> bytes:
            talk.sendall(question + b"\n")
            return lines.readline()

        return over_socket
    host, _, port = serving["http"].partition("//")[2].partition(":")
    token = Path(serving["token_file"]).read_text().strip()
    fields = [f"Host: {host}:{port}", f"Authorization: Bearer {token}", f"Content-Length: {len(question)}"]
    head = "\r\n".join(["POST /v1/decide HTTP/1.1", *fields, "Content-Type: application/json", "", ""]).encode()
    talk = socket.create_connection((host, int(port)))
    talk.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers = talk.makefile("rb")

    def over_http() -> bytes:
        # By hand: a client library in Python takes about as long as the server, on the same cores.
        talk.sendall(head + question)
        length = 0
        while (line := answers.readline()).strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return answers.read(length)

    return over_http


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
