"""Telling the service manager how it goes: systemd's notify protocol on a plain socket (sd_notify(3)).

Where nobody listens, nothing is told, and nothing fails: a backup does not depend on being watched.
"""

import socket
from dataclasses import dataclass
from typing import Protocol

from backupkit.text import printable


class Notifier(Protocol):
    """Whoever wants to know that the watcher is ready, alive and about to stop."""

    def ready(self) -> None:
        """Say that the sources are being watched."""
        ...

    def alive(self) -> None:
        """Say that the watcher is not stuck. Called about every second, except while a snapshot is saved."""
        ...

    def stopping(self) -> None:
        """Say that the end is meant."""
        ...


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """systemd, at the address that it put into NOTIFY_SOCKET: a path, or `@` and an abstract name. None: nobody."""

    address: str | None

    def ready(self) -> None:
        """READY=1: units that wait for this one may start."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """STATUS=: the line that `systemctl status` shows."""
        self._send(f"STATUS={printable(text, limit=200)}")

    def alive(self) -> None:
        """WATCHDOG=1: not stuck. During a save, whoever hears its progress calls this."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """STOPPING=1: the end is meant."""
        self._send("STOPPING=1")

    def _send(self, line: str) -> None:
        family = getattr(socket, "AF_UNIX", None)
        if family is None or self.address is None or self.address[:1] not in {"/", "@"}:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as out:
                # Never wait for the manager: a full queue costs a line, not a backup.
                out.setblocking(False)
                out.sendto(line.encode("utf-8"), address)
        except (OSError, ValueError):
            return


NOBODY = ServiceManager(None)
"""Where no service manager asked to be told."""
