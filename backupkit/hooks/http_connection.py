"""One HTTP connection: it must ask in time, and where the places are getting scarce it must be the owner's.

A socket on 127.0.0.1 is open to every user of the computer. Without the token nobody learns anything, but connections that
say nothing would fill the server's places. So each has a few seconds for its next request, and from the point on where
`CROWDED` are open, only those of this user and of root are let in, as far as the system says whose they are. What comes beyond
`MOST_CONNECTIONS`, is no HTTP, or is longer than any question with its head, gets a verdict as well.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from backupkit.hooks.counter import undecided
from backupkit.hooks.protocol import MAX_REQUEST_BYTES
from backupkit.hooks.tcp_owner import owner_of

CROWDED = 32
MOST_CONNECTIONS = 128
_MOST_TOLD = 512
"""Up to here whoever comes is told that there are too many. Open files are counted, and the Unix socket needs some as well."""
REQUEST_SECONDS = 5.0
_FRAMING = {b"content-length", b"transfer-encoding"}
MOST_HEAD_BYTES = 16 << 10
_MOST_AHEAD = 16
"""So many requests may be sent before the first is answered."""
_MOST_BYTES = 2 * MAX_REQUEST_BYTES
"""All that one request may send: the parser keeps the headers behind a body as well, and has no limit of its own. A body that is too
long is told by the application, if no more than this comes."""

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class Line(asyncio.Transport):
    """The way to the caller, for uvicorn to write to.

    Of several requests of one connection uvicorn tells only the last that the caller is gone. The others would write on, and each time fill the log
    of whoever runs the server with the error that comes of it.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send something, where somebody is there still."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether nothing more can be said."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Hang up after what was sent."""
        self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()


class GuardedConnection(HttpToolsProtocol):
    """uvicorn's connection with a deadline and a most length for requests, and a look at who calls."""

    _watch: asyncio.TimerHandle | None = None
    _is_in_head = True
    _is_told_again = False
    _has_ended = False
    _come = 0
    """How many bytes of the request that is under way came after the read that it began in."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # the library narrows it, too
        """Let the caller in, or hang up at once."""
        super().connection_made(transport)
        self.transport = Line(transport)
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

    def data_received(self, data: bytes) -> None:
        """Read on in a request, up to its limit."""
        self._unset_keepalive_if_required()
        self._come += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        most = MOST_HEAD_BYTES if self._is_in_head else _MOST_BYTES
        if self._come > most and not self.transport.is_closing():
            self.send_400_response("")

    def _parse(self, data: bytes) -> None:
        """Parse what came, and go on in HTTP/1.1 where a caller offers another protocol.

        A server may do so (RFC 9110, 7.8), and Java's client makes such an offer with every question; but the parser takes what follows
        the head for the other protocol. So it is told once more how the body is framed, and reads that.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            framing = b"".join(b"%b: %b\r\n" % header for header in self.headers if header[0] in _FRAMING)
            self._is_told_again = True
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
            self._is_told_again = False
            # No deeper than requests may be sent ahead.
            self._parse(data[offer.args[0] :])

    def on_message_begin(self) -> None:
        """Count from here."""
        if not self._is_told_again:
            super().on_message_begin()
            self._is_in_head, self._come = True, 0

    def on_url(self, url: bytes) -> None:
        """Note what is asked for."""
        if not self._is_told_again:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header, one behind the body as well."""
        if not self._is_told_again:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Let the application answer.

        Raises:
            ValueError: too many wait already; the parser takes it for a request that makes no sense.
        """
        if self._is_told_again:
            return
        if len(self.pipeline) >= _MOST_AHEAD:
            raise ValueError
        super().on_headers_complete()
        self._is_in_head = False

    def on_message_complete(self) -> None:
        """Begin with the next request. What the parser takes for the end before another protocol is none."""
        if not self.parser.should_upgrade():
            super().on_message_complete()
            self._is_in_head, self._come = True, 0

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn hangs up at once
        """Let who asked and has nothing more to say hear the answer."""
        self._has_ended = True
        return not self._is_answered()

    def on_response_complete(self) -> None:
        """Wait for the next request, as long as for the first."""
        super().on_response_complete()
        if self._has_ended and self._is_answered():
            self.transport.close()
        if not self.transport.is_closing():
            self._expect_request()

    def send_400_response(self, msg: str) -> None:
        """Say that this was no question."""
        del msg  # uvicorn's words, and no verdict
        if self._is_answered() or not self.cycle.response_started:
            body = undecided("request-malformed").line
            head = [*headers_of(body), (b"connection", b"close")]
            lines = b"".join(b"%b: %b\r\n" % header for header in head)
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + lines + b"\r\n" + body)
            self.transport.close()
        else:
            self.transport.abort()

    def _is_answered(self) -> bool:
        """Whether no request waits for its answer."""
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # none before the first

    def _expect_request(self) -> None:
        self._stop_watching()
        self._watch = self.loop.call_later(REQUEST_SECONDS, self._give_up)

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _give_up(self) -> None:
        # A request whose head has come is the application's to wait for, and it does so for two seconds.
        if self._is_answered():
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
