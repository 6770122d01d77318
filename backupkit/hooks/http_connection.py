"""One HTTP connection: it must ask in time, and where the places are getting scarce it must be the owner's.

A socket on 127.0.0.1 is open to every user of the computer. Without the token nobody learns anything, but connections that
say nothing would fill the server's places. So each has a few seconds for its next request, and from the point on where
`CROWDED` are open, only those of this user and of root are let in, as far as the system says whose they are.
"""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CROWDED = 32
REQUEST_SECONDS = 5.0
_TABLE = Path("/proc/net/tcp")
_MOST_TABLE = 1 << 20


class GuardedConnection(H11Protocol):
    """uvicorn's connection with a deadline for requests and a look at who calls."""

    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let the caller in, or hang up at once."""
        super().connection_made(transport)
        if len(self.connections) > CROWDED and is_a_strangers(transport):
            transport.abort()
            return
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


def is_a_strangers(transport: asyncio.BaseTransport) -> bool:
    """Whether the other side is known to be another user than this one or root. What cannot be known is no reason to refuse."""
    owner = owner_of(transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
    return owner is not None and owner not in {os.geteuid(), 0}


def owner_of(peer: Any, own: Any, table: Path = _TABLE) -> int | None:
    """Return the user whose socket `peer` is, as the kernel's table of connections says; None where that cannot be told."""
    try:
        wanted = (_as_in_table(peer), _as_in_table(own))
        with table.open("rb") as file:
            lines = file.read(_MOST_TABLE).splitlines()[1:]
        for line in lines:
            fields = line.split()
            # number, its own end, its other end, state, queues, timer, retransmits, user
            if len(fields) > 7 and (fields[1], fields[2]) == wanted:
                return int(fields[7])
    except (OSError, TypeError, ValueError):
        return None
    return None


def _as_in_table(address: Any) -> bytes:
    host, port = address[:2]
    # The kernel prints the address as a number in its own byte order.
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    return b"%08X:%04X" % (number, port)
