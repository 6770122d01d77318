"""One small export of every format, generated, for tests that hold for all of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from chat_factory import telegram_chat, whatsapp_text

Make: TypeAlias = Callable[[Path], tuple[str, bytes]]
SAMPLES: dict[str, Make] = {}


def sample(name: str) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        SAMPLES[name] = make
        return make

    return register


@sample("telegram-json")
def telegram(_folder: Path) -> tuple[str, bytes]:
    chat, _media, _missing = telegram_chat(1, 40, language="zh")
    account = {"personal_information": {"user_id": 1000}, "chats": {"list": [chat, {**chat, "id": 2}]}}
    return "result.json", json.dumps(account, ensure_ascii=False, indent=1).encode()


def telegram_page(*messages: str, before: str = "", after: str = "", title: str = "Li &amp; Co") -> bytes:
    """Return a page as Telegram Desktop writes it."""
    return f"""<!DOCTYPE html>
<html>
 <head>
  <meta charset="utf-8"/>
<title>Exported Data</title>
  <link href="css/style.css" rel="stylesheet"/>
 </head>
 <body onload="CheckLocation();">
  <div class="page_wrap">
   <div class="page_header">
    <div class="content">
     <div class="text bold">
{title}
     </div>
    </div>
   </div>
   <div class="page_body chat_page">
    <div class="history">
{before}
{"".join(messages)}
{after}
    </div>
   </div>
  </div>
 </body>
</html>
""".encode()


def telegram_entry(number: int, said: str, *, sender: str | None = "Li", inside: str = "", when: str = "") -> str:
    """Return one message of such a page; without a sender it is joined to the one before."""
    when = when or f"15.12.2018 20:11:{number % 60:02} UTC+03:00"
    name = f'<div class="from_name">\n{sender} \n       </div>' if sender else ""
    picture = '<div class="pull_left userpic_wrap"><div class="userpic userpic4"><div class="initials">\nL\n</div></div></div>'
    text = f'<div class="text">\n{said}\n       </div>' if said else ""
    return f"""
     <div class="message default clearfix{"" if sender else " joined"}" id="message{number}">
      {picture if sender else ""}
      <div class="body">
       <div class="pull_right date details" title="{when}">
20:11
       </div>
       {name}
       {inside}
       {text}
      </div>
     </div>
"""


def telegram_line(number: int, said: str) -> str:
    """Return a service line; the export's own, such as dates, have negative numbers."""
    return f"""
     <div class="message service" id="message{number}">
      <div class="body details">
{said}
      </div>
     </div>
"""


@sample("telegram-html")
def telegram_pages(_folder: Path) -> tuple[str, bytes]:
    reply = '<div class="reply_to details">\nIn reply to <a href="#go_to_message3" onclick="return GoToMessage(3)">this message</a>\n</div>'
    omitted = (
        '<div class="media_wrap clearfix"><div class="media clearfix pull_left media_video"><div class="fill pull_left"></div><div class="body">'
        '<div class="title bold">\nVideo file\n</div><div class="description">\nNot included, change data exporting settings to download.\n</div>'
        '<div class="status details">\n00:33, 5.0 MB\n</div></div></div></div>'
    )
    return "messages.html", telegram_page(
        telegram_line(-1, "15 December 2018"),
        telegram_line(2, "Li created group &laquo;Tea&raquo;"),
        telegram_entry(3, "早安 <strong>you</strong><br>&lt;div class=&quot;message &gt;"),
        telegram_entry(4, "and", sender=None, inside=reply),
        telegram_entry(5, "", sender="外婆", inside=omitted),
        telegram_entry(6, "bye", sender=None),
    )


@sample("whatsapp-text")
def whatsapp_android(_folder: Path) -> tuple[str, bytes]:
    return "WhatsApp Chat with Li.txt", whatsapp_text(1, 150, language="zh")[0].encode()


@sample("whatsapp-text iphone")
def whatsapp_iphone(_folder: Path) -> tuple[str, bytes]:
    return "_chat.txt", whatsapp_text(1, 150, style="iphone")[0].encode()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def whatsapp_exported(number: int, data: str | None, *, own: bool = False, **more: object) -> dict[str, object]:
    """Return a message as WhatsApp Chat Exporter writes it."""
    return {
        "from_me": own, "timestamp": 1777150980.0 + number, "time": "21:03", "media": False, "key_id": f"K{number}", "meta": False, "data": data,
        "sender": None, "safe": False, "mime": None, "message_type": 0, "received_timestamp": "2026/04/25 21:03", "read_timestamp": None, "reply": None,
        "quoted_data": None, "caption": None, "thumb": None, "sticker": False, "reactions": {}, **more,
    }  # fmt: skip


def whatsapp_exporter_chat(name: str | None, *messages: dict[str, object]) -> dict[str, object]:
    """Return a chat as WhatsApp Chat Exporter writes it."""
    about = {"name": name, "type": "android", "my_avatar": None, "their_avatar": None, "their_avatar_thumb": None}
    numbered = {str(number): message for number, message in enumerate(messages, 1)}
    return {**about, "status": None, "media_base": "", "messages": numbered}


@sample("whatsapp-exporter")
def whatsapp_exporter(_folder: Path) -> tuple[str, bytes]:
    picture = "WhatsApp/Media/WhatsApp Images/IMG-20260425-WA0001.jpg"
    li = whatsapp_exporter_chat(
        "Li", whatsapp_exported(0, "This chat is now end-to-end encrypted", meta=True), whatsapp_exported(1, "早安 <br>two"),
        whatsapp_exported(2, "hi: <b>", own=True, reply="K1", quoted_data="早安"),
        whatsapp_exported(3, picture, media=True, mime="image/jpeg", caption="look", reactions={"You": "👍"}, timestamp=1777150983.25),
        whatsapp_exported(4, "The media is missing", media=True, meta=True, mime="media"), whatsapp_exported(5, "Message deleted", meta=True),
        whatsapp_exported(6, "Location shared: (1.0, 2.0)", meta=True, own=True), whatsapp_exported(7, None),
        whatsapp_exported(8, 'This media include the following vCard file(s):<br><a href="a.vcf">Wang &amp; Co</a>', meta=True, mime="text/x-vcard"),
    )  # fmt: skip
    trip = whatsapp_exporter_chat(
        "Trip",
        whatsapp_exported(0, "Li left the group", meta=True),
        whatsapp_exported(1, "by name", sender="Li"),
        whatsapp_exported(2, "mine", own=True),
    )
    calls = whatsapp_exporter_chat(
        "WhatsApp Calls", whatsapp_exported(0, "A call from Li was missed.", meta=True, sender="Li")
    )
    return "result.json", _json({"8613800000001@s.whatsapp.net": li, "12-34@g.us": trip, "000000000000000": calls})


def whatsapp_page(*said: str, title: str = "Li", links: str = "") -> bytes:
    """Return a page of WhatsApp Chat Exporter in its present look."""
    head = f'<!DOCTYPE html>\n<html>\n<head>\n<title>Whatsapp - {title}</title>\n<meta charset="UTF-8">\n<base href="" target="_blank">\n</head>\n<body>\n<article class="h-screen">'
    foot = '<footer>\n<div class="flex justify-center mb-6"><div class="bg-[#e1f2fb] rounded-lg">\nEnd of History\n</div></div><br>\nPortions\n</footer>'
    return f'{head}{links}<div class="message-list">{"".join(said)}</div>{foot}</article></body></html>'.encode()


def whatsapp_page_day(day: str) -> str:
    """Return the heading of a day."""
    return f'<div class="flex justify-center">\n<div class="bg-[#e1f2fb] rounded-lg px-2">\n {day}\n</div>\n</div>\n<!--Actual messages-->\n'


def whatsapp_page_said(
    number: int,
    inside: str,
    *,
    own: bool = False,
    sender: str = "",
    clock: str = "21:03",
    more: str = "",
    above: str = "",
) -> str:
    """Return one message."""
    side = "end" if own else "start"
    tip = '<div class="opacity-0"><div class="relative"><svg viewBox="0 0 24 24"><use href="#info-icon"></use></svg><div>Delivered at 2026/04/25 21:03</div></div></div>'
    foot = (
        f'<p class="text-[10px] text-right">{clock}\n<span class="status-indicator">\n✓✓\n</span></p>'
        if own
        else f'<div class="flex text-[10px]">\n<span class="flex-shrink-0">\n {sender}\n</span><span class="flex-grow"></span><span class="flex-shrink-0">{clock}</span></div>'
    )
    return (
        f'<div class="flex justify-{side} items-center group" id="K{number}">{tip if own else ""}<div class="rounded-lg">{above}'
        f'<p class="text-[#111b21] text-sm">\n  {inside}\n  </p>{foot}{more}</div></div>\n'
    )


def whatsapp_page_meta(text: str) -> str:
    """Return what the tool says where nobody said it."""
    return f'<div class="flex justify-center mb-2"><div class="bg-[#FFF3C5] rounded-lg">\n {text}\n </div></div>'


@sample("whatsapp-exporter-html")
def whatsapp_exporter_html(_folder: Path) -> tuple[str, bytes]:
    picture = "WhatsApp/Media/a.jpg"
    reaction = '<div class="flex flex-wrap"><div class="bg-gray-100 cursor-help" title="You">\n 👍\n </div></div>'
    answered = '<a href="#K1" target="_self" class="no-base"><div class="reply-box"><p class="text-xs">Replying to</p><p class="text-[#111b21] text-xs truncate">早安</p></div></a>'
    return "86138-Li.html", whatsapp_page(
        whatsapp_page_day("2026-04-25"), whatsapp_page_said(0, whatsapp_page_meta("This chat is now end-to-end encrypted")), whatsapp_page_said(1, "早安 <br>two"),
        whatsapp_page_said(2, "hi: &lt;b&gt; &amp; q", own=True, above=answered), whatsapp_page_day("2026-04-26"),
        whatsapp_page_said(3, f'<a href="{picture}">\n<img src="thumb.png" loading="lazy"/>\n</a><p class=\'mt-1 \'>\n look\n</p>', more=reaction, clock="00:05"),
        whatsapp_page_said(4, whatsapp_page_meta("The media is missing"), sender="Bo"), whatsapp_page_said(5, whatsapp_page_meta("Message deleted"), own=True),
        whatsapp_page_said(6, 'The file cannot be displayed here, however it should be located at <a href="./WhatsApp/Media/b.pdf">here</a>'),
        whatsapp_page_said(7, 'see <a href="https://a.invalid" target="_blank" rel="noopener">https://a.invalid</a>', sender="Bo"),
    )  # fmt: skip


@sample("whatsapp-exporter-html older")
def whatsapp_exporter_html_older(_folder: Path) -> tuple[str, bytes]:
    def said(number: int, name: str, text: str, day: str = "") -> str:
        row, align, side = (
            ("name w3-right-align", "w3-right-align", "w3-left")
            if name == "You"
            else ("w3-left name", "w3-left-align", "w3-right-align")
        )
        above = f'<div class="w3-center w3-padding-16 blue">{day}</div>' if day else ""
        return (
            f'<div class="w3-row w3-padding-small w3-margin-bottom" id="K{number}">\n{above}<div class="w3-row"><div class="{row}">\n{name}\n</div>'
            f'<div class="{side} blue">21:0{number}</div></div><div class="w3-row"><div class="w3-col m12 l12"><div class="{align}">\n{text}\n</div></div></div></div>\n'
        )

    head = '<!DOCTYPE html><html><head><title>Whatsapp - Li</title></head><body><header class="w3-top">\nChat history with Li\n</header><article><div class="table">'
    deleted = '<div class="w3-panel w3-center"><p>Message deleted</p></div>'
    foot = '</div></article><footer class="w3-center"><h2><h2>End of History</h2><br></footer><script>var a = 1;</script></body></html>'
    parts = said(1, "Li", "早安 <br>two", "2026-04-25"), said(2, "You", "hi"), said(3, "Li", deleted, "2026-04-26")
    return "86138-Li.html", f"{head}{''.join(parts)}{foot}".encode()


def whatsapp_in_telegrams_shape(name: str, kind: str, number: int, *said: tuple[str, str, str]) -> dict[str, object]:
    """Return a chat as WhatsApp Chat Exporter writes it for programs that read Telegram's export; of each message who, by which id, and what."""
    return {
        "name": name, "type": kind, "id": number, "messages": [
            {"id": place, "type": "message", "date": "2026-04-25T21:03:00", "date_unixtime": 1777150980 + place, "from": who, "from_id": f"user{by}",
             "text": text, "text_entities": [{"type": "plain", "text": text}]}
            for place, (who, by, text) in enumerate(said, 1)
        ],
    }  # fmt: skip


@sample("whatsapp-exporter telegram")
def whatsapp_exporter_telegram(_folder: Path) -> tuple[str, bytes]:
    said = ("86138", "86138", "早安 <br>two"), ("Me", "00000", "hi"), ("86138", "86138", "Message deleted")
    return "Li.json", _json(whatsapp_in_telegrams_shape("Li", "personal_chat", 86138, *said))


@sample("whatsapp-text exporter")
def whatsapp_exporter_text(_folder: Path) -> tuple[str, bytes]:
    return "Li.txt", _text(
        "[2026-04-25 21:03] Li: 早安 ", "                       two", "[2026-04-25 21:04] You: hi",
        "[2026-04-25 21:04] Li: <media file in WhatsApp/Media/a.jpg>", "                       look",
        "[2026-04-25 21:05] Li: <The media is missing>",
    )  # fmt: skip


@sample("discord-json")
def discord(_folder: Path) -> tuple[str, bytes]:
    return "general.json", _json(discord_channel(12))


def discord_channel(messages: int) -> dict[str, object]:
    """Return a channel as DiscordChatExporter writes it."""
    records = [
        {
            "id": str(1060953753550860429 + number),
            "type": "Reply" if number % 4 == 0 else "Default",
            "timestamp": f"2023-01-06T16:{number % 60:02}:26.414+00:00",
            "timestampEdited": "2023-01-07T00:00:00+00:00" if number == 2 else None,
            "callEndedTimestamp": None,
            "isPinned": False,
            "content": f"hello {number} 🥶",
            "author": {
                "id": str(52 + number % 2),
                "name": "adam",
                "discriminator": "0",
                "nickname": "Adam",
                "isBot": False,
            },
            "attachments": [{"id": "1", "url": "general.json_Files\\a.png", "fileName": "a.png", "fileSizeBytes": 3}]
            if number == 3
            else [],
            "embeds": [],
            "stickers": [{"id": "9", "name": "wave", "format": "Png", "sourceUrl": "https://cdn.invalid/w.png"}]
            if number == 5
            else [],
            "reactions": [{"emoji": {"id": "", "name": "👍", "code": "thumbsup"}, "count": 2}] if number == 1 else [],
            "mentions": [],
            "reference": {"messageId": "1060953753550860429", "channelId": "77", "guildId": "7"}
            if number % 4 == 0
            else None,
        }
        for number in range(messages)
    ]
    return {
        "guild": {"id": "7", "name": "Example guild", "iconUrl": ""},
        "channel": {
            "id": "77",
            "type": "GuildTextChat",
            "categoryId": "8",
            "category": "Text",
            "name": "general",
            "topic": None,
        },
        "dateRange": {"after": None, "before": None},
        "exportedAt": "2023-02-01T00:00:00+00:00",
        "messages": records,
        "messageCount": messages,
    }


@sample("discord-csv")
def discord_csv(_folder: Path) -> tuple[str, bytes]:
    rows = [
        f'"52","adam","2023-01-06T16:0{number}:26.4140000+00:00","hello {number}, ""you""\nand more","",""'
        for number in range(8)
    ]
    rows.append(
        '"53","eva","2023-01-06T16:09:00.0000000+00:00","","https://cdn.invalid/a.png?ex=1,files/b.mp4","🥶 (2),wave (1)"'
    )
    return (
        "Guild - Text - general [1012224565567721552].csv",
        "\n".join(["AuthorID,Author,Date,Content,Attachments,Reactions", *rows, ""]).encode(),
    )


def meta_block(sender: str, words: str, when: str, *, generation: int = 2022, more: str = "") -> str:
    """Return a message of the pages of Meta's downloads; each generation has codes of its own."""
    outer, name, body, time = {
        2019: ("pam _3-95 _2pi0 _2lej uiBoxWhite noborder", "_3-96 _2pio _2lek _2lel", "_3-96 _2let", "_3-94 _2lem"),
        2022: ("pam _3-95 _2ph- _a6-g uiBoxWhite noborder", "_3-95 _2pim _a6-h _a6-i", "_3-95 _a6-p", "_3-94 _a6-o"),
        2024: ("_a6-g", "_2ph_ _a6-h _a6-i", "_2ph_ _a6-p", "_3-94 _a6-o"),
    }[generation]
    block, heading, foot = ("section", "h2", "footer") if generation == 2024 else ("div", "div", "div")
    said = f"<div><div></div><div>{words}</div><div></div><div>{more}</div></div>"
    return (
        f'<{block} class="{outer}"><{heading} class="{name}">{sender}</{heading}><div class="{body}">{said}</div>'
        f'<{foot} class="{time}"><div class="_a72d">{when}</div></{foot}></{block}>'
    )


META_PEOPLE = '<div class="pam _3-95 _2ph- _a6-g uiBoxWhite noborder"><div class="_3-95 _a6-p"><div>Participants: Zoë and Li</div></div></div>'


def meta_page(*blocks: str, frame: str = "", people: str = META_PEOPLE) -> bytes:
    """Return a page of a thread."""
    head = f'<html><head><meta charset="utf-8" /><title>Zoë &amp; Li</title><style>._a6-g{{top:0}}</style></head><body class="_5vb_">{frame}'
    return f'{head}<div class="_a706" role="main">{people}{"".join(blocks)}</div></body></html>'.encode()


@sample("facebook-html")
def facebook_html(_folder: Path) -> tuple[str, bytes]:
    picture = '<a href="your_facebook_activity/messages/inbox/zoe_1/photos/1.jpg"><img src="your_facebook_activity/messages/inbox/zoe_1/photos/1.jpg" class="_a6_o" /></a>'
    return "message_1.html", meta_page(
        meta_block("Zoë", "早安 &amp; <b>you</b>", "Jan 15, 2024, 3:45:12 PM", more='<ul class="_a6-q"><li>❤Li</li></ul>'),
        meta_block("Li", "", "Jan 15, 2024, 3:44 PM", more=picture),
        meta_block("Zoë", "first", "15. Jan. 2024 um 15:43"),
    )  # fmt: skip


@sample("instagram-html")
def instagram_html(_folder: Path) -> tuple[str, bytes]:
    blocks = (
        meta_block("Zoë", f"hi {number}", f"Jan 15, 2024 3:{number:02} pm", generation=2024) for number in range(4)
    )
    return "message_1.html", meta_page(*blocks, frame='<a href="https://www.instagram.com/li">li</a>')


@sample("meta-html")
def meta_html(_folder: Path) -> tuple[str, bytes]:
    blocks = (
        meta_block("Zoë", f"hi {number}", f"Jan 15, 2020, 3:{number:02} PM", generation=2019) for number in range(4)
    )
    return "message_1.html", meta_page(*blocks)


@sample("discord-text")
def discord_text(_folder: Path) -> tuple[str, bytes]:
    rule = "=" * 62
    said = [f"[1/{number + 9}/2023 10:{number:02} AM] eva#{number % 2}\nhi {number}\n\n" for number in range(6)]
    said[1] = said[1].replace("hi 1\n", "hi 1\n\n[1/2/2023 10:01 AM] is no head\n")
    said[2] += "{Attachments}\nhttps://cdn.invalid/a.png?ex=1\nfiles/b.mp4\n\n"
    said[3] = said[3].replace("] eva#1", "] eva#1 (pinned)") + "{Reactions}\n🥶 (2) wave\n"
    lines = [
        rule,
        "Guild: Garden",
        "Channel: Text / tea",
        "Topic: leaves",
        rule,
        "",
        "\n".join(said),
        rule,
        "Exported 6 message(s)",
        rule,
        "",
    ]
    return "Garden - Text - tea [1012224565567721552].txt", "\n".join(lines).encode()


def discord_message(number: int, inside: str, *, sender: str | None = "eva", quote: str = '"') -> str:
    """Return one message of such a page; without a sender it goes on for the one before."""
    q = quote
    head = (
        f'<div class={q}chatlog__header{q}><span class={q}chatlog__author{q} title="{sender}#1" data-user-id={q}53{q}>{sender}</span>'
        f'<span class={q}chatlog__timestamp{q}><a href="#x">1/6/2023 4:20 PM</a></span></div>'
    )
    return (
        f'<div id={q}chatlog__message-container-{number}{q} class="chatlog__message-container " data-message-id={q}{number}{q}>'
        f"<div class={q}chatlog__message{q}><div class={q}chatlog__message-primary{q}>{head if sender else ''}{inside}</div></div></div>\n"
    )


def discord_page(
    *groups: str, entries: tuple[str, str] = ("Garden", "Text / tea"), written: int | None = None, quote: str = '"'
) -> bytes:
    """Return a page of DiscordChatExporter; `written` is how many messages it says it holds."""
    q = quote
    places = "".join(f"<div class={q}preamble__entry{q}>{entry}</div>" for entry in entries)
    body = "".join(f"<div class={q}chatlog__message-group{q}>{group}</div>" for group in groups)
    end = (
        ""
        if written is None
        else f"<div class={q}postamble{q}><div class={q}postamble__entry{q}>Exported {written:,} message(s)</div></div>"
    )
    style = "<style>.chatlog__message-group{display:grid}.chatlog__content{color:red}</style>"
    return (
        f"<!DOCTYPE html><html><head>{style}</head><body><div class={q}preamble{q}>{places}</div>"
        f"<div class={q}chatlog{q}>{body}</div>{end}</body></html>"
    ).encode()


def discord_words(text: str) -> str:
    """Return the words of a message as such a page holds them."""
    return (
        f'<div class="chatlog__content chatlog__markdown"><span class="chatlog__markdown-preserve">{text}</span></div>'
    )


@sample("discord-html")
def discord_html(_folder: Path) -> tuple[str, bytes]:
    first = 1060953753550860429
    reply = (
        '<div class="chatlog__reply"><div class="chatlog__reply-author">tom</div><div class="chatlog__reply-content">'
        f"""<span class="chatlog__reply-link" onclick="scrollToMessage(event, '{first}')">old words</span></div></div>"""
    )
    file = '<div class="chatlog__attachment "><a href="files/a.png"><img class="chatlog__attachment-media" src="files/a.png"></a></div>'
    reactions = '<div class="chatlog__reactions"><div class="chatlog__reaction"><img class="emoji" alt="👍"><span class="chatlog__reaction-count">3</span></div></div>'
    notice = (
        '<span class="chatlog__system-notification-author" data-user-id="54">tom</span><span> </span>'
        '<span class="chatlog__system-notification-content"><span>joined the server.</span></span>'
    )
    return "Garden - Text - tea [1012224565567721552].html", discord_page(
        discord_message(first, discord_words("早安 &amp; <b>you</b>")) + discord_message(first + 1, discord_words("more") + file + reactions, sender=None),
        discord_message(first + (5000 << 22), reply + discord_words('again<span class="chatlog__edited-timestamp" title="x">(edited)</span>'), sender="tom"),
        discord_message(first + (9000 << 22), notice, sender=None),
        written=4,
    )  # fmt: skip


@sample("discord-package json")
def discord_package(_folder: Path) -> tuple[str, bytes]:
    return "messages.json", _json([
        {"ID": 1060953753550860429 + number, "Timestamp": f"2023-01-06 16:{number:02}:26", "Contents": "hi", "Attachments": ""}
        for number in range(8)
    ])  # fmt: skip


@sample("discord-package csv")
def discord_package_csv(_folder: Path) -> tuple[str, bytes]:
    rows = [f'{number},2021-06-16 18:11:32.{number:06}+00:00,"a ""b""\nc",' for number in range(8)]
    return "messages.csv", ("ID,Timestamp,Contents,Attachments\n" + "\n".join(rows) + "\n").encode()


def _mojibake(text: str) -> str:
    return text.encode().decode("latin-1")


@sample("facebook-json")
def facebook(_folder: Path) -> tuple[str, bytes]:
    """Newest first, as Messenger writes it."""
    return "message_1.json", json.dumps(facebook_thread(10), indent=1).encode()


def facebook_thread(messages: int) -> dict[str, object]:
    """Return a thread as Messenger's download holds it."""
    records: list[dict[str, object]] = [
        {
            "sender_name": _mojibake("张伟" if number % 2 else "Zoë Müller"),
            "timestamp_ms": 1700000000000 + number * 1000,
            "content": _mojibake(f"naïve café 你好 {number}"),
            "type": "Generic",
            "is_unsent": False,
        }
        for number in range(messages, 0, -1)
    ]
    del records[1]["content"]
    records[1]["photos"] = [
        {"uri": "your_facebook_activity/messages/inbox/zoe_1/photos/1.jpg", "creation_timestamp": 1}
    ]
    records[2]["reactions"] = [{"reaction": _mojibake("❤"), "actor": _mojibake("张伟")}]
    return {
        "participants": [{"name": _mojibake("Zoë Müller")}, {"name": _mojibake("张伟")}],
        "messages": records,
        "title": _mojibake("张伟"),
        "is_still_participant": True,
        "thread_path": "inbox/zoe_1",
        "magic_words": [],
    }


@sample("facebook-json sealed chat")
def facebook_sealed(_folder: Path) -> tuple[str, bytes]:
    records = [
        {"isUnsent": number == 3, "media": [{"uri": "./media/a.jpg"}] if number == 2 else [], "reactions": [], "senderName": "Zoë",
         "text": f"hi {number}", "timestamp": 1700000000000 + number, "type": "text"}
        for number in range(6)
    ]  # fmt: skip
    return "Zoe_12.json", _json({"participants": ["Zoë", "Li"], "threadName": "Zoë_12", "messages": records})


@sample("instagram-json")
def instagram(_folder: Path) -> tuple[str, bytes]:
    thread = facebook_thread(6)
    text = json.dumps(thread).replace("your_facebook_activity", "your_instagram_activity")
    return "message_1.json", text.encode()


@sample("instagram-json inbox")
def instagram_inbox(_folder: Path) -> tuple[str, bytes]:
    """All of it in one list, as Instagram's download was before 2021; two threads have the same people."""
    said: list[dict[str, object]] = [
        {"sender": "tom", "created_at": "2020-07-12T14:30:19.783799+00:00", "text": "二", "likes": [{"username": "li", "date": "2020-07-13T00:00:00+00:00"}]},
        {"sender": "li", "created_at": "2020-07-11T14:30:19+00:00", "text": "one"},
        {"sender": "li", "created_at": "2020-07-10T14:30:19+00:00", "story_share": "Shared tea's story"},
    ]  # fmt: skip
    more: list[dict[str, object]] = [
        {"sender": "li", "created_at": "2020-07-09T14:30:19+00:00", "media": "https://example.invalid/a.jpg?x=1"},
        {"sender": "li", "created_at": "2020-07-08T14:30:19+00:00", "voice_media": "https://example.invalid/a.mp4"},
    ]
    threads = [("tom", said), ("tom", more), ("zoe", [])]
    return "messages.json", _json([{"participants": ["li", other], "conversation": talk} for other, talk in threads])


@sample("meta-json")
def meta(_folder: Path) -> tuple[str, bytes]:
    records = [{"sender_name": "Li", "timestamp_ms": 1579294140000 - number, "content": "hi"} for number in range(6)]
    return "message_1.json", _json({"messages": records})


@sample("slack-export json")
def slack_day(_folder: Path) -> tuple[str, bytes]:
    return "2016-01-14.json", _json(slack_messages(10))


@sample("slack-dump")
def slack_dump(_folder: Path) -> tuple[str, bytes]:
    first, second, third = slack_messages(10)[:3]
    answers = [
        dict(second),
        {"type": "message", "user": "U2", "text": "an answer", "ts": "1452837400.000001", "thread_ts": second["ts"]},
    ]
    messages = [first, {**second, "thread_ts": second["ts"], "slackdump_thread_replies": answers}, third]
    return "C0123ABCD.json", _json({"channel_id": "C0123ABCD", "name": "general", "messages": messages})


def slack_messages(messages: int) -> list[dict[str, object]]:
    """Return a day of a channel as Slack writes it."""
    records: list[dict[str, object]] = [
        {"type": "message", "user": f"U{number % 3}", "text": f"hi {number}", "ts": f"14528373{number:02}.000002"}
        for number in range(messages)
    ]
    records[0]["subtype"] = "channel_join"
    records[2] |= {"thread_ts": records[1]["ts"], "edited": {"user": "U1", "ts": "1452837999.000000"}}
    records[3]["files"] = [
        {"id": "F1", "name": "a.pdf", "mimetype": "application/pdf", "size": 5, "url_private": "https://x.invalid/a"}
    ]
    records[4]["files"] = [{"id": "F2", "mode": "hidden_by_limit"}]
    records[5]["reactions"] = [{"name": "tada", "users": ["U1"], "count": 1}]
    return records


def _lines(*values: object) -> bytes:
    return b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values)


@sample("chatlab-json")
def chatlab(_folder: Path) -> tuple[str, bytes]:
    return "tea.json", _json({**CHATLAB_HEAD, "members": CHATLAB_MEMBERS, "messages": chatlab_messages()})


CHATLAB_HEAD = {
    "chatlab": {"version": "0.0.2", "exportedAt": 1703001600},
    "meta": {"name": "一家人", "platform": "qq", "type": "group", "groupId": "g1", "ownerId": "1"},
}
CHATLAB_MEMBERS = [
    {"platformId": "1", "accountName": "Li"},
    {"platformId": "2", "accountName": "外婆", "groupNickname": "婆"},
]


def chatlab_messages() -> list[dict[str, object]]:
    """Return a word, a picture, a reply, and a message that was taken back."""
    kinds = {0: "早安", 1: None, 25: "好", 81: "撤回了一条消息"}
    return [
        {"platformMessageId": f"m{number}", "sender": str(1 + number % 2), "accountName": ["Li", "外婆"][number % 2], "timestamp": 1703001600 + number,
         "type": kind, "content": content, **({"replyToMessageId": "m0"} if kind == 25 else {})}
        for number, (kind, content) in enumerate(kinds.items())
    ]  # fmt: skip


@sample("chatlab-json lines")
def chatlab_lines(_folder: Path) -> tuple[str, bytes]:
    members = [{"_type": "member", **member} for member in CHATLAB_MEMBERS]
    said = [{"_type": "message", **message} for message in chatlab_messages()]
    return "tea.jsonl", _lines({"_type": "header", **CHATLAB_HEAD}, *members, *said)


def signal_items() -> list[dict[str, object]]:
    """Return messages as Signal's export in the clear holds them."""
    picture = {"pointer": {"contentType": "image/jpeg", "fileName": "a.jpg", "locatorInfo": {"plaintextHash": "AA=="}}}
    said: list[dict[str, object]] = [
        {"incoming": {"dateReceived": "1"}, "standardMessage": {"text": {"body": "早安"}, "reactions": [{"emoji": "👍", "authorId": "1"}]}},
        {"outgoing": {}, "standardMessage": {"text": {"body": "look"}, "attachments": [picture], "quote": {"targetSentTimestamp": "1700000000000"}}},
        {"incoming": {"dateReceived": "1"}, "remoteDeletedMessage": {}},
        {"directionless": {}, "updateMessage": {"simpleUpdate": {"type": "JOINED_SIGNAL"}}},
        {"incoming": {"dateReceived": "1"}, "stickerMessage": {"sticker": {"packId": "AA=="}}, "revisions": [{"dateSent": "1700000000001"}]},
    ]  # fmt: skip
    return [
        {
            "chatItem": {
                "chatId": "1",
                "authorId": "1" if "outgoing" in one else "2",
                "dateSent": str(1_700_000_000_000 + number),
                **one,
            }
        }
        for number, one in enumerate(said)
    ]


SIGNAL_PEOPLE = [
    {"version": "1", "backupTimeMs": "1700000000000"},
    {"account": {"givenName": "Li"}},
    {"recipient": {"id": "1", "self": {}}},
    {
        "recipient": {
            "id": "2",
            "contact": {"aci": "AA==", "e164": "4915100000", "profileGivenName": "外", "profileFamilyName": "婆"},
        }
    },
    {"recipient": {"id": "3", "group": {"snapshot": {"title": {"title": "Tea"}}}}},
    {"chat": {"id": "1", "recipientId": "2"}},
    {"chat": {"id": "2", "recipientId": "3"}},
]


@sample("signal-jsonl")
def signal_jsonl(_folder: Path) -> tuple[str, bytes]:
    return "main.jsonl", _lines(*SIGNAL_PEOPLE, *signal_items())


@sample("signal-desktop-json")
def signal_desktop_json(_folder: Path) -> tuple[str, bytes]:
    whole = {
        "conversationId": "c1",
        "sourceServiceId": "u2",
        "sent_at": 1_700_000_000_000,
        "received_at": 7,
        "schemaVersion": 14,
    }
    said: list[dict[str, object]] = [
        {"type": "incoming", "body": "早安", "reactions": [{"emoji": "👍", "fromId": "c2"}]},
        {
            "type": "outgoing",
            "body": "look",
            "attachments": [{"contentType": "image/jpeg", "fileName": "a.jpg", "size": 5}],
        },
        {"type": "incoming", "deletedForEveryone": True},
        {"type": "call-history", "callId": "1"},
    ]
    return "Li (+4915100000).json", _json([{**whole, "id": f"m{number}", **one} for number, one in enumerate(said)])


@sample("google-chat json")
def google_chat(_folder: Path) -> tuple[str, bytes]:
    return "messages.json", _json({"messages": google_messages(8)})


def google_messages(messages: int) -> list[dict[str, object]]:
    """Return a group's messages as Takeout holds them."""
    records: list[dict[str, object]] = [
        {
            "creator": {"name": "Ada L", "email": "ada@example.org", "user_type": "Human"},
            "created_date": f"Wednesday, April 15, 2015 at 12:{number:02}:08\u202f{'PM' if number % 2 else 'AM'} UTC",
            "text": f"hi {number}",
            "topic_id": f"t{number}",
            "message_id": f"g1/t{number}/t{number}",
        }
        for number in range(messages)
    ]
    records[1]["attached_files"] = [{"original_name": "a.jpg", "export_name": "File-a.jpg"}]
    return records


def hangouts_event(number: int, **more: object) -> dict[str, object]:
    """Return an event as Hangouts wrote it; a message where nothing else is said."""
    said = {
        "chat_message": {"message_content": {"segment": [{"type": "TEXT", "text": f"hi {number}"}]}},
        "event_type": "REGULAR_CHAT_MESSAGE",
    }
    return {
        "conversation_id": {"id": "Ug1"}, "sender_id": {"gaia_id": str(100 + number % 2), "chat_id": str(100 + number % 2)},
        "timestamp": str(1_400_000_000_000_000 + number), "event_id": f"e{number}", **(more or said),
    }  # fmt: skip


HANGOUTS_ABOUT = {
    "type": "STICKY_ONE_TO_ONE",
    "self_conversation_state": {"self_read_state": {"participant_id": {"gaia_id": "100", "chat_id": "100"}}},
    "participant_data": [
        {"id": {"gaia_id": "100"}, "fallback_name": "Li"},
        {"id": {"gaia_id": "101"}, "fallback_name": "外婆"},
    ],
}


def hangouts_events() -> list[dict[str, object]]:
    """Return a message of lines, a picture, a call and somebody who joined."""
    lines = [
        {"type": "TEXT", "text": "早安"},
        {"type": "LINE_BREAK", "text": "\n"},
        {"type": "LINK", "text": "https://example.invalid"},
    ]
    photo = {"type": ["PLUS_PHOTO"], "plus_photo": {"url": "https://example.invalid/a.jpg", "media_type": "PHOTO"}}
    return [
        hangouts_event(1, chat_message={"message_content": {"segment": lines}}),
        hangouts_event(2, chat_message={"message_content": {"attachment": [{"embed_item": photo}]}}),
        hangouts_event(3, hangout_event={"event_type": "END_HANGOUT"}, event_type="HANGOUT_EVENT"),
        hangouts_event(4, membership_change={"type": "JOIN"}, event_type="ADD_USER"),
        hangouts_event(5),
    ]


@sample("hangouts-json")
def hangouts(_folder: Path) -> tuple[str, bytes]:
    about = {"conversation_id": {"id": "Ug1"}, "conversation": {"id": {"id": "Ug1"}, **HANGOUTS_ABOUT}}
    return "Hangouts.json", _json({"conversations": [{"conversation": about, "events": hangouts_events()}]})


@sample("hangouts-json old")
def hangouts_old(_folder: Path) -> tuple[str, bytes]:
    about = {"id": {"id": "Ug1"}, **HANGOUTS_ABOUT}
    state = {"conversation_id": {"id": "Ug1"}, "conversation": about, "event": hangouts_events()}
    return "Hangouts.json", _json(
        {
            "continuation_end_timestamp": "0",
            "conversation_state": [{"conversation_id": {"id": "Ug1"}, "conversation_state": state}],
        }
    )


def _text(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


@sample("line-text ja")
def line_japanese(_folder: Path) -> tuple[str, bytes]:
    return "[LINE]花子.txt", b"\xef\xbb\xbf" + _text(
        "[LINE] 花子とのトーク履歴", "保存日時：2026/11/20 21:05", "", "2026/11/18(水)", "09:12\t太郎\tおはよう",
        "午後9:13\t花子\t[スタンプ]", '21:14\t花子\t"二行の', 'メッセージ"', "21:20\t太郎\t[写真]", "", "2026/11/19(木)",
        "23:59\t花子\t☎ 通話時間 1:02", "00:01\t\t花子がメッセージの送信を取り消しました",
    )  # fmt: skip


@sample("line-text en")
def line_english(_folder: Path) -> tuple[str, bytes]:
    return "chat.txt", _text(
        "[LINE] Chat history in Team", "Saved on: 11/20/2026, 21:05", "", "Wed, 11/11/2026", "09:12AM\tAlice\thello",
        "12:05PM\tBob\t[Photo]", "12:06PM\t\tBob invited Carol to the group.", "", "Thu, 11/12/2026", "01:00AM\tCarol\thi all",
    )  # fmt: skip


@sample("signal-text")
def signal(_folder: Path) -> tuple[str, bytes]:
    return "chat.md", _text(
        "[2019-12-24, 12:23] Jane Doe: Hello John!", "[2019-12-24, 12:24] Me: look ![a.jpg](./media/2019-12-24_0.jpg)  ",
        "[2020-01-17, 21:49] Jane Doe: Hello", "", "Jane! (- Me: 👍 -)", "[2020-01-17, 21:50] Me: bye  ",
    )  # fmt: skip


@sample("signal-text with seconds")
def signal_now(_folder: Path) -> tuple[str, bytes]:
    return "chat.md", _text(
        "[2024-01-15 09:30:45] Jane Doe: Hello John!", "", "[2024-01-15 09:30:46] Me: yes", "", "no", "(- Jane Doe: 👍 -)", "",
        "[2024-01-15 09:31:00] Jane Doe: (This message was deleted)", "",
    )  # fmt: skip


@sample("signal-sigtop blocks")
def sigtop(_folder: Path) -> tuple[str, bytes]:
    return "Jane Doe.txt", _text(
        "Conversation: Jane Doe (+15550100)", "", "From: You", "Type: outgoing", "Sent: Mon, 15 Jan 2024 09:30:45 +0100", "",
        "Hello", "", "Type: incoming", "", "From: Jane Doe (+15550100)", "Type: incoming", "Sent: Mon, 15 Jan 2024 09:31:45 +0100",
        "Received: Mon, 15 Jan 2024 09:31:46 +0100", "Attachment: a.jpg (image/jpeg, 123 bytes)", "Reaction: 👍 from You", "Edited: 2 versions", "",
        "> From: You", "> Sent: Mon, 15 Jan 2024 09:30:45 +0100", ">", "> Hello", "", "an answer", "", "Type: call-history",
        "Received: Mon, 15 Jan 2024 09:32:00 +0100", "",
    )  # fmt: skip


@sample("signal-sigtop lines")
def sigtop_short(_folder: Path) -> tuple[str, bytes]:
    return "Jane Doe.txt", _text(
        "2024-01-15 09:30 You: Hello", "", "again", "2024-01-15 09:31 Jane Doe: [reply to You on 2024-01-15 09:30, edited, 2 attachments] yes",
        "2024-01-15 09:32 Jane Doe: [keychange message]",
    )  # fmt: skip


@sample("signal-tools-text")
def signal_tools(_folder: Path) -> tuple[str, bytes]:
    return "Jane Doe (_id12).txt", _text(
        "[Jan 15, 2024 09:30:45] *** You set the disappearing message timer to 4 weeks", '[Jan 15, 2024 09:31:45] *** <Jane Doe> sent file "a b.jpg"',
        "[Jan 15, 2024 09:31:45] <Jane Doe> Hello", "", "again (Ada: 👍; Doe, Jane: ❤️)", "[Jan 15, 2024 09:32:45] <Ada> so (we said: yes)",
        "[Jan 15, 2024 09:33:45] *** <Ada> sent file of type audio/aac (Jane Doe: 😀)", "[Jan 15, 2024 09:34:45] *** Missed call",
        "[Jan 15, 2024 09:35:45] <Ada> Poll: tea?", "                                [1] yes", "                                [0] no",
    )  # fmt: skip


def _imessage_block(second: int, *lines: str) -> list[str]:
    return [f"May 17, 2022  5:29:{second:02} PM", *lines, ""]


@sample("imessage-text")
def imessage_text(_folder: Path) -> tuple[str, bytes]:
    """A reply stands twice, as the tool writes it; a changed message begins with its time."""
    reply = ["    May 17, 2022  5:29:44 PM", "    Li", "    so do I", ""]
    blocks = [
        *_imessage_block(42, "Me", "Hello 你好", "", "a second paragraph", "Tapbacks:", "Loved by Li", "", *reply),
        *_imessage_block(43, "Li", "May 17, 2022  5:29:43 PM first words", "Edited 4 seconds later: better words"),
        *_imessage_block(44, "Li", "so do I", "This message responded to an earlier message."),
        "May 17, 2022  5:29:45 PM You renamed the conversation to Tea", "",
        "May 17, 2022  5:29:46 PM (Read by them after 1 hour, 49 seconds)", "Me", "attachments/3/IMG_1.jpeg", "/Users/me/Library/a.pdf", "",
        *_imessage_block(47, "Me", "Me unsent this message part 3 seconds after sending!"),
    ]  # fmt: skip
    return "+4915100000.txt", _text(*blocks)


def imessage_entry(
    second: int, body: str, *, sender: str = "Me", guid: str = "", inside: str = "", after: str = ""
) -> str:
    """Return one message of such a page."""
    side = "sent iMessage" if sender == "Me" else "received"
    time = f"May 17, 2022  5:29:{second:02} PM"
    linked = f'<a title="Reveal in Messages app" href="sms://open?message-guid={guid}">{time}</a> ' if guid else time
    return (
        f'<div class="message">\n<div class="{side}">\n<p><span class="timestamp">{linked}</span>\n<span class="sender">{sender}</span></p>\n'
        f'<hr><div class="message_part">\n{body}\n</div>\n{inside}{after}</div>\n</div>\n'
    )


def imessage_page(*entries: str) -> bytes:
    """Return a page of imessage-exporter."""
    head = '<html>\n<head>\n<meta charset="UTF-8">\n<style>.message{margin:1%}.sent{color:blue}</style></head><body>\n'
    return f"{head}{''.join(entries)}</body></html>".encode()


@sample("imessage-html")
def imessage_html(_folder: Path) -> tuple[str, bytes]:
    said = '<span class="bubble">{}</span>'.format
    answer = imessage_entry(44, said("so do I"), sender="Li", guid="G-00000003")
    thread = f'<div class="replies">\n<div class="reply" id="G-00000003">\n{answer}</div>\n</div>\n'
    tapbacks = (
        '<div class="tapbacks"><hr><p>Tapbacks:</p><div class="tapback"><span><b>Loved</b> by Li</span></div></div>\n'
    )
    context = '<span class="reply_context">This message responded to an earlier message.</span>'
    edited = '<div class="edited"><table><tr><td><span class="timestamp">Edited 4 seconds later</span></td><td>better words</td></tr></table></div>'
    pictures = '<img src="attachments/3/IMG_1.jpeg" loading="lazy">\n<a href="file:///Users/me/a.pdf">Click to download a.pdf</a>'
    return "Tea - 7.html", imessage_page(
        imessage_entry(42, said("Hello &amp; 你好"), guid="G-00000001", inside=tapbacks + thread),
        imessage_entry(43, edited, sender="Li", guid="G-00000002"),
        imessage_entry(44, said("so do I"), sender="Li", guid="G-00000003", after=context).replace(
            '"message"', '"message" id="r-G-00000003"', 1
        ),
        '<div class ="announcement"><p><span class="timestamp">May 17, 2022  5:29:45 PM</span> You renamed the conversation to <b>Tea</b></p></div>\n',
        imessage_entry(46, pictures),
        imessage_entry(47, '<span class="unsent">Me unsent this message part!</span>'),
    )


@sample("kakaotalk-text windows")
def kakao_windows(_folder: Path) -> tuple[str, bytes]:
    return "KakaoTalk.txt", b"\xef\xbb\xbf" + (
        "민수 님과 카카오톡 대화\r\n저장한 날짜 : 2026-04-25 15:20:11\r\n\r\n--------------- 2026년 4월 25일 토요일 ---------------\n"
        "[민수] [오후 3:20] 안녕\r\n둘째 줄\r\n[나] [오후 3:21] 사진\r\n[민수] [오후 3:22] 삭제된 메시지입니다.\r\n"
    ).encode()


@sample("kakaotalk-text android")
def kakao_android(_folder: Path) -> tuple[str, bytes]:
    return "KakaoTalkChats.txt", _text(
        "민수 님과 카카오톡 대화", "저장한 날짜 : 2026년 4월 25일 오후 4:00", "", "", "2026년 4월 25일 오후 3:20",
        "2026년 4월 25일 오후 3:20, 민수 : 안녕", "둘째 줄", "2026년 4월 25일 오후 3:21, 나 : 사진 2장",
        "2026년 4월 25일 오후 3:22, 민수님이 나갔습니다.",
    )  # fmt: skip


@sample("kakaotalk-text csv")
def kakao_csv(_folder: Path) -> tuple[str, bytes]:
    return "KakaoTalk_Chat.csv", _text(
        "Date,User,Message", '2026-04-25 15:20:11,"민수","안녕, ""친구""\n둘째 줄"', '2026-04-25 15:21:00,"나","Photo"',
    )  # fmt: skip


@sample("qq-text")
def qq(_folder: Path) -> tuple[str, bytes]:
    return "全部消息记录.txt", _text(
        "消息记录（此消息记录为文本格式，不支持重新导入）", "", "=" * 64, "消息分组:我的好友", "=" * 64, "消息对象:小明", "=" * 64, "",
        "2023-05-06 9:12:33 小明(10086001)", "早安", "第二行", "", "2023-05-06 9:13:01 【管理员】我(我的)(10086002)", "[图片]", "",
        "2023-05-06 9:14:00 老张<zhang@example.com>", "收到", "", "2023-05-06 9:15:00 系统消息(10000)", "小明撤回了一条消息", "",
        "=" * 64, "消息分组:我的群聊", "=" * 64, "消息对象:一家人", "=" * 64, "", "2023-05-07 19:00:00 外婆(10086003)", "吃饭了", "",
    )  # fmt: skip


def qq_mht_page(*rows: str, parts: tuple[str, ...] = (), line: str = "\r\n") -> bytes:
    """Return a file as QQ's message manager writes it."""
    mark = "----=_NextPart_20CAFF23_6090_43fc_8C0A_EE179EE81D19"
    head = ["From: <Save by Tencent MsgMgr>", "Subject: Tencent IM Message", "MIME-Version: 1.0", "Content-Type:multipart/related;", '\tcharset="utf-8"', '\ttype="text/html";',
            f'\tboundary="{mark}"', "", f"--{mark}", "Content-Type: text/html", "Content-Transfer-Encoding:7bit", ""]  # fmt: skip
    page = (
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>QQ Message</title></head><body><table width=100% cellspacing=0>'
        "<tr><td><div style=padding-left:10px;><br><b>消息记录</b></div></td></tr>"
        + "".join(rows)
        + "</table></body></html>"
    )
    tail = [
        text
        for name in parts
        for text in (
            f"--{mark}",
            "Content-Type:image/jpeg",
            "Content-Transfer-Encoding:base64",
            f"Content-Location:{name}",
            "",
            "/9j/4AAQ",
            "",
        )
    ]
    return line.join([*head, page, "", *tail, f"--{mark}--", ""]).encode()


def qq_mht_heading(text: str) -> str:
    """Return a heading: a group of conversations, or whom one is with."""
    return f"<tr><td><div style=padding-left:10px;>{text}</div></td></tr>"


def qq_mht_date(date: str) -> str:
    """Return the row of a new day."""
    return f"<tr><td style=border-bottom-width:1px;color:#3568BB;font-weight:bold;padding-left:10px;>日期: {date}</td></tr>"


def qq_mht_row(nick: str, clock: str, body: str, *, own: bool = False) -> str:
    """Return a message."""
    colour = "#42B475" if own else "#006EFE"
    return (
        f"<tr><td><div style=color:{colour};padding-left:10px;><div style=float:left;margin-right:6px;>{nick}</div>{clock}</div>"
        f"<div style=padding-left:20px;><font style=\"font-size:9pt;font-family:'宋体'\" color='000000'>{body}</font></div></td></tr>"
    )


@sample("qq-mht")
def qq_mht(_folder: Path) -> tuple[str, bytes]:
    return "小明.mht", qq_mht_page(
        qq_mht_heading("消息分组:我的好友"), qq_mht_heading("消息对象:小明"), qq_mht_heading("&nbsp;"), qq_mht_date("2012-10-21"),
        qq_mht_row("小明", "20:33:08", "在吗<br>&lt;tr&gt;"), qq_mht_row("我", "20:34:01", '<IMG src="{6BC28AA6-5AC0}.dat">', own=True),
        qq_mht_date("2012-10-22"), qq_mht_row("小明", "9:00:00", "早"),
        qq_mht_heading("消息分组:我的QQ群"), qq_mht_heading("消息对象:一家人"), qq_mht_date("2012-11-01"),
        qq_mht_row("外婆(10086003)", "8:00:00", "吃饭了"), qq_mht_row("系统消息(10000)", "8:01:00", "外婆撤回了一条消息"),
        parts=("{6BC28AA6-5AC0}.dat",),
    )  # fmt: skip


@sample("qq-exporter json")
def qq_exporter(_folder: Path) -> tuple[str, bytes]:
    messages = [qq_exported(number) for number in range(6)]
    messages[1]["content"] = {
        "text": "[图片]",
        "resources": [{"type": "image", "filename": "a.jpg", "url": "https://x.invalid/a"}],
    }
    messages[2] |= {"isSystemMessage": True}
    messages[3] |= {"isRecalled": True}
    return "group.json", _json(
        {**qq_exporter_facts(6), "messages": messages, "avatars": {"1": "data:image/png;base64,AA=="}}
    )


def qq_exporter_lines(messages: int, *said: str, title: str = "一家人") -> list[str]:
    """Return the lines of QQChatExporter's text; each message has its name, its time and what follows."""
    rule = "=" * 47
    parts = [line for message in said for line in (*message.split("\n"), "", "")]
    return [
        "[QQChatExporter V5 / https://github.com/shuakami/qq-chat-exporter]", "[本软件是免费的开源项目~]", "", rule, "           QQ聊天记录导出文件", rule, "",
        f"聊天名称: {title}", "聊天类型: 群聊", "导出时间: 2024-12-01 12:00:00", f"消息总数: {messages}", "", "", *parts[:-1], rule,
        "              导出完成", rule, f"总计导出 {messages} 条消息", "导出时间: 2024-12-01 12:00:00",
    ]  # fmt: skip


@sample("qq-exporter-text")
def qq_exporter_text(_folder: Path) -> tuple[str, bytes]:
    return "一家人.txt", _text(
        *qq_exporter_lines(
            5, "外婆:\n时间: 2024-11-01 10:00:00\n内容: 早安\n\n第三行", "我:\n时间: 2024-11-01 10:00:05\n内容: [图片: a.jpg]\n资源: 1 个文件\n  - image: a.jpg",
            "外婆:\n时间: 2024-11-02 10:00:00\n内容: 时间: 现在\n提及: 我\n回复: 我 - [图片]", "外婆:\n时间: 2024-11-02 10:00:01\n内容: 撤回了一条消息",
            "我:\n时间: 3天前\n内容: 回复: 好",
        )
    )  # fmt: skip


def qq_exporter_facts(messages: int) -> dict[str, object]:
    """Return what QQChatExporter writes around the messages."""
    return {
        "metadata": {"name": "QQChatExporter V4 / https://x.invalid", "version": "4.0.0"},
        "chatInfo": {"name": "一家人", "type": "group", "selfUin": "10001"},
        "statistics": {"totalMessages": messages, "senders": []},
    }


def qq_exported(number: int) -> dict[str, object]:
    """Return one message as QQChatExporter writes it."""
    return {
        "messageId": f"74{number}", "messageSeq": str(number), "timestamp": f"2022-10-29T06:42:{number:02}.000Z", "messageType": 2,
        "isSystemMessage": False, "isRecalled": False, "sender": {"uid": f"u_{number % 2}", "uin": f"1000{number % 2}", "name": "外婆"},
        "content": {"text": f"早安 {number}", "resources": []}, "rawMessage": {"sendNickName": "grandma", "sendMemberName": "外婆"},
    }  # fmt: skip


@sample("sms-xml")
def sms(_folder: Path) -> tuple[str, bytes]:
    """Text messages, a multimedia message and a call, with the app's own emoji spelling."""
    return "sms.xml", _text(
        "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>", "<!-- made by a phone -->", '<smses count="6" backup_set="x" type="full">',
        '  <sms protocol="0" address="+861380" date="1684000000123" type="1" subject="null" body="早安 &#55357;&#56842; &amp;&#10;二" '
        'read="1" status="-1" contact_name="外婆" />',
        '  <sms address="+861380" date="1684000001123" type="2" body="ok" contact_name="外婆" />',
        '  <sms address="bank" date="1684000002123" type="1" body="code 1" contact_name="(Unknown)" />',
        '  <mms date="1684000003000" msg_box="1" address="+861380~+861381" m_id="abc" sub="null">', "    <parts>",
        '      <part seq="-1" ct="application/smil" text="&lt;smil/&gt;" />',
        '      <part seq="0" ct="image/jpeg" name="a.jpg" cl="a.jpg" data="/9j/4AAQ" />',
        '      <part seq="0" ct="image/jpeg" name="b.jpg" cl="b.jpg" data="not base64" />',
        '      <part seq="0" ct="text/plain" text="look" />', "    </parts>",
        '    <addrs><addr address="+861381" type="137" charset="106" /><addr address="+861380" type="151" charset="106" /></addrs>', "  </mms>",
        '  <call number="+861380" duration="65" date="1684000004123" type="2" />',
        '  <sms address="+861380" date="1684000005123" type="5" body="not sent" />', "</smses>",
    )  # fmt: skip


@sample("google-voice")
def google_voice(_folder: Path) -> tuple[str, bytes]:
    return "Ada - Text - 2023-09-20T00_54_54Z.html", _text(
        '<?xml version="1.0" ?>', "<html><head><title>Ada</title></head>", '<body><div class="hChatLog hfeed">',
        '<div class="message"><abbr class="dt" title="2023-09-19T17:54:54.915-07:00">x</abbr>:',
        '<cite class="sender vcard"><a class="tel" href="tel:+1732"><span class="fn">Ada</span></a></cite>:', "<q>Hi<br>there &amp; you</q>",
        '<div><img src="Ada - Text - 2023-09-20T00_54_54Z-1-1" alt="image" /></div></div>',
        '<div class="message"><abbr class="dt" title="2023-09-19T18:19:24.803-07:00">x</abbr>:',
        '<cite class="sender vcard"><a class="tel" href="tel:+1733"><abbr class="fn" title="">Me</abbr></a></cite>:', "<q>hello</q>", "</div></div>",
        '<div class="tags">Labels:</div></body></html>',
    )  # fmt: skip


@sample("matrix-json")
def matrix(_folder: Path) -> tuple[str, bytes]:
    events: list[dict[str, object]] = [
        {"type": "m.room.message", "event_id": f"$e{number}", "sender": "@ada:example.org", "origin_server_ts": 1684000000000 + number,
         "room_id": "!r:example.org", "content": {"msgtype": "m.text", "body": f"hi {number}"}, "unsigned": {}}
        for number in range(6)
    ]  # fmt: skip
    events[1]["content"] = {
        "msgtype": "m.image",
        "body": "a.jpg",
        "url": "mxc://x/y",
        "info": {"mimetype": "image/jpeg", "size": 5},
    }
    events[2] |= {"type": "m.room.member", "content": {"membership": "join"}}
    events[3] |= {"content": {}, "unsigned": {"redacted_because": {"event_id": "$z"}}}
    events[4]["content"] = {"msgtype": "m.text", "body": "yes", "m.relates_to": {"m.in_reply_to": {"event_id": "$e0"}}}
    facts = {
        "room_name": "Tea",
        "room_creator": "@ada:example.org",
        "topic": "",
        "export_date": "x",
        "exported_by": "@ada:example.org",
    }
    return "export.json", _json({**facts, "messages": events})


@sample("matrix-text")
def matrix_text(_folder: Path) -> tuple[str, bytes]:
    return "matrix-Tea-export-Jan-13-2023-10.30.00.txt", _text(
        "1/13/2023, 10:01:00 AM - ada joined the room",
        "1/13/2023, 10:01:02 AM - ada: 早安: you",
        "a second line",
        "1/13/2023, 10:01 AM - quoted",
        "1/13/2023, 10:02:00 PM - bob sent an image. (Media omitted)",
        "1/13/2023, 10:03:00 PM - bob: <ada> yes",
        "1/14/2023, 10:03:00 PM - bob: bye",
    )


def element_page(*entries: str) -> bytes:
    """Return a page of Element's export, as it is since 2022."""
    head = (
        '\n          <!DOCTYPE html>\n            <html lang="en">\n            <head>\n                <meta charset="UTF-8" />\n'
        '                <link href="css/style.css" rel="stylesheet" />\n                <title>Exported Data</title>\n            </head>\n'
        '            <body style="height: 100vh;" class="cpd-theme-light">\n<div class="mx_RoomHeader_infoWrapper">\n<div\n dir="auto"\n'
        ' class="mx_RoomHeader_info"\n title="Tea &amp; &quot;cake&quot;"\n >\n<span class="mx_RoomHeader_truncated mx_lineClamp">\n Tea\n</span></div></div>'
        '<ol\n class="mx_RoomView_MessageList"\n aria-live="polite"\n role="list"\n>\n'
    )
    return f'{head}{"".join(entries)}\n</ol>\n<div id="snackbar"/>\n</body>\n        </html>'.encode()


def element_day(label: str) -> str:
    """Return the line that stands above the messages of a day."""
    return (
        f'<li><div class="mx_TimelineSeparator" role="separator" aria-label="{label}"><hr role="none"/><div class="mx_DateSeparator_dateContent">'
        f'<h2 class="mx_DateSeparator_dateHeading" aria-hidden="true">{label}</h2></div><hr role="none"/></div></li>'
    )


def element_entry(
    number: int, clock: str, said: str, *, sender: str = "", classes: str = "", own: str = "false", before: str = ""
) -> str:
    """Return an event as Element shows it."""
    name = f'<span class="mx_Username_color4 mx_DisambiguatedProfile_displayName" dir="auto">{sender}</span>'
    picture = (
        f'<div class="mx_EventTile_avatar"><button role="button" aria-label="Profile picture" title="@{sender.lower()}:example.org" data-testid="avatar-img" '
        'class="_avatar_1qbcf_8 mx_BaseAvatar">u</button></div>'
    )
    return (
        f'<div class="mx_Export_EventWrapper" id="$e{number}"><li class="mx_EventTile {classes}" tabindex="-1" aria-live="off" data-self="{own}" '
        f'data-event-id="$e{number}">{f"<div class=mx_DisambiguatedProfile>{name}</div>{picture}" if sender else ""}{before}<div class="mx_EventTile_line">'
        f'<a href="https://matrix.to/#/!r:example.org/$e{number}" aria-label="{clock}"><span class="mx_MessageTimestamp" aria-hidden="true">{clock}</span></a>'
        f"{said}</div></li></div>"
    )


def element_words(said: str) -> str:
    """Return what somebody wrote as Element shows it."""
    return f'<div class="mx_MTextBody mx_EventTile_content"><div class="mx_EventTile_body translate" dir="auto">{said}</div></div>'


@sample("matrix-html")
def matrix_html(_folder: Path) -> tuple[str, bytes]:
    joined = '<div class="mx_TextualEvent">Ada joined the room</div>'
    picture = '<div class="mx_MImageBody"><a href="images/a.jpg"><img class="mx_MImageBody_thumbnail" src="images/a.jpg" alt="a.jpg"/></a></div>'
    return "messages.html", element_page(
        element_day("Fri, Jan 13, 2023"),
        element_entry(0, "10:01", joined, classes="mx_EventTile_info"),
        element_entry(1, "10:01", element_words("早安: you"), sender="Ada", own="true"),
        element_entry(2, "10:02", element_words("<p>a second</p>\n<p>line</p>"), classes="mx_EventTile_continuation", own="true"),
        element_entry(3, "22:02", picture, sender="Bob"),
        element_day("Sat, Jan 14, 2023"),
        element_entry(4, "22:03", element_words("&lt;ada&gt; yes"), sender="Bob"),
    )  # fmt: skip


@sample("skype-json")
def skype(_folder: Path) -> tuple[str, bytes]:
    return "messages.json", _json(skype_export())


def skype_export() -> dict[str, object]:
    """Return an export as Skype made it, newest first."""
    texts: list[dict[str, object]] = [
        {"id": str(1600000000000 + number), "displayName": None, "originalarrivaltime": f"2020-09-13T12:26:4{number}.123Z", "messagetype": "RichText",
         "version": 1, "content": f"hi <b>{number}</b> &amp; you", "conversationid": "8:ada", "from": "8:me" if number % 2 else "8:ada", "properties": None}
        for number in range(5, 0, -1)
    ]  # fmt: skip
    texts[0]["properties"] = {"deletetime": "1", "emotions": [{"key": "like", "users": [{"mri": "8:me", "time": 1}]}]}
    texts[1] |= {
        "messagetype": "RichText/UriObject",
        "content": '<URIObject type="Picture.1"><OriginalName v="a.jpg"/></URIObject>',
    }
    return {
        "userId": "8:me",
        "exportDate": "2025-05-01T00:00",
        "conversations": [
            {
                "id": "8:ada",
                "displayName": "Ada",
                "version": 1.0,
                "properties": {},
                "threadProperties": None,
                "MessageList": texts,
            },
            {"id": "19:g@thread.skype", "displayName": "Tea", "version": 1.0, "MessageList": []},
        ],
    }


@sample("wechat-weflow json")
def weflow(_folder: Path) -> tuple[str, bytes]:
    messages: list[dict[str, object]] = [
        {"localId": number, "createTime": 1700000000 + number, "formattedTime": "x", "type": "文本消息", "localType": 1, "content": f"早安 {number}",
         "isSend": number % 2, "senderUsername": "wxid_a" if number % 2 else "wxid_b", "senderDisplayName": "林晓雨", "source": ""}
        for number in range(1, 7)
    ]  # fmt: skip
    messages[1] |= {"type": "图片消息", "content": "[图片]"}
    messages[2] |= {"type": "系统消息", "isSend": None, "content": '"林晓雨" 撤回了一条消息'}
    session = {
        "wxid": "wxid_b",
        "nickname": "b",
        "remark": "外婆",
        "displayName": "外婆",
        "type": "私聊",
        "lastTimestamp": 1700000006,
        "messageCount": 6,
    }
    return "外婆.json", _json(
        {
            "weflow": {"version": "1.0.3", "exportedAt": 1, "generator": "WeFlow"},
            "session": session,
            "messages": messages,
        }
    )


@sample("wechat-chatlog json")
def chatlog(_folder: Path) -> tuple[str, bytes]:
    messages: list[dict[str, object]] = [
        {"seq": (1700000000 + number) * 1000, "time": f"2023-11-15T06:13:2{number}+08:00", "talker": "g1@chatroom", "talkerName": "一家人",
         "isChatRoom": True, "sender": f"wxid_{number % 2}", "senderName": "林晓雨", "isSelf": number % 2 == 0, "type": 1, "subType": 0,
         "content": f"早安 {number}"}
        for number in range(6)
    ]  # fmt: skip
    messages[1] |= {"type": 3, "content": "", "contents": {"md5": "0f" * 16}}
    messages[2] |= {"type": 49, "subType": 2000, "content": "[转账|发送 ¥1.00]"}
    messages[3] |= {"type": 10000, "sender": "系统消息", "content": '"林晓雨" 撤回了一条消息'}
    return "chatlog.json", _json(messages)


@sample("wechat-memotrace whole")
def memotrace(_folder: Path) -> tuple[str, bytes]:
    return "messages.csv", b"\xef\xbb\xbf" + _text(
        "localId,TalkerId,Type,SubType,IsSender,CreateTime,Status,StrContent,StrTime,Remark,NickName,Sender",
        '1,3,1,0,1,1700000000,,"早安,\n外婆",2023-11-15 06:13:20,外婆,b,我', "2,3,3,0,0,1700000001,,,2023-11-15 06:13:21,外婆,b,外婆",
        "3,4,1,0,0,1700000002,,hi,2023-11-15 06:13:22,Tom,t,Tom",
    )  # fmt: skip


@sample("wechat-memotrace one")
def memotrace_one(_folder: Path) -> tuple[str, bytes]:
    return "外婆.csv", _text(
        "消息ID,类型,发送人,时间,内容,备注,昵称,更多信息", "88001,文本,外婆,2023-11-15 06:13:20,早安,外婆,b,", "88002,图片,我,2023-11-15 06:13:25,,我,a,",
    )  # fmt: skip


def memotrace_page(*said: str, title: str = "外婆") -> bytes:
    """Return a page of WeChatMsg around the messages of its script."""
    head = f'<!DOCTYPE html>\n<html lang="zh-CN">\n<head><meta charset="UTF-8"><style>.page {{ flex: 1 }}</style><title>{title}</title></head>\n<body>\n'
    return f"{head}<script>\nconst chatMessages = [\n{''.join(said)}\n];\n\n</script>\n<script>\nconst itemsPerPage = [100][0];\n</script>\n</body></html>".encode()


@sample("wechat-memotrace-html")
def memotrace_html(folder: Path) -> tuple[str, bytes]:
    (folder / "image").mkdir(exist_ok=True)
    (folder / "image" / "1.png").write_bytes(b"picture")
    by = "avatar_path:'./avatar/wxid_{}.png',timestamp:{},is_chatroom:0,displayname:'{}'"
    own, other = (by.format("me", "{}", "我"), by.format("li", "{}", "外婆"))
    return "外婆.html", memotrace_page(
        "{ type:0, text: '2023-11-15 06:13:20',is_send:0,avatar_path:'',timestamp:1700000000},",
        "{ type:1, text: '早安\\n &lt;3 it\\'s',is_send:1," + own.format(1700000000) + "},",
        "{ type:3, text: './image/1.png',is_send:0," + other.format(1700000001) + "},",
        "{ type:34, text:'./voice/2.mp3',is_send:0,voice_to_text:'听见了'," + other.format(1700000002) + "},",
        "{ type:49, text: '好',is_send:0,sub_type:57,refer_text: '我：早安'," + other.format(1700000003) + "},",
        "{ type:49, text: './file/a.pdf',is_send:0," + other.format(1700000004) + "\n ,icon_path: './icon/pdf.png'\n ,sub_type:6,file_name: 'a.pdf',file_size: '1 KB'},",
        "{ type:49,sub_type:5, text:'',is_send:1," + own.format(1700000005) + ",url:'https://example.org/',title:'一篇文章',description:'None'},\n",
        "{ type:0, text: '&quot;外婆&quot; 撤回了一条消息',is_send:0,avatar_path:'',timestamp:1700000006,is_chatroom:0,displayname:''},",
    )  # fmt: skip


@sample("wechat-memotrace-html new")
def memotrace_html_json(_folder: Path) -> tuple[str, bytes]:
    said = [
        {"type": 1, "text": "早安 😀", "MsgSvrID": "1812312321483237439", "is_send": 0, "avatar_path": 2, "timestamp": 1700000000 + number, "is_chatroom": 1,
         "displayname": ("外婆", "Tom")[number % 2], "token": "e3"} for number in range(4)
    ]  # fmt: skip
    return "一家人.html", memotrace_page(",".join(map(json.dumps, said)), title="一家人")


@sample("wechat-memotrace-text")
def memotrace_text(_folder: Path) -> tuple[str, bytes]:
    return "外婆.txt", _text(
        "2023-05-06 09:12:33 外婆", "早安", "", "第二行", "", "2023-05-06 09:13:01 我", "[图片]", "", "2023-05-06 09:13:05 以上是打招呼的内容", "",
        '2023-05-06 09:14:00 "外婆" 撤回了一条消息', "", "2023-05-06 09:14:05 外婆", "            [链接]:title:标题", "            description:说明",
        "            url:http://a.invalid", "            name:应用", "            ", "", "", "2023-05-06 09:15:00 我", "好的", "引用:外婆:早安", "",
    )  # fmt: skip


@sample("wechat-memotrace-text newer")
def memotrace_text_newer(_folder: Path) -> tuple[str, bytes]:
    return "外婆.txt", _text(
        "2024-12-01 12:00:00 外婆", "早安", "", "2024-12-01 12:00:05", "你已添加了外婆，现在可以开始聊天了。", "", "2024-12-01 12:01:00 我", "【图片】", "",
        "2024-12-01 12:01:01 外婆", "【语音】听到的话", "", "2024-12-01 12:01:02 我", "【文件】a b.pdf 1.20 MB C:\\x\\a b.pdf pdf 0f", "",
        "2024-12-01 12:01:03 外婆", "【合并转发的聊天记录】", "", "- 2024-11-01 10:00:00 李: 旧话", "", "", "2024-12-01 12:01:04 外婆",
        "【发起转账】:¥5.00", "备注: 饭钱", "", "", "2024-12-01 12:01:05 外婆", "", "", "2024-12-01 12:01:06 我", "再见",
    )  # fmt: skip


@sample("wechat-chatlog-csv")
def chatlog_csv(_folder: Path) -> tuple[str, bytes]:
    return "wxid_li_2023-11-15_2023-11-16.csv", _text(
        "MessageID,Time,SenderName,Sender,TalkerName,Talker,Content", "1700000000001,2023-11-15 06:13:20,外婆,wxid_li,外婆,wxid_li,早安",
        "1700000005001,2023-11-15 06:13:25,我,wxid_me,外婆,wxid_li,![图片](http://127.0.0.1:5030/image/ab12)",
        '1700000006001,2023-11-15 06:13:26,,系统消息,外婆,wxid_li,"""外婆"" 撤回了一条消息"',
        "1700000007001,2023-11-15 06:13:27,Tom,wxid_tom,一家人,1@chatroom,[图片] 是我写的字",
    )  # fmt: skip


PYWXDUMP_COLUMNS = "id,MsgSvrID,type_name,is_sender,talker,room_name,msg,src,CreateTime"
PYWXDUMP_USERS = {
    "wxid_li": {"wxid": "wxid_li", "nickname": "b", "remark": "外婆", "account": "li2018"},
    "wxid_tom": {"wxid": "wxid_tom", "nickname": "Tom", "remark": "", "account": ""},
    "1@chatroom": {"wxid": "1@chatroom", "nickname": "一家人", "remark": "", "account": ""},
}


@sample("wechat-pywxdump csv")
def pywxdump_csv(folder: Path) -> tuple[str, bytes]:
    (folder / "users.json").write_bytes(_json(PYWXDUMP_USERS))
    at = "2023-11-15 06:13:2"
    return "wxid_li_0_5000.csv", _text(
        PYWXDUMP_COLUMNS, f'1,88001,文本,0,wxid_li,wxid_li,"早安,\n宝贝",,{at}0', f"2,88002,图片,1,我,wxid_li,图片,FileStorage\\MsgAttach\\1.dat,{at}1",
        f'3,88003,语音,0,wxid_li,wxid_li,"语音时长：2.50秒\n翻译结果：听见了",audio\\wxid_li\\3.wav,{at}2', f"4,88004,动画表情,1,我,wxid_li,表情,http://example.org/e.gif,{at}3",
        f'5,88005,(分享)卡片式链接,0,wxid_li,wxid_li,"一篇文章\n很长\n\n<a href=""https://example.org/"">点击查看详情</a>",https://example.org/,{at}4',
        f'6,88006,引用回复,1,我,wxid_li,"好\n\n[引用](2023-11-15 06:13:20)外婆:早安",,{at}5', f'7,0,系统通知,0,wxid_li,wxid_li,"""外婆"" 撤回了一条消息",,{at}6',
    )  # fmt: skip


@sample("wechat-pywxdump json")
def pywxdump_json(folder: Path) -> tuple[str, bytes]:
    (folder / "users.json").write_bytes(_json(PYWXDUMP_USERS))
    kinds = [
        ("文本", "早安", ""),
        ("文件", "a.pdf", "FileStorage\\File\\a.pdf"),
        ("(分享)小程序", "(分享)小程序", ""),
        ("转账", "转账：￥1.00\n转账说明：\n", ""),
    ]
    said: list[dict[str, object]] = [
        {"id": number, "MsgSvrID": str(88000 + number), "type_name": kind, "is_sender": 0, "talker": ("wxid_li", "wxid_tom")[number % 2],
         "room_name": "1@chatroom", "msg": text, "src": file, "extra": {}, "CreateTime": f"2023-11-15 06:13:2{number}"}
        for number, (kind, text, file) in enumerate(kinds, 1)
    ]  # fmt: skip
    said.append({**said[0], "id": 5, "MsgSvrID": "88005", "is_sender": 1, "talker": "wxid_me", "msg": "我在"})
    said.append({**said[0], "id": 6, "MsgSvrID": "88006", "talker": "未知", "msg": "谁?"})
    return "1@chatroom_0_7.json", _json(said)


@sample("wechat-pywxdump older")
def pywxdump_older(_folder: Path) -> tuple[str, bytes]:
    return "wxid_li_0_5000.csv", _text(
        "id,MsgSvrID,type_name,is_sender,talker,room_name,content,CreateTime",
        '1,88001,文本,0,wxid_li,wxid_li,"{""src"": """", ""msg"": ""早安""}",2023-11-15 06:13:20',
        '2,88002,图片,1,我,wxid_li,"{""src"": ""FileStorage/1.dat"", ""msg"": ""图片""}",2023-11-15 06:13:21',
    )
