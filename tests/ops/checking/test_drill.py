import sqlite3
from datetime import timedelta

import chat_factory
from backup_scene import Scene, some_chats

from backupkit.clock import FixedClock
from backupkit.guard.places import GuardPlaces
from backupkit.ids import AppPackage
from backupkit.ops.checking.drill import Drilled, drill_snapshot
from backupkit.ops.looking.list_snapshots import list_snapshots
from backupkit.ops.looking.status import Status, status
from backupkit.proof.coverage_pass import RESTORE_DRILL, decode_coverage_pass
from backupkit.proof.dsse import open_envelope
from backupkit.proof.statement import PAYLOAD_TYPE

TELEGRAM = AppPackage("org.telegram.messenger")


def drill(scene: Scene, snapshot: str = "latest") -> Drilled:
    return drill_snapshot(scene.places, snapshot, secret=scene.secret, clock=scene.clock, tell=scene.tell)


def make_database(scene: Scene) -> None:
    with sqlite3.connect(scene.chats / "chat.db") as connection:
        connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, text TEXT)")
        connection.execute("CREATE INDEX by_text ON message (text)")
        rows = [(f"message {number}",) for number in range(2_000)]
        connection.executemany("INSERT INTO message (text) VALUES (?)", rows)
    connection.close()


def test_a_drill_restores_compares_counts_and_asks_the_databases(scene: Scene) -> None:
    written = chat_factory.write_telegram_chat(scene.chats, messages=300)
    make_database(scene)
    scene.take(app="telegram", package=TELEGRAM)

    done = drill(scene)

    assert (done.state, done.findings) == ("drilled", ())
    assert (done.messages, done.databases) == (written.messages, 1)
    assert [line.state for line in list_snapshots(scene.places)] == ["drilled"]


def test_the_status_says_when_a_drill_is_due_and_the_drill_counts_after_a_later_check(scene: Scene) -> None:
    some_chats(scene)
    month = timedelta(days=31)

    def look(every: timedelta | None = month, later: timedelta = timedelta()) -> Status:
        clock = FixedClock(scene.clock.at + later)
        return status(scene.places, max_age=timedelta(days=99), drill_every=every, clock=clock)

    nothing_yet = look(later=2 * month)
    scene.take()
    fresh, old, unwanted = look(), look(later=month + timedelta(hours=1)), look(None, 2 * month)
    scene.clock.at = begun = scene.clock.at + 2 * month
    drill(scene)
    drilled = look(later=timedelta(days=1))
    scene.verify()

    assert [one.drill_due for one in (nothing_yet, fresh, old, unwanted, drilled)] == [False, False, True, False, False]
    assert fresh.last_drilled_at is None
    assert drilled.last_drilled_at is not None
    assert begun < drilled.last_drilled_at <= scene.clock.at
    assert look().last_drilled_at == drilled.last_drilled_at
    assert look(later=2 * month).drill_due
    assert not look(later=2 * month).stale


def test_nothing_of_the_chats_is_left_in_the_scratch_place(scene: Scene) -> None:
    some_chats(scene)
    scene.take()

    drill(scene)

    assert not list((scene.repository.cache / "drill").rglob("*.txt"))


def test_a_drilled_backup_says_so_in_its_coverage_pass(scene: Scene) -> None:
    chat_factory.write_telegram_chat(scene.chats, messages=50)
    scene.take(app="telegram", package=TELEGRAM)

    done = drill(scene)

    assert [one.package for one in done.coverage] == [TELEGRAM]
    key = scene.repository.require_writer().writer.attest.verify_key
    data = GuardPlaces(scene.places.guard).pass_of(TELEGRAM).read_bytes()
    assert decode_coverage_pass(open_envelope(data, key, PAYLOAD_TYPE)).result_of(RESTORE_DRILL) == "passed"


def test_a_later_check_does_not_take_the_drill_from_the_pass_until_it_is_too_old(scene: Scene) -> None:
    """Whoever asked for drilled backups and verified once more was held again, and told to verify."""
    chat_factory.write_telegram_chat(scene.chats, messages=50)
    scene.take(app="telegram", package=TELEGRAM)
    key = scene.repository.require_writer().writer.attest.verify_key

    def drilled_in_pass() -> str:
        data = GuardPlaces(scene.places.guard).pass_of(TELEGRAM).read_bytes()
        return decode_coverage_pass(open_envelope(data, key, PAYLOAD_TYPE)).result_of(RESTORE_DRILL)

    scene.verify()
    before = drilled_in_pass()
    begun = scene.clock.at
    drill(scene)
    scene.verify()
    after = drilled_in_pass()
    scene.clock.at = begun + timedelta(hours=23)
    scene.verify()
    a_day_later = drilled_in_pass()
    scene.clock.at = begun + timedelta(hours=25)
    scene.verify()

    assert (before, after, a_day_later, drilled_in_pass()) == ("not-done", "passed", "passed", "not-done")


def test_damage_is_found_and_the_snapshot_is_not_called_drilled(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    scene.damage_largest_pack()

    done = drill(scene)

    assert done.state == "damaged"
    assert done.findings
    assert [line.state for line in list_snapshots(scene.places)] == ["damaged"]


def test_a_database_that_was_unsound_when_it_was_saved_is_told(scene: Scene) -> None:
    make_database(scene)
    path = scene.chats / "chat.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'by_text'")
        connection.commit()
    connection.close()
    scene.take()

    done = drill(scene)

    assert [found.code for found in done.findings] == ["drill-database-unsound"]


def test_a_database_that_sorts_as_only_its_app_can_is_asked_for_its_pages_and_is_not_called_damaged(
    scene: Scene,
) -> None:
    make_database(scene)
    with sqlite3.connect(scene.chats / "chat.db") as connection:
        connection.create_collation("LOCALIZED", lambda one, other: (one < other) - (one > other))
        connection.execute("CREATE INDEX as_spoken ON message (text COLLATE LOCALIZED)")
    connection.close()
    scene.take()

    done = drill(scene)

    assert (done.state, done.databases, done.findings) == ("drilled", 1, ())


def test_a_database_that_only_its_app_can_compute_is_told_and_counts_as_come_back(scene: Scene) -> None:
    make_database(scene)
    with sqlite3.connect(scene.chats / "chat.db") as connection:
        connection.create_function("worth", 1, lambda value: value, deterministic=True)
        connection.execute("CREATE TABLE sum (a, b AS (worth(a)) NOT NULL)")
        connection.execute("INSERT INTO sum VALUES (1)")
    connection.close()
    scene.take()

    done = drill(scene)

    assert (done.state, done.findings) == ("drilled", ())
    assert "database-needs-its-app" in scene.codes()
