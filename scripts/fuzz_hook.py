"""Feeds damaged questions, proofs, tokens and settings to what reads them for the hook, and stops at nothing but a typed answer.

    .venv/bin/python scripts/fuzz_hook.py [--minutes 10] [--seed 1] [--keep DIR]

Beside the decoders, whole questions are put to a running counter over its two doors: any bytes get a verdict, and never an "allow". And each file of
the guard's memory is damaged under a question that must be held.
Each finding is written to --keep with the traceback. A finding that is fixed becomes a test in tests/guard or tests/hooks.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from guard_scene import WECHAT, Scene

from backupkit.codec.canonical import decode_json
from backupkit.config.failures import ConfigProblem
from backupkit.config.reading import load_config
from backupkit.crypto.signing import SigningKey
from backupkit.errors import BackupkitError
from backupkit.guard.consent import ConsentBinding, GivenConsent, accept_token, asked_in, decode_given, sign_token
from backupkit.guard.desk import Desk, load_hook_key, save_given
from backupkit.guard.ledger import verify_ledger
from backupkit.guard.loss_hint import LossHint, decode_hint
from backupkit.guard.policy import GuardPolicy
from backupkit.guard.request import OnDisk, OnRecord, UpdateRequest
from backupkit.guard.verdict import Decision
from backupkit.hooks.apt import read_rows
from backupkit.hooks.counter import Counter
from backupkit.hooks.http_door import HttpDoor, loopback_server
from backupkit.hooks.pacman import read_names
from backupkit.hooks.system_packages import QuestionMalformed
from backupkit.hooks.unix_door import UnixDoor
from backupkit.ids import AppPackage, SnapshotId
from backupkit.proof.pass_check import authentic_pass
from backupkit.proof.pins import decode_pins
from scripts.fuzz_guard import damaged, keep

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MOST_SECONDS = 5.0
Parse = Callable[[bytes], object]


def decoders(scene: Scene) -> Iterator[tuple[str, bytes, Parse]]:
    """Yield each decoder with something right to begin from."""
    scene.enrol_store()
    scene.issue()
    places = scene.places
    pins = decode_pins(places.pins.read_bytes())
    binding = ConsentBinding(AppPackage(WECHAT), "a" * 64, "b" * 64, SnapshotId("c" * 64), NOW + timedelta(hours=1))
    owner = SigningKey.generate()
    yield "pins", places.pins.read_bytes(), decode_pins
    yield "pass", places.pass_of(WECHAT).read_bytes(), lambda data: authentic_pass(data, pins)
    yield "token", sign_token(binding, owner), lambda data: accept_token(data, binding, owner.verify_key, NOW)
    yield "given", GivenConsent("d" * 64, NOW).encode(), decode_given
    yield "hint", LossHint(AppPackage(WECHAT), NOW, 3, 900).encode(), decode_hint
    asked = {"type": "verdict", "consent": {"id": binding.id, "app_name": "WeChat", "binding": binding.to_json()}}
    yield "verdict", json.dumps(asked).encode(), asked_in
    policy = GuardPolicy().encode()
    yield "policy", policy, read_policy
    toml = b'[guard]\nmax-backup-age = "24h"\nneeds = "verified"\nneeds-second-copy = false\nconsent-from = "person"\n'
    yield "settings", toml, lambda data: load_config(data.decode("utf-8", "replace"), "config.toml")
    rows = b"VERSION 3\nAPT::Architecture=amd64\n\nwechat 1.0 all none < 2.0 all none /a.deb\nb 1 c d > - - none **REMOVE**\n"
    yield "apt", rows, lambda data: list(read_rows(data))
    yield "pacman", b"wechat\ntelegram-desktop\n", read_names
    yield from memory(scene)


def memory(scene: Scene) -> Iterator[tuple[str, bytes, Parse]]:
    """Yield each file of the guard's memory, to be asked over: whatever it says, the update of 2018 is not let through."""
    desk, at = Desk(scene.places), NOW + timedelta(days=30)
    # Seen once, so that there is a record, a kept head and a list of decisions; a month later the pass counts no more.
    whole = UpdateRequest(OnDisk(scene.installed()), candidate=OnDisk(scene.offered_by_stranger()), device_sdk=33)
    assert desk.answer(whole, NOW).decision is Decision.ALLOW
    scene.places.policy.write_bytes(GuardPolicy().encode())
    save_given(scene.places, AppPackage(WECHAT), GivenConsent("d" * 64, at))
    asked = whole._replace(installed=OnRecord(AppPackage(WECHAT)))
    assert desk.answer(asked, at).reason == "pass-expired"

    def over(path: Path, right: bytes) -> Parse:
        def ask(data: bytes) -> None:
            path.write_bytes(data)
            try:
                verdict = desk.answer(asked, at)
                assert verdict.decision is not Decision.ALLOW
                assert verdict.reason != "guard-failed", verdict.facts
                with suppress(BackupkitError):
                    verify_ledger(scene.places.ledger, load_hook_key(scene.places).verify_key)
            finally:
                path.write_bytes(right)

        return ask

    for path in sorted(path for path in scene.places.root.rglob("*") if path.is_file() and path.suffix != ".lock"):
        right = path.read_bytes()
        yield f"memory {path.relative_to(scene.places.root)}", right, over(path, right)


def read_policy(data: bytes) -> GuardPolicy | None:
    """Read a policy as the desk does."""
    found = decode_json(data, what="policy", max_bytes=9999)
    return GuardPolicy.from_mapping(found) if isinstance(found, dict) else None


async def over_socket(path: Path, data: bytes) -> list[bytes]:
    """Send bytes over the Unix door and hang up; return the answers."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(data)
    writer.write_eof()
    answers = (await reader.read()).splitlines()
    writer.close()
    return answers


async def over_http(door: HttpDoor, head: bytes, body: bytes) -> list[bytes]:
    """Put a request with damaged headers and body to the application."""
    headers = [
        tuple(line.split(b": ", 1)) if b": " in line else (line, b"") for line in head.split(b"\r\n")[1:] if line
    ]
    sent: list[bytes] = []
    pieces = [body[: len(body) // 2], body[len(body) // 2 :]]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        assert message.get("status") != 200, "allowed"
        sent.append(message.get("body", b""))

    scope = {"type": "http", "method": "POST", "path": "/v1/decide", "headers": headers}
    await door(scope, receive, send)
    return [one for one in sent if one]


async def over_wire(port: int, data: bytes) -> list[bytes]:
    """Send bytes to the HTTP server as they are; return the bodies of its answers. None at all is right where it waits for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    with suppress(ConnectionError):
        writer.write(data)
        heard = await reader.read()
    writer.close()
    bodies = []
    while heard:
        head, _, heard = heard.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 "), "no HTTP"
        if head.startswith(b"HTTP/1.1 100 "):
            continue
        assert not head.startswith(b"HTTP/1.1 200 "), "allowed"
        length = int(next(line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")))
        # Whoever asks for the head alone gets no body.
        bodies += [heard[:length]] if heard else []
        heard = heard[length:]
    return bodies


async def doors(folder: Path, dice: random.Random, until: float, tally: Tally[str], kept: Path) -> int:
    """Ask over both doors, and the HTTP server behind one of them, until the time is up; return how many findings there were."""
    counter = Counter({"XDG_STATE_HOME": str(folder), "HOME": str(folder)})
    token, port, path = b"t" * 64, 8123, folder / "door"
    web, unix = HttpDoor(counter, token, port), UnixDoor(counter)
    import socket

    listening = socket.socket(socket.AF_UNIX)
    listening.bind(os.fspath(path))
    listening.listen(16)
    server = await unix.open(listening)
    wire = socket.create_server(("127.0.0.1", 0))
    at = wire.getsockname()[1]
    http = loopback_server(HttpDoor(counter, token, at))
    serving = asyncio.create_task(http.serve([wire]))
    device = {"sdk": 34, "abis": ["x86"], "permissions": {"p": WECHAT}, "instant": False}
    asked = json.dumps({"package": WECHAT, "candidate": "/none.apk", "device": device, "challenge": "00" * 16}).encode()
    head = b"POST /v1/decide\r\nhost: 127.0.0.1:8123\r\nauthorization: Bearer " + token
    head += b"\r\ncontent-type: application/json\r\n"
    lines = head.replace(b"/decide", b"/decide HTTP/1.1").replace(b"8123", b"%d" % at) + b"connection: close\r\n"
    forms = [b"%bcontent-length: %d\r\n\r\n%b" % (lines, len(asked), asked)]
    forms.append(b"%btransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nx: y\r\n\r\n" % (lines, len(asked), asked))
    findings = 0
    while time.monotonic() < until:
        # Nothing at all is no question, and gets no answer.
        data = damaged(asked, dice) or b" "
        name = dice.choice(["socket", "http", "wire"])
        if name == "wire":
            # Many at once, for the server may wait some seconds for what does not come.
            sent = [damaged(dice.choice(forms), dice) for _ in range(100)]
            asks = [asyncio.wait_for(over_wire(at, one), 20) for one in sent]
            for data, told in zip(sent, await asyncio.gather(*asks, return_exceptions=True), strict=True):
                if isinstance(told, BaseException) or any(json.loads(one)["decision"] == "allow" for one in told):
                    findings += keep(kept, name, data)
                tally[f"{name}: {'answered' if told else 'waited for more'}"] += 1
            continue
        ask: Awaitable[list[bytes]]
        if name == "socket":
            ask = over_socket(path, dice.choice([data, data + b"\n" + asked, b"\n" + data]))
        else:
            ask = over_http(web, dice.choice([head, damaged(head, dice)]), data)
        try:
            answers = await asyncio.wait_for(ask, 10)
            assert answers, "no answer"
            for answer in answers:
                assert json.loads(answer)["decision"] != "allow"
            tally[f"{name}: answered"] += 1
        except Exception:  # noqa: BLE001  # whatever is not an answer is what is looked for
            findings += keep(kept, name, data)
    server.close()
    http.should_exit = True
    await serving
    await counter.leave(1)
    return findings


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--minutes", type=float, default=10)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    arguments.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    chosen = arguments.parse_args()
    dice = random.Random(chosen.seed)
    tally: Tally[str] = Tally()
    findings = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-hook-") as name:
        every = list(decoders(Scene(Path(name), now=NOW)))
        end = time.monotonic() + 30 * chosen.minutes
        while time.monotonic() < end:
            what, right, parse = dice.choice(every)
            data = damaged(right, dice)
            started = time.process_time()
            try:
                parse(data)
                tally[f"{what}: read"] += 1
            except (BackupkitError, QuestionMalformed, ConfigProblem):
                tally[f"{what}: refused"] += 1
            except Exception:  # noqa: BLE001  # whatever is not typed is what is looked for
                findings += keep(chosen.keep, what, data)
            if time.process_time() - started > MOST_SECONDS:
                findings += keep(chosen.keep, f"{what}-slow", data)
        # Half of the time goes to the doors.
        folder = Path(name) / "asked"
        folder.mkdir()
        findings += asyncio.run(doors(folder, dice, end + 30 * chosen.minutes, tally, chosen.keep))
    print(f"seed {chosen.seed}, {chosen.minutes:g} min, {sum(tally.values())} inputs, {findings} findings")
    for label, count in sorted(tally.items()):
        print(f"  {label:24} {count}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
