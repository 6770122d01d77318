"""A running hook server, and callers who ask it: real processes and real sockets."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

HOOK = Path(sys.executable).with_name("backupkit-hook")


class SocketCaller:
    """One connection to the Unix socket."""

    def __init__(self, path: Path | str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(os.fspath(path))
        self.lines: IO[bytes] = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def answer(self) -> dict[str, Any] | None:
        """Read one answer; None where the server hung up without a word."""
        try:
            line = self.lines.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Ask and read the answer."""
        self.send(json.dumps(question).encode() + b"\n")
        answer = self.answer()
        assert answer is not None
        return answer

    def close(self) -> None:
        """Hang up."""
        self.lines.close()
        self.socket.close()


@dataclass
class HookServer:
    """A server and where it listens."""

    process: "subprocess.Popen[str]"
    serving: dict[str, Any]
    callers: list[SocketCaller] = field(default_factory=list)

    def caller(self) -> SocketCaller:
        """Connect to the Unix socket."""
        self.callers.append(SocketCaller(self.serving["socket"]))
        return self.callers[-1]

    @property
    def host(self) -> str:
        """The host and port of the HTTP address."""
        return str(self.serving["http"]).partition("//")[2]

    @property
    def token(self) -> str:
        """What HTTP callers must show."""
        return Path(self.serving["token_file"]).read_text().strip()

    def http(
        self, data: bytes = b"", *, method: str = "POST", path: str = "/v1/decide", **headers: str | None
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Ask over HTTP as a shop would; headers by name replace the usual ones, None leaves one out."""
        sent: dict[str, str | None] = {
            "Host": self.host, "Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
        }  # fmt: skip
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        talk = http.client.HTTPConnection(self.host, timeout=60)
        talk.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if value is not None:
                talk.putheader(name, value)
        talk.putheader("Content-Length", str(len(data)))
        talk.endheaders(data)
        reply = talk.getresponse()
        body = json.loads(reply.read())
        talk.close()
        return reply.status, body, {name.lower(): value for name, value in reply.getheaders()}

    def terminate(self) -> int:
        """Tell the server to stop, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def hook_server(state: Path, *arguments: str, program: list[str] | None = None) -> Iterator[HookServer]:
    """Run a server on the guard's memory below `state` until the block ends."""
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    command = [*(program or [str(HOOK), "serve"]), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        try:
            assert process.stdout is not None
            server = HookServer(process, json.loads(process.stdout.readline()))
            yield server
            for caller in server.callers:
                caller.close()
        finally:
            process.kill()
