"""Telegram Desktop's pages, read into the model."""

import json
from pathlib import Path

import pytest
from chat_reading import messages_with, read_with, summary_of, tell_all
from chat_samples import SAMPLES, telegram_entry, telegram_line, telegram_page

from backupkit.chats.model import Direction, Finding, Media, MediaState, Message, MessageKind, Precision
from backupkit.chats.readers.telegram_html import TelegramHtml
from backupkit.chats.reading.reader import Told
from backupkit.chats.sources.source import open_source


def page(tmp_path: Path, *messages: str, name: str = "messages.html", **parts: str) -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(telegram_page(*messages, **parts))
    return path


def read(path: Path) -> list[Message]:
    return messages_with(TelegramHtml(), path)


def wrap(classes: str, href: str) -> str:
    return f'<div class="media_wrap clearfix"><a class="{classes} clearfix pull_left" href="{href}"><img class="x" src="t.jpg"/></a></div>'


def test_dates_are_no_messages_and_service_lines_are(tmp_path: Path) -> None:
    file, data = SAMPLES["telegram-html"](tmp_path)
    (tmp_path / file).write_bytes(data)

    first, second, third, fourth, fifth = read(tmp_path)

    assert (first.direction, first.kind, first.text) == (Direction.SYSTEM, MessageKind.SYSTEM, "Li created group «Tea»")
    assert (second.sender_name, second.text) == ("Li", '早安 you\n<div class="message >')
    assert (third.sender_name, third.reply_to) == ("Li", "3")
    assert (fourth.sender_name, fourth.media) == (
        "外婆",
        (Media("Video file", MediaState.OMITTED, MessageKind.VIDEO),),
    )
    assert (fifth.sender_name, fifth.native_id, fifth.native_seq) == ("外婆", "6", 6)
    assert summary_of(tmp_path).by_conversation[0].title == "Li & Co"


def test_the_time_is_the_one_in_the_tip_of_the_clock_with_its_offset(tmp_path: Path) -> None:
    old = telegram_entry(2, "old", when="15.12.2018 20:11:04")
    edited = telegram_entry(3, "x", when="15.12.2018 20:11:04 UTC-02:30 16.12.2018 00:00:00 UTC-02:30")
    messages = read(page(tmp_path, telegram_entry(1, "new", when="15.12.2018 20:11:04 UTC+03:00"), old, edited))

    assert [(found.ts_utc_us, found.ts_zone) for found in messages] == [
        (1544893864_000_000, "offset"),
        (1544904664_000_000, "unknown"),
        (1544913664_000_000, "offset"),
    ]
    assert messages[0].ts_precision is Precision.SECOND
    assert messages[2].edits[0].ts_utc_us == 1544927400_000_000


def test_a_forwarded_message_names_both_people(tmp_path: Path) -> None:
    inner = (
        '<div class="pull_left forwarded userpic_wrap"><div class="userpic"><div class="initials">T</div></div></div><div class="forwarded body">'
        '<div class="from_name">\nTom <span class="date details" title="12.11.2018 10:32:23 UTC+03:00"> 12.11.2018 10:32:23</span>\n</div>'
        '<div class="text">\nhis words\n</div></div>'
    )
    again = '<div class="forwarded body"><div class="text">\nmore\n</div></div>'

    first, second, third = read(
        page(
            tmp_path,
            telegram_entry(1, "", inside=inner),
            telegram_entry(2, "", sender=None, inside=again),
            telegram_entry(3, "mine"),
        )
    )

    assert (first.sender_name, first.forward_of, first.text) == ("Li", "Tom", "his words")
    assert (second.sender_name, second.forward_of, second.text) == ("Li", "Tom", "more")
    assert third.forward_of is None


def test_media_are_looked_up_beside_the_page(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    page(
        tmp_path,
        telegram_entry(1, "", inside=wrap("photo_wrap", "photos/a.jpg")),
        telegram_entry(2, "", inside=wrap("sticker_wrap", "stickers/s.webp")),
        telegram_entry(3, "", inside=wrap("media block_link media_voice_message", "../../etc/passwd")),
        telegram_entry(4, "", inside=wrap("media block_link media_location", "https://maps.invalid/?q=1,2")),
        telegram_entry(5, "", inside='<div class="media_wrap"><div class="media media_call"><div class="title">Tom</div></div></div>'),
        telegram_entry(6, "", inside='<div class="media_wrap"><div class="media_poll"><div class="question bold">\nTea?\n</div><div class="answer">- yes</div></div></div>'),
    )  # fmt: skip

    messages = read(tmp_path)

    assert [(found.kind, [media.state for media in found.media]) for found in messages] == [
        (MessageKind.IMAGE, [MediaState.PRESENT]),
        (MessageKind.STICKER, [MediaState.MISSING]),
        (MessageKind.VOICE, [MediaState.MISSING]),
        (MessageKind.LOCATION, []),
        (MessageKind.CALL, []),
        (MessageKind.POLL, []),
    ]
    assert messages[5].text == "Tea?\n- yes"


def test_reactions_are_counted(tmp_path: Path) -> None:
    inside = (
        '<span class="reactions"><span class="reaction active"><span class="emoji">\n❤\n</span><span class="count">\n3\n</span></span>'
        '<span class="reaction"><span class="emoji">👍</span><span class="userpics"><div class="userpic"><div class="initials">A</div></div></span></span>'
        '<span class="reaction"><span class="emoji">🎉</span><span class="userpics"><div class="userpic userpic1"><div class="initials" title="Ada">A</div></div>'
        '<div class="userpic userpic2"><div class="initials" title="Bob">B</div></div></span><span class="count">\n4\n</span></span></span>'
    )

    (found,) = read(page(tmp_path, telegram_entry(1, "hi", inside=inside)))

    assert [(reaction.symbol, reaction.sender, reaction.count) for reaction in found.reactions] == [
        ("❤", None, 3), ("👍", None, 1), ("🎉", "Ada", 1), ("🎉", "Bob", 1), ("🎉", None, 2),
    ]  # fmt: skip
    assert found.text == "hi"


def test_pages_are_read_in_their_order_and_a_joined_message_goes_on_over_them(tmp_path: Path) -> None:
    for number in range(1, 12):
        page(
            tmp_path,
            telegram_entry(number, f"said {number}", sender="Li" if number == 1 else None),
            name=f"messages{number if number > 1 else ''}.html",
        )

    messages = read(tmp_path)

    assert [found.text for found in messages] == [f"said {number}" for number in range(1, 12)]
    assert {found.sender_name for found in messages} == {"Li"}
    assert summary_of(tmp_path).findings == ()


def test_a_missing_page_is_told_and_its_sender_is_nobodys_guess(tmp_path: Path) -> None:
    link = '<a class="pagination block_link" href="messages{}.html">\nNext messages\n</a>'
    page(tmp_path, telegram_entry(1, "a"), after=link.format(2))
    page(tmp_path, telegram_entry(3, "c", sender=None), name="messages3.html", after=link.format(4))

    summary = summary_of(tmp_path)

    assert [(finding.code, finding.facts) for finding in summary.findings] == [
        ("shard-missing", {"name": "messages2.html", "count": 2})
    ]
    assert read(tmp_path)[1].sender_name is None


def test_an_account_keeps_chats_of_one_name_apart_and_compares_the_list(tmp_path: Path) -> None:
    page(tmp_path, telegram_entry(1, "a"), name="chats/chat_001/messages.html")
    page(tmp_path, telegram_entry(1, "b"), telegram_entry(2, "c"), name="chats/chat_002/messages.html")
    entry = (
        '<a class="entry block_link clearfix" href="../chats/chat_00{}/messages.html#allow_back"><div class="body"><div class="name bold">\nLi\n</div>'
        '<div class="details_entry details">\n{} messages\n</div></div></a>'
    )
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "chats.html").write_text(
        "<html>" + entry.format(1, 1) + entry.format(2, 9) + "</html>", "utf-8"
    )

    summary = summary_of(tmp_path)

    assert (summary.messages, summary.conversations) == (3, 2)
    assert [finding.facts["declared"] for finding in summary.findings if finding.code == "declared-differs"] == [9]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_page_cut_in_the_middle_gives_what_came_before(tmp_path: Path, ending: str) -> None:
    whole = telegram_page(*[telegram_entry(number, f"said {number}") for number in range(50)]).replace(
        b"\n", ending.encode()
    )
    (tmp_path / "messages.html").write_bytes(b"\xef\xbb\xbf" + whole[: whole.index(b"said 40")])

    summary = summary_of(tmp_path)

    assert summary.messages == 40
    assert [finding.code for finding in summary.findings] == ["export-cut"]


def test_one_hostile_message_costs_no_other(tmp_path: Path) -> None:
    hostile = ("<div>" * 5000, "<![odd[ x", "<a " + "b='" * 3000)
    page(
        tmp_path,
        *[telegram_entry(number, words) + telegram_entry(number + 10, "good") for number, words in enumerate(hostile)],
    )

    told: list[Told] = []
    with open_source(tmp_path) as source:
        reader = TelegramHtml()
        tell_all(reader.read(source, reader.recognise(source)), told)

    assert len([one for one in told if isinstance(one, Message) and one.text == "good"]) == 3
    assert {one.code for one in told if isinstance(one, Finding)} == {"record-not-understood"}


def test_the_raw_record_is_the_message_alone(tmp_path: Path) -> None:
    (found,) = read(page(tmp_path, telegram_entry(7, "你好 🎂"), after="<a>later on</a>"))

    assert found.raw.startswith(b'<div class="message default clearfix" id="message7">')
    assert found.raw.endswith(b"</div>")
    assert "你好 🎂".encode() in found.raw
    assert b"later on" not in found.raw


def test_a_long_page_is_read_in_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    with (tmp_path / "messages.html").open("wb") as out:
        start, end = telegram_page().split(b"\n\n\n", 1)
        out.write(start)
        for number in range(800):
            out.write(telegram_entry(number, "word " * 400).encode())
        out.write(end)
    tracemalloc.start()

    with open_source(tmp_path) as source:
        reader = TelegramHtml()
        counted = sum(isinstance(told, Message) for told in reader.read(source, reader.recognise(source)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert counted == 800
    assert peak < 4_000_000


def test_line_numbers_are_not_needed_to_tell_the_service_line(tmp_path: Path) -> None:
    messages = read(
        page(tmp_path, telegram_line(5, "Anna hat die Gruppe verlassen"), telegram_line(-9, "16. Dezember"))
    )

    assert [(found.native_id, found.text) for found in messages] == [("5", "Anna hat die Gruppe verlassen")]


def test_everything_is_read_alike_through_read_with(tmp_path: Path) -> None:
    told = read_with(TelegramHtml(), page(tmp_path, telegram_entry(1, "a")))

    assert [type(one).__name__ for one in told] == ["Conversation", "Message", "Conversation"]


def test_what_a_group_brought_along_when_it_became_a_supergroup_is_read(tmp_path: Path) -> None:
    before = 1_000_000_000
    path = page(
        tmp_path,
        telegram_line(-1, "1 May 2016"),
        telegram_line(3 - before, "Li created group &laquo;Tea&raquo;"),
        telegram_entry(4 - before, "old"),
        telegram_line(-2, "2 May 2016"),
        telegram_line(1, "Li converted this group to a supergroup"),
        telegram_entry(2, "new"),
    )

    assert [message.text for message in read(path)] == [
        "Li created group «Tea»",
        "old",
        "Li converted this group to a supergroup",
        "new",
    ]


def test_an_export_in_both_formats_counts_once(tmp_path: Path) -> None:
    chat = {"name": "Li & Co", "type": "personal_chat", "id": 7, "messages": [
        {"id": 1, "type": "message", "date_unixtime": "1544897464", "from": "Li", "from_id": "user7", "text": "hi"},
    ]}  # fmt: skip
    for root, value, place in (("one", chat, ""), ("all", {"chats": {"list": [chat]}}, "chats/chat_001/")):
        page(tmp_path, telegram_entry(1, "hi"), name=f"{root}/{place}messages.html")
        (tmp_path / root / "result.json").write_text(json.dumps(value), "utf-8")
        page(tmp_path, telegram_entry(1, "hi"), name=f"{root}/elsewhere/messages.html")

        found = messages_with(TelegramHtml(), tmp_path / root)

        assert [one.locator.file for one in found] == ["elsewhere/messages.html"]
    (tmp_path / "one" / "result.json").write_text("{}", "utf-8")

    assert len(messages_with(TelegramHtml(), tmp_path / "one")) == 2


def card(kind: str, title: str = "", description: str = "", status: str = "") -> str:
    """Return a card as the program writes it."""
    parts = (("title bold", title), ("description", description), ("status details", status))
    inner = "".join(f'<div class="{classes}">\n{said}\n</div>' for classes, said in parts if said)
    return f'<div class="media_wrap clearfix"><div class="media clearfix pull_left {kind}"><div class="fill pull_left"></div><div class="body">{inner}</div></div></div>'


POLL = (
    '<div class="media_wrap"><div class="media_poll"><div class="question bold">\nTea?\n</div><div class="details">\nAnonymous poll\n</div><div class="answer">\n'
    '- yes <span class="details">2 votes</span>\n</div><div class="answer">\n- no\n</div><div class="total details">\n2 votes\n</div></div></div>'
)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (card("media_contact", "Ada Lovelace", status="+1 555"), "Ada Lovelace\n+1 555"),
        (card("media_location", "Location", status="1.5, -2"), "1.5, -2"),
        (card("media_venue", "Café", "Street 1"), "Café\nStreet 1"),
        (card("media_call", "Tom", status="Outgoing (35 seconds)"), "Outgoing (35 seconds)"),
        (card("media_invoice", "Cup", "a blue one", "5.00 USD"), "Cup\na blue one\n5.00 USD"),
        (card("media_game", "Chess", "play"), "Chess\nplay"),
        (
            POLL,
            "Tea?\n- yes\n- no",
        ),
        (
            '<div class="media_wrap"><div class="media_giveaway"><div class="section_title bold">\nGiveaway Prize\n</div><div class="section_body">\n<b>3</b> cups\n</div></div></div>',
            "Giveaway Prize 3 cups",
        ),
    ],
)
def test_what_a_card_shows_is_told_in_words(tmp_path: Path, inside: str, expected: str) -> None:
    alone, captioned = read(
        page(tmp_path, telegram_entry(1, "", inside=inside), telegram_entry(2, "look", inside=inside))
    )

    assert (alone.text, captioned.text) == (expected, f"{expected}\nlook")


def test_a_bot_that_somebody_wrote_with_is_no_part_of_the_name(tmp_path: Path) -> None:
    inner = (
        '<div class="forwarded body"><div class="from_name">\nTom via @gif</div><div class="text">\nhis\n</div></div>'
    )

    first, second = read(
        page(tmp_path, telegram_entry(1, "x", sender="Li via @gif"), telegram_entry(2, "", inside=inner))
    )

    assert (first.sender_name, second.forward_of) == ("Li", "Tom")
