import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backupkit.watcher.tell import NOBODY, ServiceManager


@pytest.fixture
def short_folder() -> Iterator[Path]:
    # The address of a socket has room for 107 bytes, fewer than pytest's own folders may need.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def told(address: str, listen: str) -> list[str]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(listen)
        manager.settimeout(10)
        service = ServiceManager(address)

        service.ready()
        service.status("Watching\n3 sources \x1b[31m")
        service.alive()
        service.stopping()

        return [manager.recv(1024).decode() for _ in range(4)]


EXPECTED = ["READY=1", "STATUS=Watching\\x0a3 sources \\x1b[31m", "WATCHDOG=1", "STOPPING=1"]


def test_the_service_manager_hears_it_at_a_path(short_folder: Path) -> None:
    address = str(short_folder / "notify")

    assert told(address, address) == EXPECTED


def test_the_service_manager_hears_it_at_an_abstract_name(short_folder: Path) -> None:
    assert told(f"@{short_folder}", f"\0{short_folder}") == EXPECTED


@pytest.mark.parametrize("address", [None, "", "/nobody/listens/here", "vsock:2:1234", "/" + "x" * 300, "@", "/a\0b"])
def test_where_nobody_listens_nothing_fails(address: str | None) -> None:
    service = ServiceManager(address)

    service.ready()
    service.status("Watching")
    service.alive()
    service.stopping()


def test_nobody_is_a_listener_too() -> None:
    NOBODY.ready()
    NOBODY.stopping()
