"""Places at the HTTP door: who says nothing loses them, and strangers cannot take them all."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from guard_scene import WECHAT, Scene
from hook_server import HookServer, hook_server

from backupkit.hooks.http_connection import CROWDED, MOST_CONNECTIONS, MOST_HEAD_BYTES, REQUEST_SECONDS

NOBODY = 65534
QUESTION = json.dumps({"package": WECHAT, "action": "uninstall"}).encode()
MALFORMED = (400, "request-malformed")
FLOOD_BYTES = 64 << 20
"""Many times of what lies in buffers on the way."""


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


def silent(server: HookServer, begun: bytes) -> float:
    """Send something, wait until the server hangs up, and return how many seconds that took."""
    started = time.monotonic()
    with dial(server) as caller, contextlib.suppress(ConnectionError):
        caller.sendall(begun)
        while caller.recv(4096):
            pass
    return time.monotonic() - started


def byte_by_byte(server: HookServer) -> float:
    started = time.monotonic()
    with dial(server) as slow, contextlib.suppress(ConnectionError):
        while time.monotonic() - started < REQUEST_SECONDS + 5:
            slow.sendall(b"G")
            time.sleep(0.2)
    return time.monotonic() - started


def answers_to(server: HookServer, *pieces: bytes) -> list[tuple[int, str]]:
    """Send pieces as they are, one read of the server's after the other, and return the status and reason of each answer."""
    heard = bytearray()
    with dial(server) as caller:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                caller.sendall(piece)
        with contextlib.suppress(ConnectionError):
            while more := caller.recv(1 << 16):
                heard += more
    told = []
    while heard:
        head, _, rest = bytes(heard).partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.splitlines() if line.lower().startswith(b"content-length:"))
        told.append((int(head.split()[1]), str(json.loads(rest[:length])["reason"])))
        heard = bytearray(rest[length:])
    return told


def request_head(server: HookServer, *lines: str) -> bytes:
    usual = [f"Host: {server.host}", f"Authorization: Bearer {server.token}", "Content-Type: application/json"]
    return "\r\n".join(["POST /v1/decide HTTP/1.1", *usual, *lines, "", ""]).encode()


QUESTION = json.dumps({"package": WECHAT, "action": "uninstall"}).encode()
MALFORMED = (400, "request-malformed")


def taken(server: HookServer, begun: bytes, piece: bytes) -> int:
    """Send a beginning and then the same piece without end, and return how much the server and the buffers between took."""
    pieces = piece * (65536 // len(piece))
    sent = 0
    with dial(server) as caller, contextlib.suppress(ConnectionError):
        caller.sendall(begun)
        while sent < FLOOD_BYTES:
            caller.sendall(pieces)
            sent += len(pieces)
    return sent


@pytest.mark.parametrize(
    ("begun", "piece"),
    [
        (b"POST /v1/decide HTTP/1.1\r\nX: ", b"a"),
        (b"POST /v1/decide HTTP/1.1\r\n", b"X: y\r\n"),
        (b"GET /", b"a"),
        (b"", b"\r\n"),
    ],
    ids=["one-header", "many-headers", "path", "empty-lines"],
)
def test_a_head_without_end_is_not_listened_to(server: HookServer, begun: bytes, piece: bytes) -> None:
    assert taken(server, begun, piece) < FLOOD_BYTES


@pytest.mark.parametrize(
    ("begun", "piece"),
    [
        (b"%x\r\n%b\r\n0\r\n" % (len(QUESTION), QUESTION), b"X: " + b"y" * 1000 + b"\r\n"),
        (b"", b"1;" + b"x" * 1000 + b"\r\n \r\n"),
        (b"", b"400\r\n" + b" " * 1024 + b"\r\n"),
    ],
    ids=["behind-the-body", "between-its-pieces", "body"],
)
def test_nor_is_a_request_that_goes_on_for_ever(server: HookServer, begun: bytes, piece: bytes) -> None:
    assert taken(server, request_head(server, "Transfer-Encoding: chunked") + begun, piece) < FLOOD_BYTES
    assert why(server) == "app-not-enrolled"


def test_a_head_that_is_too_long_by_little_gets_its_answer(server: HookServer) -> None:
    begun, end = request_head(server)[:-2], b"\r\n"
    with dial(server) as caller:
        caller.sendall(begun)
        time.sleep(0.2)
        caller.sendall(b"X: " + b"a" * MOST_HEAD_BYTES)
        answered = http.client.HTTPResponse(caller)
        answered.begin()
        told = json.loads(answered.read())
        with contextlib.suppress(ConnectionError):
            caller.sendall(end)

    assert (answered.status, told["reason"], answered.getheader("connection")) == (*MALFORMED, "close")


def test_a_body_in_pieces_is_a_question_like_any_other(server: HookServer) -> None:
    head = request_head(server, "Transfer-Encoding: chunked", "Connection: close")
    pieces = [b"1\r\n%c\r\n" % byte for byte in QUESTION]

    assert answers_to(server, head, *pieces, b"0\r\n\r\n") == [(503, "app-not-enrolled")]


def test_questions_sent_without_waiting_are_answered_in_their_order(server: HookServer) -> None:
    length = f"Content-Length: {len(QUESTION)}"
    good = request_head(server, length) + QUESTION
    odd = request_head(server, "Content-Length: 2") + b"{}"
    last = request_head(server, length, "Connection: close") + QUESTION

    told = answers_to(server, good + odd + good, last)

    assert told == [(503, "app-not-enrolled"), MALFORMED, (503, "app-not-enrolled"), (503, "app-not-enrolled")]


@pytest.mark.parametrize(
    "offer",
    [
        (
            "Connection: Upgrade, HTTP2-Settings",
            "Upgrade: h2c",
            "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
        ),
        ("Connection: Upgrade", "Upgrade: websocket"),
    ],
    ids=["as-java-does", "websocket"],
)
def test_who_offers_another_protocol_is_answered_in_this_one(server: HookServer, offer: tuple[str, ...]) -> None:
    """The parser takes what follows such a head for the other protocol, and the question would be lost."""
    length, last = f"Content-Length: {len(QUESTION)}", "Connection: close"
    whole = request_head(server, length, *offer) + QUESTION
    chunked = b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (QUESTION[:5], len(QUESTION) - 5, QUESTION[5:])
    in_chunks = request_head(server, "Transfer-Encoding: chunked", *offer) + chunked
    without = request_head(server, *offer)
    plain = request_head(server, length, last) + QUESTION

    told = answers_to(server, whole + in_chunks + without, plain)
    byte_by_byte = answers_to(server, *[bytes([byte]) for byte in whole + plain])

    answer = (503, "app-not-enrolled")
    assert told == [answer, answer, MALFORMED, answer]
    assert byte_by_byte == [answer, answer]


def test_javas_own_client_is_answered(server: HookServer, tmp_path: Path, system_tool: Callable[[str], str]) -> None:
    program = tmp_path / "Ask.java"
    program.write_text(
        """
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

class Ask {
    public static void main(String[] given) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int turn = 0; turn < 2; turn++) {
            HttpRequest asked = HttpRequest.newBuilder(URI.create(given[0] + "/v1/decide"))
                .header("Authorization", "Bearer " + given[1]).header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(given[2])).build();
            System.out.println(client.send(asked, BodyHandlers.ofString()).body().strip());
        }
    }
}
"""
    )
    question = json.dumps({"package": WECHAT, "action": "uninstall", "deadline_ms": 30_000})
    address = [str(server.serving["http"]), server.token, question]

    ran = subprocess.run(
        [system_tool("java"), str(program), *address], capture_output=True, text=True, check=True, timeout=120
    )

    assert [json.loads(line)["reason"] for line in ran.stdout.splitlines()] == ["app-not-enrolled"] * 2


@pytest.mark.parametrize("questions", [1, 3])
def test_who_ends_his_side_behind_a_question_hears_the_answer(server: HookServer, questions: int) -> None:
    started = time.monotonic()
    with dial(server) as caller:
        caller.sendall((request_head(server, f"Content-Length: {len(QUESTION)}") + QUESTION) * questions)
        caller.shutdown(socket.SHUT_WR)
        heard = b"".join(iter(lambda: caller.recv(65536), b""))

    assert heard.count(b"app-not-enrolled") == questions * 2
    # And is hung up on then, not when the time for the next question has passed.
    assert time.monotonic() - started < REQUEST_SECONDS


def test_who_sends_hundreds_of_questions_ahead_is_hung_up_on(server: HookServer) -> None:
    """Each takes a place in memory as soon as it is read, and all that come in one go were read before anybody else was heard."""
    question = request_head(server, f"Content-Length: {len(QUESTION)}") + QUESTION

    told = answers_to(server, question * 500)

    assert len(told) < 30
    assert set(told) <= {(503, "app-not-enrolled"), MALFORMED}
    assert why(server) == "app-not-enrolled"


def test_who_asks_ahead_and_hears_no_answer_does_not_fill_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every such caller left twenty lines of an error in the log of whoever ran the server."""
    with hook_server(tmp_path / "state", "--socket", str(tmp_path / "door"), "--http", "0") as server:
        question = request_head(server, f"Content-Length: {len(QUESTION)}") + QUESTION
        for _ in range(20):
            with dial(server) as caller, contextlib.suppress(ConnectionError):
                caller.sendall(question * 100)
        assert why(server) == "app-not-enrolled"

    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 2", "Transfer-Encoding: chunked"),
        ("Content-Length: 2", "Content-Length: 3"),
        ("Content-Length: -1",),
        ("Content-Length: 99999999999999999999999",),
        ("Transfer-Encoding: gzip",),
        ("Transfer-Encoding : chunked",),
        ("X: y", " folded: z", "Content-Length: 2"),
        ("X: \0", "Content-Length: 2"),
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_no_question(server: HookServer, lines: tuple[str, ...]) -> None:
    assert answers_to(server, request_head(server, *lines), b"{}") == [MALFORMED]


def test_who_does_not_ask_is_hung_up_on_in_time(server: HookServer) -> None:
    begun = [b"", b"POST /v1/decide HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"]
    # Side by side, so that the time is waited for once.
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(byte_by_byte, server)
        took = dict(zip(begun, pool.map(lambda one: silent(server, one), begun), strict=True))

    assert max(took.values()) < REQUEST_SECONDS + 3, took
    assert slow.result() < REQUEST_SECONDS + 3


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


def test_beyond_the_places_and_for_garbage_the_body_is_a_verdict_too(server: HookServer) -> None:
    held = [dial(server) for _ in range(MOST_CONNECTIONS + 1)]
    try:
        status, too_many, headers = server.http(b"{}")
    finally:
        for one in held:
            one.close()
    with dial(server) as stranger:
        stranger.sendall(b"\0 what is this?\r\n\r\n")
        answered = http.client.HTTPResponse(stranger)
        answered.begin()
        garbage = json.loads(answered.read())

    assert (status, too_many["reason"], headers["connection"]) == (503, "overloaded", "close")
    assert (answered.status, garbage["decision"], garbage["reason"]) == (400, "undecided", "request-malformed")


def test_who_dials_without_rest_does_not_keep_the_owner_waiting(server: HookServer) -> None:
    """Looking each new caller up in the kernel's table of connections kept the server busy for twelve seconds."""
    held: list[socket.socket] = []
    is_over = threading.Event()

    def dials() -> None:
        while not is_over.is_set() and len(held) < 400:
            held.append(dial(server))

    crowd = threading.Thread(target=dials)
    crowd.start()
    try:
        caller = server.caller()
        waits = []
        for _ in range(10):
            started = time.monotonic()
            answer = caller.ask({"package": WECHAT, "action": "uninstall", "deadline_ms": 30_000})
            waits.append(time.monotonic() - started)
            assert answer["reason"] == "app-not-enrolled"
    finally:
        is_over.set()
        crowd.join()
        for one in held:
            one.close()

    assert max(waits) < 2, waits
