"""`backupkit-hook serve`: the guard as a resident server, for shops that ask often.

The same questions and answers as the one-shot program, from a process that is already awake. It is replaced without a
gap: a new server takes the socket's name over, and the old one notices, answers what it has, and goes.
"""

import asyncio
import gc
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from backupkit.guard.places import read_small, write_first
from backupkit.hooks.asking import places_in
from backupkit.hooks.counter import Counter
from backupkit.hooks.protocol import USAGE_EXIT
from backupkit.hooks.unix_door import FolderOpenToAll, SocketInTheWay, UnixDoor, bind, identity, withdraw

if TYPE_CHECKING:
    from backupkit.hooks.http_door import LoopbackServer

_LOOK_SECONDS = 1.0
_LEAVE_SECONDS = 5.0
_TOKEN_BYTES = 32
_SWITCH_SECONDS = 0.0005

_SAID = {
    "serve-extra-missing": {
        "en": "HTTP needs the extra packages: pip install 'backupkit[serve]'. Without --http they are not needed.",
        "zh": "使用 HTTP 需要额外的软件包：pip install 'backupkit[serve]'。不用 --http 则不需要。",
    },
    "socket-in-the-way": {
        "en": "{path} exists and is no socket. Name another place with --socket.",
        "zh": "{path} 已存在，且不是套接字。请用 --socket 指定其他位置。",
    },
    "socket-folder-open": {
        "en": "Everybody may replace files in {path}, a socket too. Name a folder of yours with --socket, or let only yourself write there.",
        "zh": "任何人都可以替换 {path} 中的文件，套接字也不例外。请用 --socket 指定您自己的文件夹，或只允许您本人写入。",
    },
    "socket-unusable": {
        "en": "The server cannot listen at {path}: {why}.",
        "zh": "无法在 {path} 上监听：{why}。",
    },
    "token-not-private": {
        "en": "{path} can be read or written by others. Remove it; a new one is made at the next start.",
        "zh": "{path} 可被其他用户读取或修改。请删除它，下次启动时会重新生成。",
    },
}


class Wanted(NamedTuple):
    """What the command line asked for."""

    socket: Path | None = None
    http: int | None = None
    prints_unit: bool = False
    json: bool = False
    """Whether a program reads what is printed: the unit and a failure are JSON objects then."""


class CannotServe(Exception):
    """The server cannot start. `code` names a sentence, `facts` fill it."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


def wanted_of(arguments: Sequence[str]) -> Wanted | None:
    """Read the arguments; None where they are not understood."""
    wanted = Wanted()
    rest = list(arguments)
    while rest:
        name = rest.pop(0)
        if name == "--print-unit":
            wanted = wanted._replace(prints_unit=True)
        elif name == "--json":
            wanted = wanted._replace(json=True)
        elif name == "--socket" and rest and rest[0].isprintable():
            # A line break in it would be one in the unit.
            wanted = wanted._replace(socket=Path(rest.pop(0)))
        elif name == "--http" and rest and _is_port(rest[0]):
            wanted = wanted._replace(http=int(rest.pop(0)))
        else:
            return None
    return wanted


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= 65535


def serve(wanted: Wanted, environment: Mapping[str, str], language: str) -> int:
    """Serve until told to stop, and return the exit code."""
    place = (wanted.socket or socket_in(environment)).absolute()
    if wanted.prints_unit:
        unit = unit_text(place, wanted.http)
        _print({"type": "summary", "v": 1, "unit": unit} if wanted.json else unit)
        return 0
    gc.enable()
    # A long reading of a package must not make the short questions wait for their turn.
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        with asyncio.Runner(loop_factory=_loop_for(wanted)) as runner:
            runner.run(_serve(place, wanted.http, environment))
    except CannotServe as problem:
        sys.stderr.write(_SAID[problem.code][language].format(**problem.facts) + "\n")
        if wanted.json:
            error = {"type": "error", "v": 1, "code": problem.code, "exit_code": USAGE_EXIT, "params": problem.facts}
            _print({**error, "try": ["backupkit guard serve --help"]})
        return USAGE_EXIT
    return 0


def _loop_for(wanted: Wanted) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop to serve on: asyncio's own, or with HTTP the one that its extra brings, which takes a third less time there."""
    if wanted.http is None:
        return None
    try:
        from uvloop import new_event_loop
    except ModuleNotFoundError as error:
        raise CannotServe("serve-extra-missing") from error
    return new_event_loop


def _print(what: dict[str, object] | str) -> None:
    line = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False) + "\n"
    with suppress(OSError):
        # UTF-8 whatever the locale says, and a path may hold bytes that are none.
        sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()


def socket_in(environment: Mapping[str, str]) -> Path:
    """Where the server listens unless told otherwise: `$XDG_RUNTIME_DIR/backupkit/hook.sock`, or the guard's folder."""
    runtime = Path(environment.get("XDG_RUNTIME_DIR", ""))
    return (runtime / "backupkit" if runtime.is_absolute() else places_in(environment).root) / "hook.sock"


async def _serve(place: Path, port: int | None, environment: Mapping[str, str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    counter = Counter(environment)
    # HTTP first: what it lacks must show before another server has lost its socket to this one.
    web = None if port is None else _Web(counter, port, environment)
    try:
        door = bind(place)
    except SocketInTheWay as error:
        raise CannotServe("socket-in-the-way", path=str(place)) from error
    except FolderOpenToAll as error:
        raise CannotServe("socket-folder-open", path=str(place.parent)) from error
    except OSError as error:
        raise CannotServe("socket-unusable", path=str(place), why=error.strerror or str(error)) from error
    own = identity(place)
    unix = UnixDoor(counter)
    server = await unix.open(door)
    serving = asyncio.create_task(web.server.serve([web.listening])) if web else None
    # What is loaded by now stays: the collector need not look at it again and again.
    gc.freeze()
    _announce(place, web)
    # Told to stop, or another server has taken the name over.
    while not stop.is_set() and identity(place) == own:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
    server.close()
    withdraw(place, own)
    if web and serving:
        web.server.should_exit = True
    await counter.leave(_LEAVE_SECONDS)
    await unix.close(_LEAVE_SECONDS)
    if serving:
        await asyncio.wait([serving], timeout=_LEAVE_SECONDS)


def _announce(place: Path, web: "_Web | None") -> None:
    """Say that questions are taken from now on, as one line of JSON."""
    facts: dict[str, object] = {
        "type": "serving",
        "v": 1,
        "pid": os.getpid(),
        "socket": str(place),
        "http": web.address if web else None,
    }
    facts["token_file"] = str(web.token_file) if web else None
    _print(facts)


class _Web:
    """The HTTP door: its socket, its token and its server."""

    server: "LoopbackServer"

    def __init__(self, counter: Counter, port: int, environment: Mapping[str, str]) -> None:
        try:
            from backupkit.hooks.http_door import HttpDoor, loopback_server
        except ModuleNotFoundError as error:
            raise CannotServe("serve-extra-missing") from error
        self.token_file = places_in(environment).root / "http.token"
        token = _token(self.token_file)
        self.listening = _listen(port)
        bound = self.listening.getsockname()[1]
        self.address = f"http://127.0.0.1:{bound}"
        self.server = loopback_server(HttpDoor(counter, token, bound))


def _listen(port: int) -> socket.socket:
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # The next server may listen beside this one until this one has gone. Only the same user can.
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        door.bind(("127.0.0.1", port))
        door.listen(128)
    except OSError as error:
        door.close()
        raise CannotServe("socket-unusable", path=f"127.0.0.1:{port}", why=error.strerror or str(error)) from error
    return door


def _token(path: Path) -> bytes:
    """Return the token that HTTP callers must show; drawn at the first use."""
    try:
        data = read_small(path, most=4 * _TOKEN_BYTES)
        if data is None:
            write_first(path, os.urandom(_TOKEN_BYTES).hex().encode() + b"\n")
            # Another server may have been first, and then its token is the one.
            data = read_small(path, most=4 * _TOKEN_BYTES) or b""
        found = path.lstat()
    except OSError as error:
        raise CannotServe("socket-unusable", path=str(path), why=error.strerror or str(error)) from error
    token = data.strip()
    is_private = stat.S_ISREG(found.st_mode) and not found.st_mode & 0o077 and found.st_uid == os.geteuid()
    if not is_private or len(token) < 2 * _TOKEN_BYTES:
        raise CannotServe("token-not-private", path=str(path))
    return token


def unit_text(place: Path, port: int | None) -> str:
    """A systemd user unit that keeps the server running."""
    program = Path(sys.executable).with_name("backupkit-hook")
    http = "" if port is None else f" --http {port}"
    quoted = [str(path).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$") for path in (program, place)]
    command = f'"{quoted[0]}" serve --socket "{quoted[1]}"{http}'.replace("%", "%%")
    return f"""\
# ~/.config/systemd/user/backupkit-hook.service
[Unit]
Description=backupkit: answers app stores before an update

[Service]
ExecStart={command}
Restart=always
RestartSec=1
KillSignal=SIGTERM
TimeoutStopSec=15
NoNewPrivileges=yes
UMask=0077

[Install]
WantedBy=default.target
"""
