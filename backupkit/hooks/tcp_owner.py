"""Whose a TCP connection of this computer is, as the kernel says.

The kernel is asked about the one connection (`NETLINK_SOCK_DIAG`, inet_diag(7)). Its table of all connections takes it some twenty
milliseconds to write: read for every new one, it would let whoever dials without rest keep the server from everybody else.
So the table is read only where the kernel answers no such question.
"""

import os
import socket
import struct
import sys
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path("/proc/net/tcp")
_MOST_TABLE = 1 << 20

_NETLINK_SOCK_DIAG = 4
_BY_FAMILY = 20
_IS_REQUEST = 1
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBxI")
_ENDS = struct.Struct("!HH4s12x4s12x")
_ANY_STATE, _ANY_COOKIE = 0xFFFFFFFF, b"\xff" * 8
# Behind the header: family, state, timer, retransmits (4), the two ends (48), expiry and both queues (12).
_USER_AT = _HEADER.size + 64
_PATIENCE_SECONDS = 0.1


def owner_of(peer: Any, own: Any) -> int | None:
    """Return the user whose socket `peer` is on a connection with `own`, both as (host, port); None where that cannot be told."""
    try:
        return ask_kernel(peer, own) if _kernel_can_be_asked() else look_up(peer, own)
    except (OSError, TypeError, ValueError, IndexError, struct.error):
        return None


def ask_kernel(peer: Any, own: Any) -> int | None:
    """Ask about one connection; None where there is none.

    Raises:
        OSError, TypeError, ValueError, IndexError, struct.error: the kernel, or this system, takes no such question.
    """
    ends = _ENDS.pack(peer[1], own[1], socket.inet_aton(peer[0]), socket.inet_aton(own[0]))
    question = _QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY_STATE) + ends + bytes(4) + _ANY_COOKIE
    message = _HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _IS_REQUEST, 0, 0) + question
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        raise OSError("no netlink here")
    with socket.socket(family, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(_PATIENCE_SECONDS)
        kernel.sendto(message, (0, 0))
        answer = kernel.recv(4096)
    _, kind, *_ = _HEADER.unpack_from(answer)
    # Anything else is the news that there is no such connection.
    return int(struct.unpack_from("=I", answer, _USER_AT)[0]) if kind == _BY_FAMILY else None


def look_up(peer: Any, own: Any, table: Path = _TABLE) -> int | None:
    """Look the connection up in the kernel's table.

    Raises:
        OSError, TypeError, ValueError, IndexError: there is no such table, or no such address.
    """
    wanted = (_as_in_table(peer), _as_in_table(own))
    with table.open("rb") as file:
        lines = file.read(_MOST_TABLE).splitlines()[1:]
    for line in lines:
        fields = line.split()
        # number, its own end, its other end, state, queues, timer, retransmits, user
        if len(fields) > 7 and (fields[1], fields[2]) == wanted:
            return int(fields[7])
    return None


@cache
def _kernel_can_be_asked() -> bool:
    """Whether it knows a connection of our own: some systems and containers answer no such question."""
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as door,
            socket.create_connection(door.getsockname(), _PATIENCE_SECONDS) as caller,
        ):
            return ask_kernel(caller.getsockname(), door.getsockname()) == os.geteuid()
    except (OSError, TypeError, ValueError, struct.error):
        return False


def _as_in_table(address: Any) -> bytes:
    host, port = address[:2]
    # The kernel prints the address as a number in its own byte order.
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    return b"%08X:%04X" % (number, port)
