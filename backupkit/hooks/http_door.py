"""The resident server's door for programs that speak HTTP: this computer only, with a token, and no browser.

Every body is a verdict, also where the caller has no business here, and a status of 2xx is an "allow" and nothing else:
who looks at one of the two only is still safe. Specified in `schemas/openapi-1.json`.
"""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from hmac import compare_digest
from pathlib import Path

import uvicorn

from backupkit.hooks.counter import Answer, Counter, undecided
from backupkit.hooks.http_connection import REQUEST_SECONDS, GuardedConnection, Message, Receive, Send, reply
from backupkit.hooks.protocol import DEFAULT_DEADLINE_SECONDS, MAX_REQUEST_BYTES

SCHEMAS = Path(__file__).parent / "schemas"
PUBLISHED = {f"/v1/{name}-1.json": SCHEMAS / f"{name}-1.json" for name in ("openapi", "hook-request", "verdict")}

_STATUS_OF_EXIT = {0: 200, 40: 409, 41: 409, 42: 503}
_STATUS_OF_REASON = {"request-malformed": 400, "timed-out": 504}


class HttpDoor:
    """An ASGI application: one path to ask, and the documents that describe it."""

    def __init__(self, counter: Counter, token: bytes, port: int) -> None:
        self._counter = counter
        self._token = token
        # A page of another site that was pointed at this address by its name server still says its own name here.
        self._hosts = {f"{host}:{port}".encode() for host in ("127.0.0.1", "localhost", "[::1]")}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            status, body = await self._respond(scope, receive)
        except _Gone:
            return
        await _reply(send, status, body)

    async def _respond(self, scope: Message, receive: Receive) -> tuple[int, bytes]:
        headers = _Headers(scope["headers"])
        if (refused := self._refusal(headers)) is not None:
            return refused, undecided("not-permitted").line
        method, path = scope["method"], scope["path"]
        if path in PUBLISHED:
            if method not in {"GET", "HEAD"}:
                return 405, undecided("request-malformed").line
            return 200, PUBLISHED[path].read_bytes()
        if path != "/v1/decide":
            return 404, undecided("request-malformed").line
        if method != "POST":
            return 405, undecided("request-malformed").line
        if headers.one(b"content-type").partition(b";")[0].strip().lower() != b"application/json":
            return 415, undecided("request-malformed").line
        return await self._decide(receive)

    def _refusal(self, headers: "_Headers") -> int | None:
        """The status for a caller who may not ask: a browser, a wrong name, no token."""
        if headers.any_of(b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"referer"):
            return 403
        if headers.one(b"host").lower() not in self._hosts:
            return 403
        scheme, _, given = headers.one(b"authorization").partition(b" ")
        is_bearer = scheme.lower() == b"bearer"
        return None if is_bearer and compare_digest(given.strip(), self._token) else 401

    async def _decide(self, receive: Receive) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(DEFAULT_DEADLINE_SECONDS):
                question = await _read_body(receive)
        except TimeoutError:
            return 408, undecided("timed-out").line
        if question is None:
            return 413, undecided("request-malformed").line
        answer = await self._counter.ask(question)
        return status_of(answer), answer.line


def status_of(answer: Answer) -> int:
    """The status that goes with a verdict: 2xx only for "allow"."""
    if answer.exit_code != 42:
        return _STATUS_OF_EXIT[answer.exit_code]
    return _STATUS_OF_REASON.get(json.loads(answer.line)["reason"], 503)


class _Gone(Exception):
    """The caller hung up."""


class _Headers:
    """The headers of a request, by lower-case name; one that came twice counts as none."""

    def __init__(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self._pairs = pairs

    def one(self, name: bytes) -> bytes:
        found = [value for key, value in self._pairs if key == name]
        return found[0] if len(found) == 1 else b""

    def any_of(self, *names: bytes) -> bool:
        return any(key in names for key, _ in self._pairs)


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body, or None where it is too long."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > MAX_REQUEST_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _reply(send: Send, status: int, body: bytes) -> None:
    more = []
    if status == 401:
        more.append((b"www-authenticate", b"Bearer"))
    if status in {401, 403}:
        # Who has no business here keeps no place here.
        more.append((b"connection", b"close"))
    await reply(send, status, body, *more)


class LoopbackServer(uvicorn.Server):
    """uvicorn without its own signals: who stops the server stops both doors."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def loopback_server(door: HttpDoor) -> LoopbackServer:
    """Return a server for the door, to be run on a socket that listens already."""
    # Its warnings are about what callers sent, and anybody may call: they would fill the log of whoever runs the server.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        door,
        http=GuardedConnection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(REQUEST_SECONDS),
        timeout_graceful_shutdown=5,
    )
    return LoopbackServer(config)
