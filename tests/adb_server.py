"""In place of adb's server: phones made of a table of answers, asked by the real `adb` over its own protocol.

Written from AOSP's description of the protocol (`packages/modules/adb`: OVERVIEW, SERVICES, SYNC, shell_protocol.h).
"""

import re
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_VERSION = 41
_MODE = 0o100644
MODERN = "shell_v2,cmd"
OLD = ""


@dataclass
class SimulatedPhone:
    """One phone: the answers of its shell (output, complaint, exit code), and its files. What is installed is kept."""

    serial: str = "R58M12ABCDE"
    state: str = "device"
    features: str = MODERN
    shell: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    refuses: str | None = None
    installed: list[bytes] = field(default_factory=list)
    session: list[bytes] = field(default_factory=list)

    def has(self, package: str, **files: bytes) -> None:
        """Install an app by the names of its package files."""
        named = {f"/data/app/~~x9-_Q==/{package}-Zk3==/{name}.apk": data for name, data in files.items()}
        self.files |= named
        self.shell[f"pm path {package}"] = ("".join(f"package:{path}\n" for path in named), "", 0)

    def answer(self, question: str) -> tuple[str, str, int]:
        """What the shell answers."""
        usual = {
            "getprop ro.build.version.sdk": ("34\n", "", 0),
            "getprop ro.product.cpu.abilist": ("arm64-v8a,armeabi-v7a\n", "", 0),
            "pm list users": ("Users:\n\tUserInfo{0:Owner:c13} running\n", "", 0),
            "pm path android": ("package:/system/framework/framework-res.apk\n", "", 0),
        }
        return {**usual, **self.shell}.get(question, ("", "", 1))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    phones: list[SimulatedPhone]
    strange: list[str]


class _Connection(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        phone = None
        while size := self.rfile.read(4):
            request = self.rfile.read(int(size, 16)).decode()
            if found := re.fullmatch(r"host:(?:transport|tport:serial):(.*)", request):
                phone = self._phone(found[1])
                if phone is None:
                    return
                self._okay(struct.pack("<Q", 1) if request.startswith("host:tport") else b"")
            elif phone is None:
                self._host(request)
                return
            else:
                self._service(phone, request)
                return

    def _phone(self, serial: str) -> SimulatedPhone | None:
        found = next((phone for phone in self.server.phones if phone.serial == serial), None)
        if found is None or found.state != "device":
            self._fail(f"device '{serial}' not found" if found is None else f"device {found.state}")
            return None
        return found

    def _host(self, request: str) -> None:
        if request == "host:version":
            self._okay(_sized(f"{_VERSION:04x}"))
        elif request == "host:devices":
            self._okay(_sized("".join(f"{phone.serial}\t{phone.state}\n" for phone in self.server.phones)))
        elif found := re.fullmatch(r"host-serial:(.*):features", request):
            phone = self._phone(found[1])
            if phone is not None:
                self._okay(_sized(phone.features))
        else:
            self.server.strange.append(request)
            self._fail(f"unknown host service: {request}")

    def _service(self, phone: SimulatedPhone, request: str) -> None:
        name, _, rest = request.partition(":")
        if name == "sync":
            self._okay()
            self._sync(phone)
        elif name.startswith("shell,v2"):
            self._okay()
            said, complained, code = self._shell(phone, rest)
            for kind, data in ((1, said.encode()), (2, complained.encode()), (3, bytes([code]))):
                if data:
                    self.wfile.write(struct.pack("<BI", kind, len(data)) + data)
        elif name == "shell":
            # Before Android 7 both kinds of output came mixed, by way of a terminal, and without an exit code.
            self._okay()
            said, complained, _ = self._shell(phone, rest)
            self.wfile.write((complained + said).replace("\n", "\r\n").encode())
        elif name == "exec":
            self._okay()
            self.wfile.write(self._streamed(phone, rest).encode())
        else:
            self.server.strange.append(request)
            self._fail("unknown service")

    def _shell(self, phone: SimulatedPhone, command: str) -> tuple[str, str, int]:
        words = command.replace("'", "").replace('"', "").split()
        if words[:3] == ["pm", "install", "-r"]:
            assert words[3].startswith("/data/local/tmp/"), words
            if phone.refuses is None:
                phone.installed.append(phone.files[words[3]])
            return (f"\tpkg: {words[3]}\n{_outcome(phone)}\n", "", 0)
        if words[:1] == ["rm"]:
            return ("", "", 0)
        return phone.answer(command)

    def _streamed(self, phone: SimulatedPhone, command: str) -> str:
        words = command.replace("'", "").removeprefix("cmd package ").removeprefix("pm ").split()
        verb, size = words[0], int(words[words.index("-S") + 1]) if "-S" in words else 0
        if verb == "install-create":
            assert "-r" in words, words
            phone.session.clear()
            return "Success: created install session [1234]\n"
        if verb == "install-write":
            phone.session.append(self.rfile.read(size))
            return f"Success: streamed {size} bytes\n"
        if verb == "install":
            assert "-r" in words, words
            phone.session[:] = [self.rfile.read(size)]
        if phone.refuses is None:
            phone.installed += phone.session
        return f"{_outcome(phone)}\n"

    def _sync(self, phone: SimulatedPhone) -> None:
        while len(head := self.rfile.read(8)) == 8:
            verb, size = head[:4], int.from_bytes(head[4:], "little")
            if verb == b"QUIT":
                return
            path = self.rfile.read(size).decode()
            if verb == b"SEND":
                path, _, _ = path.rpartition(",")
                phone.files[path] = self._sent()
                self.wfile.write(b"OKAY" + bytes(4))
                continue
            data = phone.files.get(path)
            if verb == b"STAT":
                told = (0, 0, 0) if data is None else (_MODE, len(data), 1_500_000_000)
                self.wfile.write(b"STAT" + struct.pack("<III", *told))
            elif verb == b"RECV" and data is not None:
                for start in range(0, len(data), 1 << 16):
                    piece = data[start : start + (1 << 16)]
                    self.wfile.write(b"DATA" + struct.pack("<I", len(piece)) + piece)
                self.wfile.write(b"DONE" + bytes(4))
            else:
                self.server.strange.append(f"{verb!r} {path}")
                self.wfile.write(b"FAIL" + struct.pack("<I", 4) + b"what")

    def _sent(self) -> bytes:
        data = b""
        while True:
            verb, size = self.rfile.read(4), int.from_bytes(self.rfile.read(4), "little")
            if verb == b"DONE":
                return data
            data += self.rfile.read(size)

    def _okay(self, more: bytes = b"") -> None:
        self.wfile.write(b"OKAY" + more)

    def _fail(self, why: str) -> None:
        self.wfile.write(b"FAIL" + _sized(why))


def _sized(text: str) -> bytes:
    return f"{len(text.encode()):04x}{text}".encode()


def _outcome(phone: SimulatedPhone) -> str:
    return "Success" if phone.refuses is None else f"Failure [{phone.refuses}]"


@contextmanager
def adb_server(*first: SimulatedPhone) -> Iterator[tuple[str, list[SimulatedPhone], list[str]]]:
    """Answer as adb's server for these phones; yield the port, the phones, and what adb asked that is not known here."""
    with _Server(("127.0.0.1", 0), _Connection) as server:
        phones, strange = list(first), list[str]()
        server.phones, server.strange = phones, strange
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            address: Any = server.server_address
            yield str(address[1]), phones, strange
        finally:
            server.shutdown()
            thread.join()
