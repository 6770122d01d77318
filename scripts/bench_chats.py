"""Measures how fast chats are counted, in messages per second of processor time, and how much memory that takes.

    bench_chats.py --work FOLDER [--messages 1000000] [--formats telegram-json,whatsapp-text,...] [--peers PYTHON] [--large] [--json FILE]

Each format is written once, message by message, and counted by a process of its own. Who counts must find as many messages as were
written, or the table says how many. `--peers` names a Python with `chat-miner`, `whatstk` and `whatsapp-chat-exporter` from PyPI in it, which then
read the same files in the same run. `--large` adds exports of 2 GB. This is a measurement and never a test: nothing here fails because
a number is small.
"""

import argparse
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

START = datetime(2020, 1, 1, tzinfo=UTC)
COUNT = """
import json, resource, sys
from pathlib import Path
from backupkit.chats.counting.summary import summarise
before = resource.getrusage(resource.RUSAGE_SELF)
summary = summarise(Path(sys.argv[1]))
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"messages": summary.messages, "cpu": cpu, "memory": after.ru_maxrss * 1024, "findings": len(summary.findings)}))
"""
_PEER = """
import contextlib, io, json, resource, sys, warnings
warnings.simplefilter("ignore")
def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
{imports}
before = used()
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
{read}
cpu = used() - before
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
{found}
print(json.dumps({{"messages": messages, "cpu": cpu, "memory": memory}}))
"""


class Peer(NamedTuple):
    """A program beside ours, in Python: what it needs, the reading that is measured, and how many messages it found."""

    imports: str
    read: str
    found: str


def chat_miner(parser: str) -> Peer:
    """Read with one of chat-miner's parsers."""
    return Peer(
        f"from chatminer.chatparsers import {parser}",
        f"    parser = {parser}(sys.argv[1])\n    parser.parse_file()",
        "messages = len(parser.parsed_messages.get_df())",
    )


PEERS = {
    "telegram-json": {"chat-miner": chat_miner("TelegramJsonParser")},
    "whatsapp-text": {
        "chat-miner": chat_miner("WhatsAppParser"),
        "whatstk": Peer(
            "from whatstk import df_from_whatsapp",
            "    found = df_from_whatsapp(sys.argv[1], max_size=None)",
            "messages = len(found)",
        ),
    },
    "whatsapp-android-db": {
        "whatsapp-chat-exporter": Peer(
            "from Whatsapp_Chat_Exporter.__main__ import main\nout = sys.argv[1] + '.json'\n"
            "sys.argv = ['wtsexporter', '-a', '-d', sys.argv[1], '--no-html', '-j', out, '--no-banner']",
            "    main()",
            "messages = sum(len(chat['messages']) for chat in json.load(open(out, 'rb')).values())",
        )
    },
}

HEAD = ["format", "read by", "MB", "messages", "CPU s", "messages per CPU s", "peak MB"]
LARGE_BYTES, LARGE_TEXT = 2_000_000_000, 2_000


@dataclass(frozen=True, slots=True)
class Said:
    """One made-up message."""

    number: int
    at: datetime
    person: int
    text: str


def story(messages: int, length: int = 0) -> Iterator[Said]:
    """Tell messages of the usual length, or of a longer one, in two languages, the same every time."""
    words = (
        "早安,今天下雨,记得带伞",
        "Are you home yet?",
        "好的",
        "New address: 18 Harbour Road, flat 502",
        "哈哈哈哈",
        "On the train",
    )
    for number in range(messages):
        text = f"{words[number % len(words)]} {number}"
        if length:
            text += f" and so on {number}" * (length // 20)
        yield Said(number + 1, START + timedelta(seconds=number * 97), number % 3, text)


def telegram_json(path: Path, messages: int, length: int = 0) -> None:
    """Write one chat as Telegram Desktop does."""
    with path.open("w", encoding="utf-8") as out:
        out.write('{"name": "Tea", "type": "private_supergroup", "id": 7, "messages": [\n')
        for said in story(messages, length):
            seconds = int(said.at.timestamp())
            record: dict[str, object] = {
                "id": said.number, "type": "message", "date": f"{said.at:%Y-%m-%dT%H:%M:%S}", "date_unixtime": str(seconds), "from": f"Person {said.person}",
                "from_id": f"user{said.person}", "text": said.text, "text_entities": [{"type": "plain", "text": said.text}],
            }  # fmt: skip
            out.write((",\n" if said.number > 1 else "") + json.dumps(record, ensure_ascii=False, indent=1))
        out.write("]}\n")


def whatsapp_text(path: Path, messages: int, length: int = 0) -> None:
    """Write one chat as WhatsApp on Android does."""
    with path.open("w", encoding="utf-8") as out:
        for said in story(messages, length):
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
    parser.add_argument("--large", action="store_true", help="also count exports of 2 GB, of longer messages")
    parser.add_argument("--peers", type=Path, help="a Python that has the peers")
    parser.add_argument("--json", type=Path, help="write the table here")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    print(line_of(HEAD), line_of(["---"] * len(HEAD)), sep="\n")
    rows: list[list[str]] = []
    for row in measured(asked):
        print(line_of(row), flush=True)
        rows.append(row)
    if asked.json is not None:
        asked.json.write_text(json.dumps({"head": HEAD, "rows": rows}, indent=1), "utf-8")


def measured(asked: argparse.Namespace) -> Iterator[list[str]]:
    """Write and count one export after the other, and give the rows of the table."""
    folder: Path = asked.work / "export"
    for name in asked.formats.split(","):
        file, write = FORMATS[name]
        folder.mkdir()
        write(folder / file, asked.messages)
        yield row_of(name, "backupkit", [sys.executable, "-c", COUNT], folder / file, asked.messages)
        for tool, peer in PEERS.get(name, {}).items() if asked.peers is not None else ():
            program = _PEER.format(**peer._asdict())
            yield row_of(name, tool, [str(asked.peers), "-c", program], folder / file, asked.messages)
        shutil.rmtree(folder)
    for name, write_long in (
        {"telegram-json": telegram_json, "whatsapp-text": whatsapp_text}.items() if asked.large else ()
    ):
        folder.mkdir()
        path = folder / FORMATS[name][0]
        write_long(path, 1_000, LARGE_TEXT)
        messages = LARGE_BYTES * 1_000 // path.stat().st_size
        write_long(path, messages, LARGE_TEXT)
        yield row_of(name, "backupkit", [sys.executable, "-c", COUNT], path, messages)
        shutil.rmtree(folder)


def row_of(name: str, tool: str, program: Sequence[str], path: Path, messages: int) -> list[str]:
    """Let a process of its own read one file, and return its row of the table."""
    done = subprocess.run([*program, str(path)], check=False, capture_output=True, text=True, cwd=path.parent)
    size = f"{path.stat().st_size / 1e6:,.0f}"
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return [name, tool, size, "failed", "", "", ""]
    found = json.loads(done.stdout.splitlines()[-1])
    told = f"{found['messages']:,}" if found["messages"] == messages else f"{found['messages']:,} of {messages:,}"
    memory = f"{found['memory'] / 1e6:,.0f}"
    return [name, tool, size, told, f"{found['cpu']:.1f}", f"{messages / found['cpu']:,.0f}", memory]


def line_of(cells: Sequence[str]) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
