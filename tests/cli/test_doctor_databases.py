"""`backupkit doctor FILE.db`: pages, header, log and seals of a database, without opening it."""

import hmac
import json
import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from computer import Computer
from json_schema import differences, schema_of

from backupkit.capture.sealed_pages import PROFILES, make_verify_key

PAGE = 4096


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path / "home")


def doctor(computer: Computer, *arguments: object, expect: int = 0) -> dict[str, Any]:
    told = computer.run_here("doctor", *arguments, "--json", expect=expect).last
    if told["type"] == "summary":
        schema = schema_of("doctor-1")
        assert differences(told, schema) == []
    return told


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A database and its log as a crash left them."""
    path = tmp_path / "live.db"
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE t(x)")
    for _ in range(5):
        with writer:
            writer.execute("INSERT INTO t VALUES (?)", (b"x" * 6000,))
    left = tmp_path / "crashed.db"
    for ending in ("", "-wal", "-shm"):
        shutil.copyfile(f"{path}{ending}", f"{left}{ending}")
    writer.close()
    return left


def test_pages_header_and_log_are_told(computer: Computer, live: Path) -> None:
    told = doctor(computer, live)

    assert (told["format"], told["sealed"], told["findings"]) == ("sqlite-database", False, [])
    database = told["database"]
    assert (database["page_size"], database["pages"], database["uses_wal"]) == (PAGE, 1, True)
    log = database["wal"]
    assert log["commits"] == 6
    assert log["committed"] == log["frames"] == log["total_frames"] == (log["bytes"] - 32) // (PAGE + 24)
    assert log["database_pages"] > 6


@pytest.mark.parametrize(
    ("harm", "codes", "exit_code"),
    [
        ("cut", {"wal-truncated", "wal-ends-within-a-page"}, 20),
        ("gone", {"wal-missing"}, 20),
        ("rotten", {"wal-damaged", "wal-truncated"}, 20),
        ("garbled", {"wal-garbled"}, 0),
        ("cut without index", {"wal-ends-within-a-page"}, 0),
        ("half a page", {"database-not-whole-pages"}, 20),
    ],
)
def test_what_is_wrong_with_file_and_log_is_named(
    computer: Computer, live: Path, harm: str, codes: set[str], exit_code: int
) -> None:
    log = live.with_name("crashed.db-wal")
    data = log.read_bytes()
    match harm:
        case "cut":
            log.write_bytes(data[:9000])
        case "gone":
            log.unlink()
        case "rotten":
            log.write_bytes(data[:5000] + b"rotten" + data[5006:])
        case "garbled":
            log.write_bytes(b"not a log" + data[9:])
        case "cut without index":
            log.write_bytes(data[:9000])
            live.with_name("crashed.db-shm").unlink()
        case _:
            live.write_bytes(live.read_bytes()[:-100])

    told = doctor(computer, live, expect=exit_code)

    assert {one["code"] for one in told["findings"]} >= codes
    text = computer.run_here("doctor", live, expect=exit_code).out
    assert "crashed.db" in text
    assert "{" not in text


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A database of some app that backupkit does not know, of many pages, at rest."""
    path = tmp_path / "notes.db"
    writer = sqlite3.connect(path)
    with writer:
        writer.execute("CREATE TABLE note(id INTEGER PRIMARY KEY, said TEXT)")
        writer.executemany("INSERT INTO note(said) VALUES (?)", ((f"note {number} " * 20,) for number in range(2000)))
    writer.close()
    return path


def test_the_pages_of_a_plain_database_are_checked_for_hanging_together(computer: Computer, plain: Path) -> None:
    sound = doctor(computer, plain)
    data = bytearray(plain.read_bytes())
    # Two whole pages in each other's place: every page alone is as it should be.
    data[20 * PAGE : 21 * PAGE], data[30 * PAGE : 31 * PAGE] = data[30 * PAGE : 31 * PAGE], data[20 * PAGE : 21 * PAGE]
    plain.write_bytes(data)

    told = doctor(computer, plain, expect=20)

    assert (sound["findings"], sound["database"]["complaints"]) == ([], 0)
    (found,) = told["findings"]
    assert (found["code"], found["severity"]) == ("pages-not-sound", "error")
    assert found["params"]["count"] == told["database"]["complaints"] > 0
    assert found["params"]["said"]
    assert plain.read_bytes() == data


def test_a_value_that_its_table_forbids_is_no_damage(computer: Computer, plain: Path) -> None:
    writer = sqlite3.connect(plain)
    with writer:
        writer.execute("INSERT INTO note(said) VALUES (NULL)")
        writer.execute("PRAGMA writable_schema = on")
        writer.execute("UPDATE sqlite_master SET sql = replace(sql, 'said TEXT', 'said TEXT NOT NULL CHECK(said < 1)')")
    writer.close()

    assert doctor(computer, plain)["database"]["complaints"] == 0


def test_a_database_whose_front_is_noise_is_told_as_unsound(computer: Computer, plain: Path) -> None:
    data = bytearray(plain.read_bytes())
    data[100:PAGE] = random.Random(1).randbytes(PAGE - 100)
    plain.write_bytes(data)

    told = doctor(computer, plain, expect=20)

    assert "pages-not-sound" in {one["code"] for one in told["findings"]}


def sealed(path: Path, pages: int) -> Path:
    """A sealed database as SQLCipher 4 lays it out, and beside it the key that checks and cannot open."""
    profile, dice = PROFILES["sqlcipher-4"], random.Random(4)
    salt = dice.randbytes(16)
    key = make_verify_key(bytes(range(32)), salt, profile)
    made = b""
    for number in range(1, pages + 1):
        body = dice.randbytes(PAGE - profile.reserve + 16 - (16 if number == 1 else 0))
        page = body + hmac.digest(key.key, body + number.to_bytes(4, "little"), "sha512")
        made += (salt if number == 1 else b"") + page
    path.write_bytes(made)
    written = path.with_suffix(".key")
    written.write_bytes(key.encode() + b"\n")
    return written


def test_with_a_key_that_cannot_open_it_every_page_of_a_sealed_database_is_checked(
    computer: Computer, tmp_path: Path
) -> None:
    path = tmp_path / "MSG0.db"
    key = sealed(path, 40)
    whole = doctor(computer, path, "--verify-key", key)
    data = bytearray(path.read_bytes())
    data[7 * PAGE + 5] ^= 1
    path.write_bytes(data)

    told = doctor(computer, path, "--verify-key", key, expect=20)

    assert (whole["sealed"], whole["database"]["pages_checked"], whole["database"]["pages_damaged"]) == (True, 40, 0)
    assert told["database"]["pages_damaged"] == 1
    (found,) = [one for one in told["findings"] if one["code"] == "pages-not-authentic"]
    assert found["params"]["first"] == 8
    assert doctor(computer, path)["database"]["pages_checked"] is None, "without a key nobody can tell"


def test_a_database_that_was_sealed_anew_is_said_not_to_be_the_keys(computer: Computer, tmp_path: Path) -> None:
    key = sealed(tmp_path / "old.db", 3)
    path = tmp_path / "new.db"
    sealed(path, 3)
    path.write_bytes(random.Random(5).randbytes(16) + path.read_bytes()[16:])

    told = doctor(computer, path, "--verify-key", key)

    assert "verify-key-of-another-database" in {one["code"] for one in told["findings"]}
    assert told["database"]["pages_checked"] is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 100, b"[" * 100_000])
def test_what_is_no_key_is_wrong_usage(computer: Computer, live: Path, tmp_path: Path, content: bytes) -> None:
    key = tmp_path / "key"
    key.write_bytes(content)

    assert doctor(computer, live, "--verify-key", key, expect=2)["code"] == "value-wrong"


def test_conversations_are_listed_up_to_a_hundred_and_the_rest_is_counted(computer: Computer, tmp_path: Path) -> None:
    said = {"type": "message", "date": "2018-05-01T10:00:00", "from": "A", "from_id": "user1", "text": "hi"}
    chats = [
        {
            "name": f"c{n}",
            "type": "personal_chat",
            "id": n + 1,
            "messages": [{**said, "id": m} for m in range(1 + n % 7)],
        }
        for n in range(130)
    ]
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"about": "", "chats": {"about": "", "list": chats}}))

    told, every = doctor(computer, path), doctor(computer, path, "--all")

    assert (len(told["by_conversation"]), told["by_conversation_left_off"]) == (100, 30)
    assert told["by_conversation"][0]["messages"] == 7
    assert (len(every["by_conversation"]), every["by_conversation_left_off"]) == (130, 0)
    assert len(computer.run_here("doctor", path, "--all").out.splitlines()) > 130
    assert len(computer.run_here("doctor", path).out.splitlines()) < 10
