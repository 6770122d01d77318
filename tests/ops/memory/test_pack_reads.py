from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from backupkit.ids import PackName
from backupkit.ops.memory.pack_reads import PackReads

NOW = datetime(2018, 6, 1, tzinfo=UTC)
ONE, TWO = PackName("11" * 32), PackName("22" * 32)


@pytest.fixture
def reads(tmp_path: Path) -> PackReads:
    return PackReads(tmp_path / "state" / "pack-reads")


def test_what_was_read_is_remembered_until_it_is_damaged_or_gone(reads: PackReads) -> None:
    reads.learn(whole=[ONE, TWO], damaged=[], at=NOW)
    reads.learn(whole=[TWO], damaged=[ONE], at=NOW + timedelta(days=1))

    assert reads.known(NOW + timedelta(days=2)) == {TWO: NOW + timedelta(days=1)}
    reads.keep({ONE}, NOW + timedelta(days=2))
    assert reads.known(NOW + timedelta(days=2)) == {}


def test_a_date_in_the_future_counts_for_nothing(reads: PackReads) -> None:
    reads.learn(whole=[ONE], damaged=[], at=NOW + timedelta(days=1))

    assert reads.known(NOW) == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_read_as_what_they_can_be(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "pack-reads"
    path.write_bytes(data)

    known = PackReads(path).known(NOW)

    assert len(known) <= len(data) // 40
    assert all(read <= NOW and len(name) == 64 for name, read in known.items())
