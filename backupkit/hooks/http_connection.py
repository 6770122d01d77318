"""One HTTP connection: it must ask in time, and where the places are getting scarce it must be the owner's.

A socket on 127.0.0.1 is open to every user of the computer. Without the token nobody learns anything, but connections that
say nothing would fill the server's places. So each has a few seconds for its next request, and from the point on where
`CROWDED` are open, only those of this user and of root are let in, as far as the system says whose they are. What comes beyond
`MOST_CONNECTIONS`, or is no HTTP, gets a verdict as well.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from backupkit.hooks.counter import undecided
from backupkit.hooks.tcp_owner import owner_of

CROWDED = 32
MOST_CONNECTIONS = 128
_MOST_TOLD = 512
"""Up to here whoever comes is told that there are too many. Open files are counted, and the Unix socket needs some as well."""
REQUEST_SECONDS = 5.0

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class GuardedConnection(H11Protocol):
    """uvicorn's connection with a deadline for requests and a look at who calls."""

    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # the library narrows it, too
        """Let the caller in, or hang up at once."""
        super().connection_made(transport)
        crowd = len(self.connections)
        if crowd > _MOST_TOLD or (crowd > CROWDED and is_a_strangers(transport)):
            transport.abort()
            # At once, and not when the loop comes to it: the next one is counted before that.
            self.connections.discard(self)
            return
        if crowd > MOST_CONNECTIONS:
            self.app = _too_many
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline with the connection."""
        self._stop_watching()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request, as long as for the first."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._expect_request()

    def send_400_response(self, msg: str) -> None:
        """Say that this was no question."""
        del msg  # uvicorn's words, and no verdict
        if self.conn.our_state is not h11.IDLE and self.conn.our_state is not h11.SEND_RESPONSE:
            self.transport.abort()
            return
        body = undecided("request-malformed").line
        head = h11.Response(
            status_code=400, reason=b"Bad Request", headers=[*headers_of(body), (b"connection", b"close")]
        )
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def _expect_request(self) -> None:
        self._stop_watching()
        self._watch = self.loop.call_later(REQUEST_SECONDS, self._give_up)

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _give_up(self) -> None:
        # A request whose head has come is the application's to wait for, and it does so for two seconds.
        if self.conn.their_state is h11.IDLE:
            self.transport.abort()


def headers_of(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers of every answer."""
    return [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]


async def reply(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    """Send an answer, with `more` headers."""
    await send({"type": "http.response.start", "status": status, "headers": [*headers_of(body), *more]})
    await send({"type": "http.response.body", "body": body})


async def _too_many(_scope: Message, _receive: Receive, send: Send) -> None:
    await reply(send, 503, undecided("overloaded").line, (b"connection", b"close"))


def is_a_strangers(transport: asyncio.BaseTransport) -> bool:
    """Whether the other side is known to be another user than this one or root. What cannot be known is no reason to refuse."""
    owner = owner_of(transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
    return owner is not None and owner not in {os.geteuid(), 0}
