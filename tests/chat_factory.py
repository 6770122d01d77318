"""Believable chat exports, the same for the same seed. Standard library only, so that the demo can use it too.

A longer history with the same seed begins with the shorter one: a second export of a later day is made by asking for
more messages.
"""

import json
import random
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2024, 3, 4, 8, 15, tzinfo=UTC)

_PEOPLE = {
    "zh": ["林晓雨", "王建国", "陈思远", "外婆", "李医生"],
    "en": ["Maya Lindqvist", "Tom Okafor", "Grandma Ruth", "Dr. Osei", "Priya"],
}
_GROUP = {"zh": "一家人", "en": "Family table"}
_SAID = {
    "zh": [
        "早安,今天下雨,记得带伞",
        "到家了吗?",
        "明天下午三点开会,地点没变",
        "外婆说饺子包好了,周末回来吃",
        "哈哈哈哈",
        "好的",
        "收据我拍给你了,报销用",
        "药一天三次,饭后吃",
        "你看这张照片,是爷爷年轻的时候",
        "新地址:和平路 18 号 3 单元 502",
        "生日快乐!🎂",
        "我在地铁上,信号不好",
        "“不急,慢慢来”\n她是这么说的",
        "转给你 ¥128.50,水电费",
    ],
    "en": [
        "Morning! It is raining, take an umbrella",
        "Are you home yet?",
        "The meeting is still at three, same room",
        "Grandma says the pie is ready, come on Sunday",
        "ha!",
        "OK",
        "I sent you the receipt for the refund",
        "One tablet three times a day, after meals",
        "Look at this one: granddad when he was young",
        "New address: 18 Harbour Road, flat 502",
        "Happy birthday! 🎂",
        "On the train, bad reception",
        '"No hurry, take your time"\nis what she said',
        "Sent you 128.50 for the bills",
    ],
}


@dataclass(frozen=True)
class Said:
    """One invented message."""

    number: int
    at: datetime
    person: int
    text: str
    photo: str | None
    photo_is_there: bool


@dataclass(frozen=True)
class Written:
    """What was written, counted while it was written."""

    path: Path
    messages: int
    conversations: int
    media: int
    media_missing: int


def story(seed: int, messages: int, *, language: str = "en", people: int = 3) -> Iterator[Said]:
    """Invent a conversation. Every message draws the same number of random values, so histories extend each other."""
    dice = random.Random(seed)
    at = START
    for number in range(1, messages + 1):
        wait, who, what, photo, there = (dice.random() for _ in range(5))
        at += timedelta(seconds=20 + int(wait**3 * 40_000))
        text = _SAID[language][int(what * len(_SAID[language]))]
        name = f"IMG-{at:%Y%m%d}-WA{number:04d}.jpg" if photo < 0.08 else None
        yield Said(number, at, int(who * people), text, name, there < 0.75)


def photo_bytes(seed: int, number: int) -> bytes:
    """Return bytes that look like a small photo and do not compress."""
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + random.Random(seed * 1_000_003 + number).randbytes(2_000) + b"\xff\xd9"


def people_of(language: str) -> list[str]:
    """Return the names used in a language."""
    return list(_PEOPLE[language])


def telegram_chat(
    seed: int, messages: int, *, language: str = "en", folder: Path | None = None, number: int = 1
) -> tuple[dict[str, object], int, int]:
    """Return one chat as Telegram Desktop writes it, its photos and how many of them are missing."""
    names = _PEOPLE[language]
    media = missing = 0
    records: list[dict[str, object]] = []
    for said in story(seed, messages, language=language):
        record: dict[str, object] = {
            "id": said.number,
            "type": "message",
            "date": said.at.strftime("%Y-%m-%dT%H:%M:%S"),
            "date_unixtime": str(int(said.at.timestamp())),
            "from": names[said.person],
            "from_id": f"user{1000 + said.person}",
            "text": said.text if said.number % 5 else [said.text, {"type": "bold", "text": "!"}],
            "text_entities": [{"type": "plain", "text": said.text}],
        }
        if said.number % 40 == 1:
            for key in ("from", "from_id"):
                del record[key]
            record |= {
                "type": "service",
                "actor": names[0],
                "actor_id": "user1000",
                "action": "pin_message",
                "text": "",
            }
        elif said.photo:
            media += 1
            path = f"photos/{said.photo}"
            if said.photo_is_there:
                if folder is not None:
                    target = folder / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(photo_bytes(seed, said.number))
            else:
                missing += 1
                path = "(File not included. Change data exporting settings to download.)"
            record |= {"photo": path, "width": 640, "height": 480}
        elif said.number % 17 == 0:
            record["reply_to_message_id"] = said.number - 1
        records.append(record)
    chat = {
        "name": _GROUP[language] if number == 1 else names[number % 5],
        "type": "private_supergroup",
        "id": 7000 + number,
    }
    return {**chat, "messages": records}, media, missing


def write_telegram_chat(folder: Path, *, seed: int = 1, messages: int = 200, language: str = "en") -> Written:
    """Write the export of one chat: `result.json` and `photos/`."""
    folder.mkdir(parents=True, exist_ok=True)
    chat, media, missing = telegram_chat(seed, messages, language=language, folder=folder)
    (folder / "result.json").write_text(json.dumps(chat, ensure_ascii=False, indent=1), "utf-8")
    return Written(folder, messages, 1, media, missing)


def write_telegram_account(
    folder: Path, *, seed: int = 1, chats: int = 3, messages: int = 100, language: str = "en"
) -> Written:
    """Write the export of a whole account with `messages` in each chat."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [
        telegram_chat(seed + number, messages, language=language, folder=folder, number=number)
        for number in range(1, chats + 1)
    ]
    account = {
        "about": "Here is the data you requested.",
        "personal_information": {"user_id": 1000, "first_name": _PEOPLE[language][0], "phone_number": "+10000000"},
        "contacts": {"about": "", "list": [{"first_name": name} for name in _PEOPLE[language]]},
        "chats": {"about": "", "list": [chat for chat, _media, _missing in made]},
    }
    (folder / "result.json").write_text(json.dumps(account, ensure_ascii=False, indent=1), "utf-8")
    media, missing = sum(part[1] for part in made), sum(part[2] for part in made)
    return Written(folder, chats * messages, chats, media, missing)


def whatsapp_text(seed: int, messages: int, *, language: str = "en", style: str = "android") -> tuple[str, list[Said]]:
    """Return the text of a WhatsApp export and the messages whose photos must lie beside it."""
    names = _PEOPLE[language]
    attached = []
    lines = []
    for said in story(seed, messages, language=language):
        head = f"{said.at:%d/%m/%Y, %H:%M} - " if style == "android" else f"[{said.at:%d/%m/%Y, %H:%M:%S}] "
        if said.number == 1:
            notice = "Messages and calls are end-to-end encrypted. No one outside of this chat can read them. WhatsApp"
            lines.append(head + (notice if style == "android" else f"{_GROUP[language]}: \u200e{notice}"))
            continue
        text = said.text
        mark = ""
        if said.photo:
            if said.photo_is_there:
                attached.append(said)
            if style == "android":
                text = f"{said.photo} (file attached)" if said.photo_is_there else "<Media omitted>"
            else:
                mark = "\u200e"
                text = f"\u200e<attached: {said.photo}>" if said.photo_is_there else "\u200eimage omitted"
        lines.append(f"{mark}{head}{names[said.person]}: {text}")
    end = "\n" if style == "android" else "\r\n"
    return "".join(line + end for line in lines), attached


def _photos(seed: int, messages: int, language: str) -> tuple[int, int]:
    photos = [said for said in story(seed, messages, language=language) if said.photo and said.number > 1]
    return len(photos), sum(not said.photo_is_there for said in photos)


def write_whatsapp_android(folder: Path, *, seed: int = 2, messages: int = 200, language: str = "en") -> Written:
    """Write an Android export: the text file and its photos beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    text, attached = whatsapp_text(seed, messages, language=language)
    (folder / f"WhatsApp Chat with {_GROUP[language]}.txt").write_text(text, "utf-8")
    for said in attached:
        (folder / str(said.photo)).write_bytes(photo_bytes(seed, said.number))
    return Written(folder, messages, 1, *_photos(seed, messages, language))


def write_whatsapp_iphone(path: Path, *, seed: int = 3, messages: int = 200, language: str = "en") -> Written:
    """Write an iPhone export: a zip with `_chat.txt` and its photos."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text, attached = whatsapp_text(seed, messages, language=language, style="iphone")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("_chat.txt", (2024, 3, 4, 8, 15, 0)), text.encode("utf-8"))
        for said in attached:
            info = zipfile.ZipInfo(str(said.photo), (2024, 3, 4, 8, 15, 0))
            archive.writestr(info, photo_bytes(seed, said.number))
    return Written(path, messages, 1, *_photos(seed, messages, language))


def write_chat_database(path: Path, *, seed: int = 4, messages: int = 200, language: str = "en") -> Written:
    """Write a plain SQLite database in the shape of WhatsApp's `msgstore.db`, in WAL mode like the app's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(_MSGSTORE)
    names = _PEOPLE[language]
    for number, _name in enumerate(names, 1):
        raw = f"8613800000{number}@s.whatsapp.net"
        connection.execute("insert into jid values (?,?,?,?)", (number, f"8613800000{number}", "s.whatsapp.net", raw))
    connection.execute("insert into jid values (50, 'g1', 'g.us', 'g1@g.us')")
    connection.execute("insert into chat values (1, 50, ?, 0)", (_GROUP[language],))
    connection.commit()
    connection.close()
    return extend_chat_database(path, seed=seed, messages=messages, language=language)


def extend_chat_database(path: Path, *, seed: int = 4, messages: int = 200, language: str = "en") -> Written:
    """Add the messages that a database of `write_chat_database` does not hold yet."""
    connection = sqlite3.connect(path)
    (known,) = connection.execute("select coalesce(max(_id), 0) from message").fetchone()
    media = missing = 0
    for said in story(seed, messages, language=language):
        media += said.photo is not None
        missing += said.photo is not None
        if said.number <= known:
            continue
        ms = int(said.at.timestamp() * 1000)
        row = (
            said.number, 1, int(said.person == 0), f"3EB0{seed:04X}{said.number:08X}", 0 if said.person == 0 else said.person + 1,
            ms, ms + 900, 1 if said.photo else 0, None if said.photo else said.text, said.number,
        )  # fmt: skip
        connection.execute("insert into message values (?,?,?,?,?,?,?,?,?,?)", row)
        if said.photo:
            media_row = (said.number, 1, f"Media/WhatsApp Images/{said.photo}", "image/jpeg", 2013)
            connection.execute("insert into message_media values (?,?,?,?,?)", media_row)
    connection.commit()
    connection.close()
    return Written(path, messages, 1, media, missing)


_MSGSTORE = """
pragma page_size = 4096;
pragma journal_mode = wal;
create table jid (_id integer primary key autoincrement, user text, server text, raw_string text);
create table chat (_id integer primary key autoincrement, jid_row_id integer unique, subject text, hidden integer);
create table message (
    _id integer primary key autoincrement, chat_row_id integer not null, from_me integer not null, key_id text not null,
    sender_jid_row_id integer, timestamp integer, received_timestamp integer, message_type integer, text_data text,
    sort_id integer not null default 0
);
create table message_media (
    message_row_id integer primary key, chat_row_id integer, file_path text, mime_type text, file_length integer
);
create unique index message_key_index on message (chat_row_id, from_me, key_id, sender_jid_row_id);
create index message_sort_index on message (chat_row_id, sort_id);
"""


def write_plain_database(path: Path, *, seed: int = 5, messages: int = 2000, language: str = "en") -> int:
    """Write a plain chat database of no known app, with an index and in WAL mode. Returns its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = wal")
    connection.execute("create table entries (n integer primary key, at integer, who text, body text)")
    connection.execute("create index entries_at on entries (at)")
    rows = [
        (said.number, int(said.at.timestamp()), _PEOPLE[language][said.person], said.text)
        for said in story(seed, messages, language=language)
    ]
    connection.executemany("insert into entries values (?,?,?,?)", rows)
    connection.commit()
    connection.close()
    return len(rows)


def make_demo_phone(folder: Path, *, seed: int = 1, language: str = "zh") -> Written:
    """Make what the demo backs up: the export of a whole account, and beside it the app's live database."""
    write_plain_database(folder / "databases" / "chat.db", seed=seed, language=language)
    return write_telegram_account(folder, seed=seed, chats=4, messages=300, language=language)
