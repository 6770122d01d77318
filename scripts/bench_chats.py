"""Measures how fast chats are counted, in messages per second of processor time, and how much memory that takes.

    bench_chats.py --work FOLDER [--messages 1000000] [--formats telegram-json,whatsapp-text,...] [--keep]

Each format is written once, message by message, and counted by a process of its own. The tool's own number of messages must
be the number that was written. `--peer PYTHON` names a Python with `whatsapp-chat-exporter` from PyPI in it, which then reads WhatsApp's database
in the same run and writes its JSON. This is a measurement and never a test: nothing here fails because a number is small.
"""

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2020, 1, 1, tzinfo=UTC)
COUNT = """
import json, resource, sys
from pathlib import Path
from backupkit.chats.summary import summarise
before = resource.getrusage(resource.RUSAGE_SELF)
summary = summarise(Path(sys.argv[1]))
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"messages": summary.messages, "cpu": cpu, "memory": after.ru_maxrss * 1024, "findings": len(summary.findings)}))
"""
PEER = """
import contextlib, io, json, resource, sys
sys.argv = ["wtsexporter", "-a", "-d", sys.argv[1], "--no-html", "-j", sys.argv[2], "--no-banner"]
from Whatsapp_Chat_Exporter.__main__ import main
before = resource.getrusage(resource.RUSAGE_SELF)
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"cpu": cpu, "memory": after.ru_maxrss * 1024}))
"""


@dataclass(frozen=True, slots=True)
class Said:
    """One made-up message."""

    number: int
    at: datetime
    person: int
    text: str


def story(messages: int) -> Iterator[Said]:
    """Tell messages of the usual length, in two languages, the same every time."""
    words = (
        "早安,今天下雨,记得带伞",
        "Are you home yet?",
        "好的",
        "New address: 18 Harbour Road, flat 502",
        "哈哈哈哈",
        "On the train",
    )
    for number in range(messages):
        yield Said(
            number + 1, START + timedelta(seconds=number * 97), number % 3, f"{words[number % len(words)]} {number}"
        )


def telegram_json(path: Path, messages: int) -> None:
    """Write one chat as Telegram Desktop does."""
    with path.open("w", encoding="utf-8") as out:
        out.write('{"name": "Tea", "type": "private_supergroup", "id": 7, "messages": [\n')
        for said in story(messages):
            seconds = int(said.at.timestamp())
            record: dict[str, object] = {
                "id": said.number, "type": "message", "date": f"{said.at:%Y-%m-%dT%H:%M:%S}", "date_unixtime": str(seconds), "from": f"Person {said.person}",
                "from_id": f"user{said.person}", "text": said.text, "text_entities": [{"type": "plain", "text": said.text}],
            }  # fmt: skip
            out.write((",\n" if said.number > 1 else "") + json.dumps(record, ensure_ascii=False, indent=1))
        out.write("]}\n")


def whatsapp_text(path: Path, messages: int) -> None:
    """Write one chat as WhatsApp on Android does."""
    with path.open("w", encoding="utf-8") as out:
        for said in story(messages):
            out.write(f"{said.at:%d/%m/%Y, %H:%M} - Person {said.person}: {said.text}\n")


def discord_json(path: Path, messages: int) -> None:
    """Write one channel as DiscordChatExporter does."""
    with path.open("w", encoding="utf-8") as out:
        out.write(
            '{"guild": {"id": "7", "name": "G"}, "channel": {"id": "77", "type": "GuildTextChat", "name": "tea"}, "messages": [\n'
        )
        for said in story(messages):
            record: dict[str, object] = {
                "id": str(1060953753550860429 + said.number), "type": "Default", "timestamp": f"{said.at:%Y-%m-%dT%H:%M:%S}.414+00:00", "timestampEdited": None,
                "isPinned": False, "content": said.text, "author": {"id": str(said.person), "name": "a", "nickname": "A", "isBot": False},
                "attachments": [], "embeds": [], "stickers": [], "reactions": [], "mentions": [],
            }  # fmt: skip
            out.write((",\n" if said.number > 1 else "") + json.dumps(record, ensure_ascii=False, indent=1))
        out.write(f'], "messageCount": {messages}}}\n')


def msgstore_db(path: Path, messages: int) -> None:
    """Write one chat as WhatsApp's database holds it, with the indexes and the tables that the app has and a peer asks for."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from damaged_database import msgstore

    msgstore(path, 0)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "create table message_media (message_row_id integer primary key, chat_row_id integer, file_path text, mime_type text, file_length integer,"
            " media_key blob, file_hash text, media_name text, message_url text, raw_transcription_text text);"
            "create table message_quoted (message_row_id integer primary key, key_id text, text_data text);"
            "create table message_location (message_row_id integer primary key, latitude real, longitude real);"
            "create table message_thumbnail (message_row_id integer primary key, thumbnail blob);"
            "create table message_future (message_row_id integer primary key, version integer);"
            "create table missed_call_logs (_id integer primary key, message_row_id integer, video_call integer);"
            "create table message_system (message_row_id integer primary key, action_type integer);"
            "create table message_system_group (message_row_id integer primary key, is_me_joined integer);"
            "create table message_system_number_change (message_row_id integer primary key, old_jid_row_id integer, new_jid_row_id integer);"
            "create table receipt_user (_id integer primary key, message_row_id integer, receipt_timestamp integer, read_timestamp integer, played_timestamp integer);"
            "create index receipt_user_index on receipt_user (message_row_id);"
            "create table jid_map (lid_row_id integer primary key, jid_row_id integer not null, sort_id integer);"
            "create table media_hash_thumbnail (media_hash text primary key, thumbnail blob);"
            "create table message_vcard (_id integer primary key, message_row_id integer, vcard text);"
            "create table call_log (_id integer primary key, jid_row_id integer, from_me integer, call_id text, timestamp integer, video_call integer,"
            " duration integer, call_result integer, bytes_transferred integer);"
        )
        connection.executemany(
            "insert into message values (?, 1, ?, ?, ?, 0, 0, 0, null, 0, 0, ?, ?, -1, 0, ?, 0, 0, ?, 0, 0, null)",
            (
                (
                    said.number,
                    said.person == 0,
                    f"3EB0{said.number:08X}",
                    said.person + 1,
                    ms,
                    ms,
                    said.text,
                    said.number,
                )
                for said in story(messages)
                for ms in [int(said.at.timestamp() * 1000)]
            ),
        )
        connection.commit()


def telegram_html(path: Path, messages: int) -> None:
    """Write one page as Telegram Desktop does, which would cut it into many."""
    with path.open("w", encoding="utf-8") as out:
        out.write('<!DOCTYPE html><html><body><div class="page_header"><div class="text bold">\nTea\n</div></div>')
        out.write('<div class="page_body chat_page"><div class="history">')
        for said in story(messages):
            out.write(
                f'<div class="message default clearfix" id="message{said.number}"><div class="body"><div class="pull_right date details" '
                f'title="{said.at:%d.%m.%Y %H:%M:%S} UTC+00:00">\n{said.at:%H:%M}\n</div><div class="from_name">\nPerson {said.person}\n</div>'
                f'<div class="text">\n{said.text}\n</div></div></div>\n'
            )
        out.write("</div></div></body></html>\n")


FORMATS: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "telegram-json": ("result.json", telegram_json),
    "whatsapp-text": ("WhatsApp Chat with Tea.txt", whatsapp_text),
    "discord-json": ("tea.json", discord_json),
    "whatsapp-android-db": ("msgstore.db", msgstore_db),
    "telegram-html": ("messages.html", telegram_html),
}


def main() -> None:
    """Measure the formats that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--formats", default=",".join(list(FORMATS)[:4]))
    parser.add_argument("--keep", action="store_true", help="leave what was written")
    parser.add_argument("--peer", type=Path, help="a Python that has whatsapp-chat-exporter")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    print("| format | bytes | messages | CPU s | messages per CPU s | peak memory |")
    print("|---|---|---|---|---|---|")
    for name in asked.formats.split(","):
        file, write = FORMATS[name]
        folder = asked.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        write(folder / file, asked.messages)
        print(row_of(name, folder / file, asked.messages), flush=True)
        if asked.peer is not None and name == "whatsapp-android-db":
            print(row_of_peer(asked.peer, folder / file, asked.messages), flush=True)
        if not asked.keep:
            shutil.rmtree(folder)


def row_of(name: str, path: Path, messages: int) -> str:
    """Count one file in a process of its own, and return its line of the table."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(path)], check=True, capture_output=True, text=True, env=os.environ
    )
    found = json.loads(done.stdout)
    told = f"{found['messages']:,}" if found["messages"] == messages else f"{found['messages']:,} of {messages:,}"
    speed = messages / found["cpu"]
    return f"| {name} | {path.stat().st_size:,} | {told} | {found['cpu']:.1f} | {speed:,.0f} | {found['memory'] / 1e6:.0f} MB |"


def row_of_peer(python: Path, path: Path, messages: int) -> str:
    """Let the peer read the same database, and return its line of the table."""
    out = path.with_name("peer.json")
    found = subprocess.run(
        [str(python), "-c", PEER, str(path), str(out)], check=True, capture_output=True, text=True, cwd=path.parent
    )
    told = json.loads(found.stdout.splitlines()[-1])
    with out.open("rb") as stream:
        counted = sum(len(chat["messages"]) for chat in json.load(stream).values())
    shown = f"{counted:,}" if counted == messages else f"{counted:,} of {messages:,}"
    return (
        f"| the same, whatsapp-chat-exporter | {path.stat().st_size:,} | {shown} | {told['cpu']:.1f} | {messages / told['cpu']:,.0f}"
        f" | {told['memory'] / 1e6:.0f} MB |"
    )


if __name__ == "__main__":
    main()
