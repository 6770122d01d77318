"""What Element's exports say of a room: who changed what, who answered whom, and when."""

import json
from pathlib import Path
from typing import Any

import pytest
from chat_reading import messages_with, read_with, summary_of

from backupkit.chats.model import Conversation, DeletionState, Direction, Edit, MessageKind, Reaction
from backupkit.chats.readers.element_heads import element_head
from backupkit.chats.readers.matrix_json import MatrixJson
from backupkit.chats.readers.matrix_text import MatrixText
from backupkit.chats.texts.wall_time import DateOrder

ADA, BOB = "@ada:x.invalid", "@bob:x.invalid"
START_MS = 1684000000000


def event(
    number: int, sender: str, content: dict[str, Any], kind: str = "m.room.message", **more: Any
) -> dict[str, Any]:
    """Return an event as a server writes it."""
    return {
        "type": kind, "event_id": f"$e{number}", "sender": sender, "origin_server_ts": START_MS + number * 1000,
        "room_id": "!r:x.invalid", "content": content, **more,
    }  # fmt: skip


def said(body: str, **more: Any) -> dict[str, Any]:
    """Return the content of a message."""
    return {"msgtype": "m.text", "body": body, **more}


def edited(target: int, body: str) -> dict[str, Any]:
    """Return the content of an edit."""
    relates = {"rel_type": "m.replace", "event_id": f"$e{target}"}
    return said(f"* {body}", **{"m.new_content": said(body), "m.relates_to": relates})


def reacted(target: int, symbol: str) -> dict[str, Any]:
    """Return the content of a reaction."""
    return {"m.relates_to": {"rel_type": "m.annotation", "event_id": f"$e{target}", "key": symbol}}


def room(tmp_path: Path, *events: dict[str, Any], **facts: str) -> Path:
    """Write an export."""
    path = tmp_path / "export.json"
    around = {"room_name": "Tea", "room_creator": "ada", "topic": "", "export_date": "2023/05/13", "exported_by": ADA}
    path.write_text(json.dumps({**around, **facts, "messages": list(events)}, indent=2), "utf-8")
    return path


def at(number: int) -> int:
    """Return the time of an event in microseconds."""
    return (START_MS + number * 1000) * 1000


def test_an_edit_belongs_to_the_message_that_it_changes(tmp_path: Path) -> None:
    path = room(
        tmp_path,
        event(1, ADA, said("one")),
        event(2, BOB, said("between")),
        event(3, ADA, edited(1, "two")),
        event(4, ADA, edited(1, "three")),
    )

    first, second = messages_with(MatrixJson(), path)

    assert (first.text, first.ts_utc_us, first.native_id) == ("three", at(1), "$e1")
    assert first.edits == (Edit(at(3), "one"), Edit(at(4), "two"))
    assert (second.text, second.edits) == ("between", ())


def test_nobody_edits_what_another_wrote_and_an_edit_of_what_is_not_here_keeps_its_new_words(tmp_path: Path) -> None:
    path = room(
        tmp_path, event(1, ADA, said("one")), event(2, BOB, edited(1, "forged")), event(3, BOB, edited(99, "late"))
    )

    found = messages_with(MatrixJson(), path)

    assert [(one.sender_id, one.text, one.edits) for one in found] == [
        (ADA, "one", ()),
        (BOB, "forged", ()),
        (BOB, "late", ()),
    ]


def test_changes_that_stand_before_what_they_change_stay_events_of_their_own(tmp_path: Path) -> None:
    path = room(
        tmp_path,
        event(3, ADA, edited(1, "two")),
        event(2, BOB, reacted(1, "👍"), "m.reaction"),
        event(1, ADA, said("one")),
    )

    found = messages_with(MatrixJson(), path)

    assert [(one.text, one.edits) for one in found] == [("two", ()), ("", ()), ("one", ())]
    assert [one.reactions for one in found] == [(), (Reaction("👍", BOB),), ()]


def test_an_edit_that_the_server_put_beside_the_message_is_its_edit(tmp_path: Path) -> None:
    beside = {"m.relations": {"m.replace": event(9, ADA, edited(1, "new"))}}
    older = {"m.relations": {"m.replace": {"event_id": "$e9", "origin_server_ts": START_MS + 9000, "sender": ADA}}}
    sealed = {"m.relations": {"m.replace": event(9, ADA, {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"})}}
    path = room(
        tmp_path,
        event(1, ADA, said("old"), unsigned=beside),
        event(2, ADA, said("new"), unsigned=beside),
        event(3, ADA, said("new"), unsigned=older),
        event(4, ADA, {}, unsigned=sealed),
    )

    found = messages_with(MatrixJson(), path)

    assert [one.text for one in found] == ["new", "new", "new", ""]
    assert [one.edits for one in found] == [(Edit(at(9), "old"),), *[(Edit(at(9)),)] * 3]
    assert [(one.code, one.facts["count"]) for one in summary_of(path).findings] == [("undecryptable", 1)]


def test_reactions_and_redactions_are_told_with_their_message(tmp_path: Path) -> None:
    path = room(
        tmp_path,
        event(1, ADA, said("one")),
        event(2, BOB, reacted(1, "👍"), "m.reaction"),
        event(3, ADA, said("two")),
        event(4, ADA, {}, "m.room.redaction", redacts="$e3"),
        event(5, ADA, said("three")),
        event(6, ADA, {"redacts": "$e5"}, "m.room.redaction"),
        event(7, BOB, {}, "m.reaction", unsigned={"redacted_because": {"event_id": "$z"}}),
    )

    one, two, three, taken = messages_with(MatrixJson(), path)

    assert (one.reactions, one.deletion) == ((Reaction("👍", BOB),), DeletionState.NONE)
    assert [(message.kind, message.deletion) for message in (two, three)] == [
        (MessageKind.RECALL, DeletionState.RECALLED)
    ] * 2
    assert taken.kind is MessageKind.OTHER


def test_a_thread_is_no_answer_but_an_answer_in_a_thread_is(tmp_path: Path) -> None:
    thread = {"rel_type": "m.thread", "event_id": "$e1"}
    behind = {**thread, "is_falling_back": True, "m.in_reply_to": {"event_id": "$e2"}}
    answer = {**thread, "is_falling_back": False, "m.in_reply_to": {"event_id": "$e2"}}
    contents = [said("x", **{"m.relates_to": relates}) for relates in (thread, behind, answer)]
    path = room(tmp_path, *(event(number, BOB, content) for number, content in enumerate(contents, 3)))

    assert [one.reply_to for one in messages_with(MatrixJson(), path)] == [None, None, "$e2"]


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        (
            "org.matrix.msc3381.poll.start",
            {
                "org.matrix.msc1767.text": "Tea?\n1. yes\n2. no",
                "org.matrix.msc3381.poll.start": {
                    "kind": "org.matrix.msc3381.poll.disclosed",
                    "max_selections": 1,
                    "question": {"org.matrix.msc1767.text": "Tea?", "body": "Tea?", "msgtype": "m.text"},
                    "answers": [
                        {"id": "a", "org.matrix.msc1767.text": "yes"},
                        {"id": "b", "org.matrix.msc1767.text": "no"},
                    ],
                },
            },
            "Tea?\n- yes\n- no",
        ),
        (
            "m.poll.start",
            {
                "m.poll.start": {
                    "question": {"m.text": [{"body": "Tea?"}]},
                    "answers": [{"m.id": "a", "m.text": [{"body": "yes"}]}],
                }
            },
            "Tea?\n- yes",
        ),
        ("m.room.message", {"msgtype": "m.location", "body": "Here", "geo_uri": "geo:1,2"}, "Here\ngeo:1,2"),
        ("m.room.name", {"name": "Coffee"}, "Coffee"),
        ("m.room.topic", {"topic": "beans"}, "beans"),
        ("m.room.member", {"membership": "ban", "displayname": "Eve", "reason": "spam"}, "Eve ban spam"),
    ],
)
def test_what_has_no_body_is_told_in_words(tmp_path: Path, kind: str, content: dict[str, Any], expected: str) -> None:
    (found,) = messages_with(MatrixJson(), room(tmp_path, event(1, ADA, content, kind)))

    assert found.text == expected


def test_people_are_called_as_they_were_when_they_came(tmp_path: Path) -> None:
    joined = {"membership": "join", "displayname": "Bob"}
    path = room(
        tmp_path,
        event(1, BOB, joined, "m.room.member", state_key=BOB),
        event(2, BOB, said("hi")),
        event(3, ADA, said("hello")),
        event(4, BOB, {**joined, "displayname": "Robert"}, "m.room.member", state_key=BOB),
        event(5, BOB, said("again")),
    )

    found = read_with(MatrixJson(), path)
    messages = messages_with(MatrixJson(), path)
    room_told = [one for one in found if isinstance(one, Conversation)][-1]

    assert [one.sender_name for one in messages] == ["Bob", "Bob", None, "Robert", "Robert"]
    assert [one.direction for one in messages[:3]] == [Direction.SYSTEM, Direction.UNKNOWN, Direction.OUT]
    assert [(one.id, one.name, one.is_owner) for one in room_told.participants] == [
        (BOB, "Robert", False),
        (ADA, None, True),
    ]


@pytest.mark.parametrize(
    "written",
    [
        "Fri, May 3, 2024, 12:01:02 - ", "Fri, May 3, 2024, 12:01:02\u202fPM - ", "Fri, 3 May 2024, 0:01:02 pm - ",
        "2024年5月3日周五 12:01:02 - ", "2024年5月3日周五 下午12:01:02 - ", "2024年5月3日(金) 午後0:01:02 - ", "2024년 5월 3일 (금) 12:01:02 - ",
        "Fr., 3. Mai 2024, 12:01:02 - ", "ven. 3 mai 2024, 12:01:02 - ", "vie, 3 may 2024, 12:01:02 p. m. - ", "пт, 3 мая 2024 г., 12:01:02 - ",
        "sex., 3 de mai. de 2024, 12:01:02 - ", "sexta, 3/05/2024, 12:01:02 - ", "pá 3. 5. 2024 12:01:02 - ", "pe 3.5.2024 klo 12.01.02 - ",
        "3 May 2024 Cum ÖS 12:01:02 - ", "2024-05-03, pn 12:01:02 - ", "2024. máj. 3., P 12:01:02 - ", "dv., 3 de maig 2024, 12:01:02 - ", "pet, 3. svi 2024. 12:01:02 - ", "12:01:02 CH Thứ 6, 3 thg 5, 2024 - ",
        "5/3/2024, 12:01:02 PM - ",
    ],
)  # fmt: skip
def test_element_writes_dates_in_words_or_in_numbers(written: str) -> None:
    head = element_head(f"{written}ada: hi - there")

    assert head is not None
    order = DateOrder.YEAR_MONTH_DAY if head.parts[0] > 31 else DateOrder.MONTH_DAY_YEAR
    assert (order.day_number(head.parts), head.second, head.end) == (19846, 43262, len(written))


@pytest.mark.parametrize(
    "written",
    [
        "mar, 24 xyz 2024, 13:08:58 - ",  # a weekday that looks like a month, beside one that is not
        "lu, 1 Jan 2024, 7:00:04 xtm - ",  # a word of unknown half
        "I said on Fri, May 3, 2024, at 12:01:02 sharp - ",
        "Fri, May 3, 2024, 12:01 - ",
    ],
)
def test_what_is_no_certain_date_begins_no_message(written: str) -> None:
    assert element_head(f"{written}ada: hi") is None


def test_todays_text_export_of_element_is_read(tmp_path: Path) -> None:
    path = tmp_path / "matrix - Tea - Chat Export - 2024-05-17T16-58-32.517Z.txt"
    lines = (
        "Ada: hello: you\nsecond line", 'Bob changed the topic to "tea: green".', "Bob banned Eve: spam: much",
        "* Bob waves: hi", "@carl:x.invalid: hi - there", "Ada has started a poll - when: now or later?",
    )  # fmt: skip
    path.write_text("".join(f"Fri, May 3, 2024, 12:01:0{at} - {line}\n" for at, line in enumerate(lines)), "utf-8")

    found = messages_with(MatrixText(), path)

    assert summary_of(path).by_conversation[0].title == "Tea"
    assert [one.sender_name for one in found] == ["Ada", None, None, None, "@carl:x.invalid", None]
    assert [one.kind for one in found[1:4]] == [MessageKind.SYSTEM, MessageKind.SYSTEM, MessageKind.TEXT]
    assert (found[0].text, found[4].text) == ("hello: you\nsecond line", "hi - there")
    assert [one.ts_utc_us for one in found[:2]] == [1714737660_000_000, 1714737661_000_000]


def test_a_month_in_an_unknown_language_begins_a_message_where_the_others_are_built_alike(tmp_path: Path) -> None:
    path = tmp_path / "matrix - Tea - Chat Export - 2024-05-17T16-58-32.517Z.txt"
    path.write_text(
        "3 may 2024, C., 12:01:02 - Ada: one\n3 xxx 2024, C., 12:01:03 - Bob: two\n3 xxx at 12:01:03 - no head\n",
        "utf-8",
    )

    found = messages_with(MatrixText(), path)

    assert [(one.sender_name, one.text) for one in found] == [
        ("Ada", "one"),
        ("Bob", "two\n3 xxx at 12:01:03 - no head"),
    ]
    assert [one.ts_utc_us for one in found] == [1714737662_000_000, None]
