"""The kernel says whose a connection is."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backupkit.hooks import tcp_owner
from backupkit.hooks.tcp_owner import look_up, owner_of

NOBODY = 65534
NO_ADDRESSES: list[Any] = [
    None,
    ("127.0.0.1",),
    ("localhost", 1),
    ("127.0.0.1", 70_000),
    ("127.0.0.1", "1"),
    ("::1", 1),
]


@contextmanager
def connected() -> Iterator[tuple[Any, Any]]:
    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_connection(door.getsockname()) as caller:
        there, _ = door.accept()
        with there:
            yield caller.getsockname(), there.getsockname()


@pytest.fixture(params=[True, False], ids=["asked", "looked up"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel takes questions, and where it has but its table."""
    if not request.param:
        monkeypatch.setattr(tcp_owner, "_kernel_can_be_asked", lambda: False)


@pytest.mark.usefixtures("_way")
def test_the_kernel_says_whose_connection_it_is() -> None:
    with connected() as (caller, door):
        assert owner_of(caller, door) == os.geteuid()
        assert owner_of(("127.0.0.1", 1), door) is None
        assert owner_of(caller, ("127.0.0.1", 1)) is None
    for address in NO_ADDRESSES:
        assert owner_of(address, address) is None


@pytest.mark.usefixtures("_way")
def test_another_users_connection_is_told_as_theirs() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can call as another user, so no stranger called")
    os.seteuid(NOBODY)
    try:
        with connected() as (caller, door):
            os.seteuid(0)
            assert owner_of(caller, door) == NOBODY
    finally:
        os.seteuid(0)


def test_only_the_one_row_of_the_table_counts(tmp_path: Path) -> None:
    table = tmp_path / "tcp"
    ends: tuple[Any, Any] = ("127.0.0.1", 1), ("127.0.0.1", 2)
    row = "   0: 0100007F:0001 0100007F:0002 01 00000000:00000000 00:00000000 00000000 {} 0 1 1 0 100 0 0 10 0\n"

    table.write_text("sl local rem st\nshort\n" + row.format("1234"))
    assert look_up(*ends, table) == (1234 if sys.byteorder == "little" else None)
    assert look_up(ends[1], ends[0], table) is None
    table.write_text("sl local rem st\n" + row.format("nobody"))
    with pytest.raises(ValueError, match="nobody"):
        look_up(*ends, table)
