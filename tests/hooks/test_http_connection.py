"""Places at the HTTP door: who says nothing loses them, and strangers cannot take them all."""

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from guard_scene import WECHAT, Scene
from hook_server import HookServer, hook_server

from backupkit.hooks.http_connection import CROWDED, REQUEST_SECONDS, owner_of
from backupkit.hooks.unix_door import MOST_CONNECTIONS

NOBODY = 65534


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HookServer]:
    scene = Scene(tmp_path_factory.mktemp("s"), now=datetime.now(UTC).replace(microsecond=0))
    with hook_server(scene.folder / "state", "--socket", str(scene.folder / "door"), "--http", "0") as running:
        yield running


def dial(server: HookServer) -> socket.socket:
    host, _, port = server.host.partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def why(server: HookServer) -> str:
    _, body, _ = server.http(json.dumps({"package": WECHAT, "action": "uninstall"}).encode())
    return str(body["reason"])


@pytest.mark.parametrize(
    "begun", [b"", b"POST /v1/decide HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"]
)
def test_a_connection_that_does_not_ask_is_closed(server: HookServer, begun: bytes) -> None:
    with dial(server) as silent:
        silent.sendall(begun)
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while silent.recv(4096):
                pass

    assert time.monotonic() - started < REQUEST_SECONDS + 3


def test_a_head_that_comes_byte_by_byte_gets_no_more_time(server: HookServer) -> None:
    started = time.monotonic()
    with dial(server) as slow, contextlib.suppress(ConnectionError):
        while time.monotonic() - started < REQUEST_SECONDS + 5:
            slow.sendall(b"G")
            time.sleep(0.2)

    assert time.monotonic() - started < REQUEST_SECONDS + 3


def test_another_users_connections_leave_room_for_the_owner(server: HookServer) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can call as another user, so no crowd of strangers was made")
    os.seteuid(NOBODY)
    try:
        held = [dial(server) for _ in range(MOST_CONNECTIONS + 20)]
    finally:
        os.seteuid(0)
    try:
        answers = {why(server) for _ in range(5)}
    finally:
        for one in held:
            one.close()

    # Had they taken the places, the answer were "overloaded", or none.
    assert answers == {"app-not-enrolled"}


def test_the_owners_own_connections_may_be_many(server: HookServer) -> None:
    held = [dial(server) for _ in range(CROWDED + 20)]
    try:
        answer = why(server)
    finally:
        for one in held:
            one.close()

    assert answer == "app-not-enrolled"


def test_who_has_no_business_here_is_hung_up_on(server: HookServer) -> None:
    _, _, headers = server.http(b"{}", Authorization=None)

    assert headers["connection"] == "close"


def test_the_kernel_says_whose_connection_it_is(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_connection(door.getsockname()) as caller:
        there, _ = door.accept()
        with there:
            assert owner_of(caller.getsockname(), door.getsockname()) == os.geteuid()
            assert owner_of(("127.0.0.1", 1), door.getsockname()) is None
    assert owner_of(("127.0.0.1", 1), ("127.0.0.1", 2), tmp_path / "none") is None
    assert owner_of(None, None) is None
    table = tmp_path / "tcp"
    row = "   0: 0100007F:0001 0100007F:0002 01 00000000:00000000 00:00000000 00000000 {} 0 1 1 0 100 0 0 10 0\n"
    table.write_text("sl local rem st\nshort\n" + row.format("1234"))
    assert owner_of(("127.0.0.1", 1), ("127.0.0.1", 2), table) == (1234 if sys.byteorder == "little" else None)
    table.write_text("sl local rem st\n" + row.format("nobody"))
    assert owner_of(("127.0.0.1", 1), ("127.0.0.1", 2), table) is None
