"""Exports of any length in every text format: each message with words, a time and mostly a sender of its own.

What a damage cost can be said only where messages are told apart; `chat_samples.py` has the oddities, these have the length.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from chat_samples import (
    CHATLAB_HEAD,
    CHATLAB_MEMBERS,
    HANGOUTS_ABOUT,
    META_PEOPLE,
    PYWXDUMP_COLUMNS,
    SIGNAL_PEOPLE,
    discord_channel,
    discord_message,
    discord_page,
    discord_words,
    element_day,
    element_entry,
    element_page,
    element_words,
    hangouts_event,
    imessage_page,
    memotrace_page,
    meta_block,
    meta_page,
    qq_exported,
    qq_exporter_facts,
    qq_exporter_lines,
    qq_mht_date,
    qq_mht_heading,
    qq_mht_page,
    qq_mht_row,
    telegram_entry,
    telegram_page,
    whatsapp_exported,
    whatsapp_exporter_chat,
    whatsapp_in_telegrams_shape,
    whatsapp_page,
    whatsapp_page_day,
    whatsapp_page_said,
)

Make: TypeAlias = Callable[[int], tuple[str, bytes]]
"""Makes an export with so many messages: the name of its file, and its bytes."""

LONG: dict[str, Make] = {}
"""By format, and what tells several of one format apart."""

_START = datetime(2023, 1, 16, 16, 0, 7, tzinfo=UTC)
_SECONDS = 1_673_020_807
_NAMES = ("Zoë", "外婆", "Li")


def long(name: str) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        LONG[name] = make
        return make

    return register


def _at(number: int) -> datetime:
    return _START + timedelta(minutes=number)


def _name(number: int) -> str:
    return _NAMES[number % 3]


def _said(number: int) -> str:
    return f"word {number} 早安 " + "tea " * (number % 5)


def _json(value: object, indent: int | None = 1) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=indent).encode()


def _lines(values: Sequence[object]) -> bytes:
    return b"".join(_json(value, None) + b"\n" for value in values)


def _text(lines: list[str], end: str = "\n") -> bytes:
    return "".join(line + end for line in lines).encode()


def _telegram(number: int) -> dict[str, object]:
    return {
        "id": number, "type": "message", "date": f"{_at(number):%Y-%m-%dT%H:%M:%S}", "date_unixtime": str(_SECONDS + 60 * number),
        "from": _name(number), "from_id": f"user{number % 3}", "text": _said(number), "text_entities": [{"type": "plain", "text": _said(number)}],
    }  # fmt: skip


@long("telegram-json")
def telegram(messages: int) -> tuple[str, bytes]:
    half = messages // 2
    chats = [
        {"name": _name(chat), "type": "private_group", "id": chat, "messages": list(map(_telegram, numbers))}
        for chat, numbers in enumerate((range(1, half + 1), range(half + 1, messages + 1)), 1)
    ]
    return "result.json", _json({"personal_information": {"user_id": 1}, "chats": {"list": chats}})


@long("telegram-json on one line")
def telegram_line(messages: int) -> tuple[str, bytes]:
    chat = {"name": "Tea", "type": "private_group", "id": 1, "messages": [_telegram(n + 1) for n in range(messages)]}
    return "result.json", json.dumps(chat).encode()


@long("telegram-html")
def telegram_pages(messages: int) -> tuple[str, bytes]:
    entries = (
        telegram_entry(n + 1, _said(n), sender=_name(n), when=f"{_at(n):%d.%m.%Y %H:%M:%S} UTC+03:00")
        for n in range(messages)
    )
    return "messages.html", telegram_page(*entries)


@long("whatsapp-text")
def whatsapp_android(messages: int) -> tuple[str, bytes]:
    return "WhatsApp Chat with Li.txt", _text(
        [f"{_at(n):%d/%m/%Y, %H:%M} - {_name(n)}: {_said(n)}\nsecond {n}" for n in range(messages)]
    )


@long("whatsapp-text iphone")
def whatsapp_iphone(messages: int) -> tuple[str, bytes]:
    return "_chat.txt", _text(
        [f"[{_at(n):%d.%m.%y, %H:%M:%S}] {_name(n)}: {_said(n)}" for n in range(messages)], "\r\n"
    )


@long("discord-json")
def discord(messages: int) -> tuple[str, bytes]:
    channel = discord_channel(messages)
    records = channel["messages"]
    assert isinstance(records, list)
    for number, record in enumerate(records):
        record["timestamp"] = f"{_at(number):%Y-%m-%dT%H:%M:%S}.414+00:00"
    return "general.json", _json(channel, 2)


@long("discord-csv")
def discord_csv(messages: int) -> tuple[str, bytes]:
    rows = [
        f'"{n % 3}","{_name(n)}","{_at(n):%Y-%m-%dT%H:%M:%S}.4140000+00:00","{_said(n)}, ""you""\nand {n}","",""'
        for n in range(messages)
    ]
    return "Guild - Text - general [1012224565567721552].csv", _text(
        ["AuthorID,Author,Date,Content,Attachments,Reactions", *rows]
    )


@long("discord-text")
def discord_text(messages: int) -> tuple[str, bytes]:
    rule = "=" * 62
    said = [f"[{_at(n):%m/%d/%Y %I:%M %p}] {_name(n)}\n{_said(n)}\n" for n in range(messages)]
    head = [rule, "Guild: Garden", "Channel: Text / tea", rule, ""]
    return "Garden - Text - tea [1012224565567721552].txt", _text(
        [*head, *said, rule, f"Exported {messages} message(s)", rule, ""]
    )


@long("discord-html")
def discord_html(messages: int) -> tuple[str, bytes]:
    first = 1060953753550860429
    groups = (
        discord_message(first + (n * 60_000 << 22), discord_words(_said(n)), sender=_name(n)) for n in range(messages)
    )
    return "Garden - Text - tea [1012224565567721552].html", discord_page(*groups, written=messages)


@long("discord-package json")
def discord_package(messages: int) -> tuple[str, bytes]:
    return "messages.json", _json([
        {"ID": 1060953753550860429 + n, "Timestamp": f"{_at(n):%Y-%m-%d %H:%M:%S}", "Contents": _said(n), "Attachments": ""}
        for n in range(messages)
    ])  # fmt: skip


@long("discord-package csv")
def discord_package_csv(messages: int) -> tuple[str, bytes]:
    rows = [f'{n},{_at(n):%Y-%m-%d %H:%M:%S}.000000+00:00,"{_said(n)} ""b""\nc",' for n in range(messages)]
    return "messages.csv", _text(["ID,Timestamp,Contents,Attachments", *rows])


def _thread(messages: int, folder: str) -> dict[str, object]:
    records = [
        {
            "sender_name": _name(n).encode().decode("latin-1"),
            "timestamp_ms": _SECONDS * 1000 + n,
            "content": f"word {n}",
        }
        for n in range(messages, 0, -1)
    ]
    records[-1]["photos"] = [{"uri": f"{folder}/messages/inbox/zoe_1/photos/1.jpg", "creation_timestamp": 1}]
    people = [{"name": name.encode().decode("latin-1")} for name in _NAMES]
    return {"participants": people, "messages": records, "title": "Li", "thread_path": "inbox/zoe_1", "magic_words": []}


@long("facebook-json")
def facebook(messages: int) -> tuple[str, bytes]:
    thread = _thread(messages, "your_facebook_activity")
    return "message_1.json", json.dumps(thread, indent=2).encode()


@long("facebook-json sealed chat")
def facebook_sealed(messages: int) -> tuple[str, bytes]:
    records = [
        {"isUnsent": False, "media": [], "reactions": [], "senderName": _name(n), "text": _said(n), "timestamp": _SECONDS * 1000 + n, "type": "text"}
        for n in range(messages)
    ]  # fmt: skip
    return "Zoe_12.json", _json({"participants": list(_NAMES), "threadName": "Zoë_12", "messages": records}, 2)


@long("instagram-json")
def instagram(messages: int) -> tuple[str, bytes]:
    thread = _thread(messages, "your_instagram_activity")
    return "message_1.json", json.dumps(thread, indent=2).encode()


@long("instagram-json inbox")
def instagram_inbox(messages: int) -> tuple[str, bytes]:
    said = [
        {"sender": _name(n), "created_at": f"{_at(n):%Y-%m-%dT%H:%M:%S}+00:00", "text": _said(n)}
        for n in range(messages)
    ]
    half = messages // 2
    threads = [("tom", said[:half]), ("zoe", said[half:])]
    return "messages.json", _json(
        [{"participants": ["li", other], "conversation": talk} for other, talk in threads], None
    )


@long("facebook-html")
def facebook_html(messages: int) -> tuple[str, bytes]:
    link = '<a href="your_facebook_activity/messages/inbox/zoe_1/photos/1.jpg">a</a>'
    return "message_1.html", meta_page(
        *(
            meta_block(_name(n), _said(n), f"{_at(n):%b %d, %Y, %I:%M:%S %p}", more=link if not n else "")
            for n in range(messages)
        )
    )


@long("instagram-html")
def instagram_html(messages: int) -> tuple[str, bytes]:
    blocks = (
        meta_block(_name(n), _said(n), f"{_at(n):%b %d, %Y %I:%M %p}".lower().capitalize(), generation=2024)
        for n in range(messages)
    )
    return "message_1.html", meta_page(
        *blocks, frame='<a href="https://www.instagram.com/li">li</a>', people=META_PEOPLE
    )


@long("slack-export json")
def slack(messages: int) -> tuple[str, bytes]:
    return "2016-01-14.json", _json(_slack(messages), 4)


def _slack(messages: int) -> list[dict[str, object]]:
    return [
        {"type": "message", "user": f"U{n % 3}", "text": _said(n), "ts": f"{_SECONDS + 60 * n}.000002"}
        for n in range(messages)
    ]


@long("slack-dump")
def slack_dump(messages: int) -> tuple[str, bytes]:
    return "C0123ABCD.json", _json({"channel_id": "C0123ABCD", "name": "general", "messages": _slack(messages)})


@long("chatlab-json")
def chatlab(messages: int) -> tuple[str, bytes]:
    return "tea.json", _json({**CHATLAB_HEAD, "members": CHATLAB_MEMBERS, "messages": _chatlab(messages)})


def _chatlab(messages: int) -> list[dict[str, object]]:
    return [
        {"platformMessageId": f"m{n}", "sender": str(1 + n % 2), "accountName": ["Li", "外婆"][n % 2], "timestamp": _SECONDS + n, "type": 0, "content": _said(n)}
        for n in range(messages)
    ]  # fmt: skip


@long("chatlab-json lines")
def chatlab_lines(messages: int) -> tuple[str, bytes]:
    members: list[dict[str, object]] = [{"_type": "member", **member} for member in CHATLAB_MEMBERS]
    said = [{"_type": "message", **message} for message in _chatlab(messages)]
    return "tea.jsonl", _lines([{"_type": "header", **CHATLAB_HEAD}, *members, *said])


@long("whatsapp-exporter-html")
def whatsapp_exporter_html(messages: int) -> tuple[str, bytes]:
    said = [
        (whatsapp_page_day(f"{_at(n):%Y-%m-%d}") if n == 0 or _at(n).date() != _at(n - 1).date() else "")
        + whatsapp_page_said(n, _said(n), sender=_name(n), clock=f"{_at(n):%H:%M}")
        for n in range(messages)
    ]
    return "Trip.html", whatsapp_page(*said, title="Trip")


@long("whatsapp-exporter chats")
def whatsapp_exporter_chats(messages: int) -> tuple[str, bytes]:
    said = [whatsapp_exported(n, _said(n), sender=_name(n)) for n in range(messages)]
    return "result.json", _json({"12-34@g.us": whatsapp_exporter_chat("Trip", *said)})


@long("whatsapp-exporter telegram")
def whatsapp_exporter(messages: int) -> tuple[str, bytes]:
    said = [(_name(n), "00000" if n % 2 else "86138", _said(n)) for n in range(messages)]
    return "Trip.json", _json(whatsapp_in_telegrams_shape("Trip", "private_group", 1234, *said))


@long("signal-jsonl")
def signal_jsonl(messages: int) -> tuple[str, bytes]:
    items: list[dict[str, object]] = [
        {"chatItem": {"chatId": "1", "authorId": "2", "dateSent": str(_SECONDS * 1000 + n), "incoming": {"dateReceived": "1"},
                      "standardMessage": {"text": {"body": _said(n)}}}}
        for n in range(messages)
    ]  # fmt: skip
    return "main.jsonl", _lines([*SIGNAL_PEOPLE, *items])


@long("signal-desktop-json")
def signal_desktop_json(messages: int) -> tuple[str, bytes]:
    return "Li (+4915100000).json", _json([
        {"id": f"m{n}", "conversationId": "c1", "sourceServiceId": "u2", "sent_at": _SECONDS * 1000 + n, "received_at": 7, "schemaVersion": 14,
         "type": "incoming", "body": _said(n)}
        for n in range(messages)
    ])  # fmt: skip


@long("google-chat json")
def google_chat(messages: int) -> tuple[str, bytes]:
    return "messages.json", _json({"messages": [
        {"creator": {"name": _name(n), "email": f"{n % 3}@example.org", "user_type": "Human"},
         "created_date": f"{_at(n):%A, %B %d, %Y at %I:%M:%S}\u202f{_at(n):%p} UTC", "text": _said(n), "topic_id": f"t{n}", "message_id": f"g1/t{n}/t{n}"}
        for n in range(messages)
    ]}, 2)  # fmt: skip


@long("hangouts-json")
def hangouts(messages: int) -> tuple[str, bytes]:
    about = {"conversation_id": {"id": "Ug1"}, "conversation": {"id": {"id": "Ug1"}, **HANGOUTS_ABOUT}}
    events = list(map(hangouts_event, range(messages)))
    return "Hangouts.json", _json({"conversations": [{"conversation": about, "events": events}]}, 2)


@long("line-text")
def line(messages: int) -> tuple[str, bytes]:
    lines = ["[LINE] 花子とのトーク履歴", "保存日時：2026/11/20 21:05"]
    for n in range(messages):
        if n % 40 == 0:
            lines += ["", f"{_at(n):%Y/%m/%d}({'月火水木金土日'[_at(n).weekday()]})"]
        lines.append(f"{_at(n):%H:%M}\t{_name(n)}\t{_said(n)}")
    return "[LINE]花子.txt", _text(lines, "\r\n")


@long("signal-text")
def signal_text(messages: int) -> tuple[str, bytes]:
    return "chat.md", _text(
        [f"[{_at(n):%Y-%m-%d %H:%M:%S}] {_name(n)}: {_said(n)}\n\nmore {n}\n(- Li: 👍 -)" for n in range(messages)]
    )


@long("signal-sigtop blocks")
def sigtop(messages: int) -> tuple[str, bytes]:
    lines = ["Conversation: Zoë (+15550100)", ""]
    for n in range(messages):
        lines += [
            f"From: {_name(n)} (+1555010{n % 3})",
            "Type: incoming",
            f"Sent: {_at(n):%a, %d %b %Y %H:%M:%S} +0100",
            "",
            _said(n),
            "",
        ]
    return "Zoe.txt", _text(lines)


@long("signal-sigtop lines")
def sigtop_short(messages: int) -> tuple[str, bytes]:
    return "Zoe.txt", _text(
        [f"{_at(n):%Y-%m-%d %H:%M} {_name(n) if n % 3 else 'You'}: {_said(n)}" for n in range(messages)]
    )


@long("signal-tools-text")
def signal_tools(messages: int) -> tuple[str, bytes]:
    return "Zoe (_id3).txt", _text([f"[{_at(n):%b %d, %Y %H:%M:%S}] <{_name(n)}> {_said(n)}" for n in range(messages)])


@long("imessage-text")
def imessage_text(messages: int) -> tuple[str, bytes]:
    lines = []
    for n in range(messages):
        lines += [f"{_at(n):%b %d, %Y  %I:%M:%S %p}", _name(n), _said(n), ""]
    return "+4915100000.txt", _text(lines)


@long("imessage-html")
def imessage_html(messages: int) -> tuple[str, bytes]:
    entries = (
        f'<div class="message">\n<div class="received">\n<p><span class="timestamp"><a title="Reveal in Messages app" href="sms://open?message-guid=G-{n}">'
        f'{_at(n):%b %d, %Y  %I:%M:%S %p}</a> </span>\n<span class="sender">{_name(n)}</span></p>\n'
        f'<hr><div class="message_part">\n<span class="bubble">{_said(n)}</span>\n</div>\n</div>\n</div>\n'
        for n in range(messages)
    )
    return "Tea - 7.html", imessage_page(*entries)


@long("kakaotalk-text windows")
def kakao_windows(messages: int) -> tuple[str, bytes]:
    lines = ["민수 님과 카카오톡 대화", "저장한 날짜 : 2026-04-25 15:20:11", ""]
    for n in range(messages):
        if n % 40 == 0:
            day = _at(n)
            lines.append(
                f"--------------- {day.year}년 {day.month}월 {day.day}일 {'월화수목금토일'[day.weekday()]}요일 ---------------"
            )
        lines.append(f"[{_name(n)}] [{'오전' if _at(n).hour < 12 else '오후'} {_at(n):%I:%M}] {_said(n)}")
    return "KakaoTalk.txt", _text(lines, "\r\n")


@long("kakaotalk-text android")
def kakao_android(messages: int) -> tuple[str, bytes]:
    lines = ["민수 님과 카카오톡 대화", "저장한 날짜 : 2026년 4월 25일 오후 4:00", "", ""]
    for n in range(messages):
        day = _at(n)
        half = "오전" if day.hour < 12 else "오후"
        lines.append(f"{day.year}년 {day.month}월 {day.day}일 {half} {day:%I:%M}, {_name(n)} : {_said(n)}")
    return "KakaoTalkChats.txt", _text(lines)


@long("kakaotalk-text csv")
def kakao_csv(messages: int) -> tuple[str, bytes]:
    return "KakaoTalk_Chat.csv", _text(
        [
            "Date,User,Message",
            *(f'{_at(n):%Y-%m-%d %H:%M:%S},"{_name(n)}","{_said(n)}\n둘째 {n}"' for n in range(messages)),
        ]
    )


@long("wechat-memotrace-text")
def memotrace_text(messages: int) -> tuple[str, bytes]:
    quoted = dict.fromkeys(range(5, messages, 20), "\n引用:Li:早")
    said = [f"{_at(n):%Y-%m-%d %H:%M:%S} {_name(n)}\n{_said(n)}{quoted.get(n, '')}\n" for n in range(messages)]
    return "外婆.txt", _text(said, "\n")


@long("qq-exporter-text")
def qq_exporter_text(messages: int) -> tuple[str, bytes]:
    said = [f"{_name(n)}:\n时间: {_at(n):%Y-%m-%d %H:%M:%S}\n内容: {_said(n)}" for n in range(messages)]
    return "一家人.txt", _text(qq_exporter_lines(messages, *said), "\n")


@long("qq-text")
def qq(messages: int) -> tuple[str, bytes]:
    head = [
        "消息记录（此消息记录为文本格式，不支持重新导入）",
        "",
        "=" * 64,
        "消息分组:我的好友",
        "=" * 64,
        "消息对象:小明",
        "=" * 64,
        "",
    ]
    said = [f"{_at(n):%Y-%m-%d %H:%M:%S} {_name(n)}(1008600{n % 3})\n{_said(n)}\n" for n in range(messages)]
    return "全部消息记录.txt", _text([*head, *said], "\n")


@long("qq-mht")
def qq_mht(messages: int) -> tuple[str, bytes]:
    rows = []
    for n in range(messages):
        if n % 40 == 0:
            rows.append(qq_mht_date(f"{_at(n):%Y-%m-%d}"))
        rows.append(qq_mht_row(_name(n), f"{_at(n):%H:%M:%S}", _said(n)))
    return "小明.mht", qq_mht_page(qq_mht_heading("消息分组:我的好友"), qq_mht_heading("消息对象:小明"), *rows)


@long("qq-exporter json")
def qq_exporter(messages: int) -> tuple[str, bytes]:
    said = [
        {
            **qq_exported(n),
            "timestamp": f"{_at(n):%Y-%m-%dT%H:%M:%S}.000Z",
            "content": {"text": _said(n), "resources": []},
        }
        for n in range(messages)
    ]
    return "group.json", _json({**qq_exporter_facts(messages), "messages": said}, 2)


@long("sms-xml")
def sms(messages: int) -> tuple[str, bytes]:
    said = [
        f'  <sms protocol="0" address="+86138{n % 3}" date="{_SECONDS * 1000 + n}" type="1" subject="null" body="{_said(n)}&#10;two" contact_name="{_name(n)}" />'
        for n in range(messages)
    ]
    head = "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>"
    return "sms.xml", _text([head, f'<smses count="{messages}" backup_set="x" type="full">', *said, "</smses>"])


@long("google-voice")
def google_voice(messages: int) -> tuple[str, bytes]:
    said = [
        f'<div class="message"><abbr class="dt" title="{_at(n):%Y-%m-%dT%H:%M:%S}.915-07:00">x</abbr>:\n'
        f'<cite class="sender vcard"><a class="tel" href="tel:+173{n % 3}"><span class="fn">{_name(n)}</span></a></cite>:\n<q>{_said(n)}</q>\n</div>'
        for n in range(messages)
    ]
    head = ['<?xml version="1.0" ?>', "<html><head><title>Ada</title></head>", '<body><div class="hChatLog hfeed">']
    return "Ada - Text - 2023-09-20T00_54_54Z.html", _text([*head, *said, "</div></body></html>"])


@long("matrix-json")
def matrix(messages: int) -> tuple[str, bytes]:
    events = [
        {"type": "m.room.message", "event_id": f"$e{n}", "sender": f"@{n % 3}:example.org", "origin_server_ts": _SECONDS * 1000 + n,
         "room_id": "!r:example.org", "content": {"msgtype": "m.text", "body": _said(n)}, "unsigned": {}}
        for n in range(messages)
    ]  # fmt: skip
    facts = {
        "room_name": "Tea",
        "room_creator": "@0:example.org",
        "topic": "",
        "export_date": "x",
        "exported_by": "@0:example.org",
    }
    return "export.json", _json({**facts, "messages": events}, 4)


@long("matrix-html")
def matrix_html(messages: int) -> tuple[str, bytes]:
    entries = []
    for n in range(messages):
        if not n or _at(n).day != _at(n - 1).day:
            entries.append(element_day(f"{_at(n):%a, %b %-d, %Y}"))
        entries.append(element_entry(n, f"{_at(n):%H:%M}", element_words(_said(n)), sender=_name(n)))
    return "messages.html", element_page(*entries)


@long("matrix-text")
def matrix_text(messages: int) -> tuple[str, bytes]:
    lines = [f"{_at(0):%m/%d/%Y, %I:%M:%S %p} - ada joined the room"]
    lines += [f"{_at(n):%m/%d/%Y, %I:%M:%S %p} - {_name(n)}: {_said(n)}" for n in range(1, messages)]
    return "matrix-Tea-export-Jan-13-2023-10.30.00.txt", _text(lines)


@long("skype-json")
def skype(messages: int) -> tuple[str, bytes]:
    texts = [
        {"id": str(_SECONDS * 1000 + n), "displayName": None, "originalarrivaltime": f"{_at(n):%Y-%m-%dT%H:%M:%S}.123Z", "messagetype": "RichText",
         "version": 1, "content": _said(n), "conversationid": "8:ada", "from": f"8:{n % 3}", "properties": None}
        for n in range(messages)
    ]  # fmt: skip
    half = messages // 2
    chats: list[dict[str, object]] = [
        {"id": key, "displayName": key, "version": 1.0, "properties": {}, "threadProperties": None, "MessageList": said}
        for key, said in (("8:ada", texts[:half]), ("8:tom", texts[half:]))
    ]
    return "messages.json", _json({"userId": "8:1", "exportDate": "2025-05-01T00:00", "conversations": chats}, None)


@long("wechat-weflow json")
def weflow(messages: int) -> tuple[str, bytes]:
    said = [
        {"localId": n, "createTime": _SECONDS + n, "formattedTime": "x", "type": "文本消息", "localType": 1, "content": _said(n), "isSend": n % 2,
         "senderUsername": f"wxid_{n % 2}", "senderDisplayName": _name(n % 2), "source": ""}
        for n in range(1, messages + 1)
    ]  # fmt: skip
    session = {
        "wxid": "wxid_0",
        "nickname": "b",
        "displayName": "外婆",
        "type": "私聊",
        "lastTimestamp": _SECONDS + messages,
        "messageCount": messages,
    }
    about = {"version": "1.0.3", "exportedAt": 1, "generator": "WeFlow"}
    return "外婆.json", _json({"weflow": about, "session": session, "messages": said}, 2)


@long("wechat-chatlog json")
def chatlog(messages: int) -> tuple[str, bytes]:
    return "chatlog.json", _json([
        {"seq": (_SECONDS + n) * 1000, "time": f"{_at(n):%Y-%m-%dT%H:%M:%S}+08:00", "talker": "g1@chatroom", "talkerName": "一家人", "isChatRoom": True,
         "sender": f"wxid_{n % 3}", "senderName": _name(n), "isSelf": n % 2 == 0, "type": 1, "subType": 0, "content": _said(n)}
        for n in range(messages)
    ], None)  # fmt: skip


@long("wechat-memotrace whole")
def memotrace(messages: int) -> tuple[str, bytes]:
    rows = [
        f'{n},3,1,0,{n % 2},{_SECONDS + 60 * n},,"{_said(n)},\n外婆",{_at(n):%Y-%m-%d %H:%M:%S},外婆,b,{_name(n)}'
        for n in range(messages)
    ]
    head = "localId,TalkerId,Type,SubType,IsSender,CreateTime,Status,StrContent,StrTime,Remark,NickName,Sender"
    return "messages.csv", b"\xef\xbb\xbf" + _text([head, *rows])


@long("wechat-memotrace one")
def memotrace_one(messages: int) -> tuple[str, bytes]:
    rows = [f"{88000 + n},文本,{_name(n)},{_at(n):%Y-%m-%d %H:%M:%S},{_said(n)},外婆,b," for n in range(messages)]
    return "外婆.csv", _text(["消息ID,类型,发送人,时间,内容,备注,昵称,更多信息", *rows])


@long("wechat-memotrace-html")
def memotrace_html(messages: int) -> tuple[str, bytes]:
    said = (
        f"{{ type:1, text: '{_said(n)}',is_send:{int(n % 3 == 0)},avatar_path:'./avatar/wxid_{n % 3}.png',"
        f"timestamp:{_SECONDS + 60 * n},is_chatroom:1,displayname:'{_name(n)}'}},"
        for n in range(messages)
    )
    return "一家人.html", memotrace_page(*said, title="一家人")


@long("wechat-chatlog-csv")
def chatlog_csv(messages: int) -> tuple[str, bytes]:
    rows = [
        f"{_SECONDS * 1000 + n},{_at(n):%Y-%m-%d %H:%M:%S},{_name(n)},wxid_{n % 3},外婆,wxid_1,{_said(n)}"
        for n in range(messages)
    ]
    head = "MessageID,Time,SenderName,Sender,TalkerName,Talker,Content"
    return "wxid_1_2023-11-15_2023-11-16.csv", _text([head, *rows])


@long("wechat-pywxdump csv")
def pywxdump_csv(messages: int) -> tuple[str, bytes]:
    rows = [
        f"{n},{88000 + n},文本,{int(n % 3 == 0)},{'我' if n % 3 == 0 else f'wxid_{n % 3}'},1@chatroom,{_said(n)},,{_at(n):%Y-%m-%d %H:%M:%S}"
        for n in range(messages)
    ]
    return "1@chatroom_0_5000.csv", _text([PYWXDUMP_COLUMNS, *rows])


@long("wechat-pywxdump json")
def pywxdump_json(messages: int) -> tuple[str, bytes]:
    said = [
        {"id": n, "MsgSvrID": str(88000 + n), "type_name": "文本", "is_sender": int(n % 3 == 0), "talker": f"wxid_{n % 3}", "room_name": "1@chatroom",
         "msg": _said(n), "src": "", "extra": {}, "CreateTime": f"{_at(n):%Y-%m-%d %H:%M:%S}"}
        for n in range(messages)
    ]  # fmt: skip
    return "1@chatroom_0_9.json", _json(said, 4)
