"""Telegram Desktop's JSON, read into the model."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from chat_factory import write_telegram_account, write_telegram_chat
from chat_reading import messages_with, read_with, summary_of, tell_all

from backupkit.chats.counting.summary import summarise
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
    Conversation,
    ConversationKind,
    Direction,
    Finding,
    MediaState,
    Message,
    MessageKind,
)
from backupkit.chats.readers.telegram_json import TelegramJson
from backupkit.chats.reading.reader import Told
from backupkit.chats.sources.source import open_source


def read(path: Path) -> list[Told]:
    return read_with(TelegramJson(), path)


def messages_of(path: Path) -> list[Message]:
    return messages_with(TelegramJson(), path)


def write(tmp_path: Path, value: Any) -> Any:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    return path


def chat(*messages: Any, **fields: Any) -> Any:
    return {"name": "Li", "type": "personal_chat", "id": 7, "messages": list(messages), **fields}


def message(number: Any = 1, **fields: Any) -> Any:
    return {
        "id": number,
        "type": "message",
        "date": "2018-12-05T11:39:10",
        "date_unixtime": "1544006350",
        "from": "Li",
        "from_id": "user7",
        "text": "hi",
        **fields,
    }


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_chat_is_counted_with_its_media(tmp_path: Path, language: str) -> None:
    written = write_telegram_chat(tmp_path / "export", messages=300, language=language)

    summary = summary_of(written.path)

    assert (summary.format, summary.app, summary.package) == ("telegram-json", "telegram", "org.telegram.messenger")
    assert (summary.messages, summary.conversations) == (300, 1)
    assert (summary.media, summary.media_missing) == (written.media, written.media_missing)
    assert summary.findings == ()


def test_an_account_is_counted_chat_by_chat(tmp_path: Path) -> None:
    written = write_telegram_account(tmp_path / "export", chats=4, messages=30)

    summary = summary_of(written.path)

    assert (summary.messages, summary.conversations) == (120, 4)
    assert [part.messages for part in summary.by_conversation] == [30] * 4


def test_time_is_the_unix_time_and_not_the_date_of_the_computer(tmp_path: Path) -> None:
    (found,) = messages_of(write(tmp_path, chat(message())))

    assert found.ts_utc_us == 1544006350_000_000
    assert found.ts_zone == "utc"


def test_an_old_export_without_unix_time_has_wall_time_of_unknown_zone(tmp_path: Path) -> None:
    record = message()
    del record["date_unixtime"]

    (found,) = messages_of(write(tmp_path, chat(record)))

    assert (found.ts_utc_us, found.ts_zone) == (1544009950_000_000, "unknown")


def test_text_in_pieces_is_joined(tmp_path: Path) -> None:
    (found,) = messages_of(write(tmp_path, chat(message(text=["a ", {"type": "link", "text": "b"}, " c", 5]))))

    assert found.text == "a b c"


def test_media_are_looked_up_beside_the_export(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    (tmp_path / "photos" / "empty.jpg").write_bytes(b"")
    write(
        tmp_path,
        chat(
            message(1, photo="photos/a.jpg"),
            message(2, photo="photos/empty.jpg"),
            message(3, photo="photos/../../../etc/passwd"),
            message(4, file="(File not included. Change data exporting settings to download.)", media_type="sticker"),
            message(5, file="(File unavailable, please try again later)", mime_type="video/mp4"),
        ),
    )

    found = [message.media[0] for message in messages_of(tmp_path)]

    assert [media.state for media in found] == [
        MediaState.PRESENT,
        MediaState.CORRUPT,
        MediaState.MISSING,
        MediaState.OMITTED,
        MediaState.MISSING,
    ]
    assert [media.role for media in found][3:] == [MessageKind.STICKER, MessageKind.VIDEO]


def test_service_messages_are_messages_too(tmp_path: Path) -> None:
    service = {
        "id": 2,
        "type": "service",
        "date_unixtime": "1544006351",
        "actor": "Li",
        "actor_id": "user7",
        "action": "phone_call",
        "text": "",
    }

    found = messages_of(write(tmp_path, chat(message(), service)))[1]

    assert (found.kind, found.native_kind, found.direction) == (MessageKind.CALL, "phone_call", Direction.SYSTEM)


def test_a_private_chat_tells_who_the_owner_is(tmp_path: Path) -> None:
    found = messages_of(write(tmp_path, chat(message(), message(2, from_id="user1"))))

    assert [one.direction for one in found] == [Direction.IN, Direction.OUT]


def test_replies_edits_forwards_and_reactions_are_kept(tmp_path: Path) -> None:
    record = message(
        reply_to_message_id=9,
        forwarded_from="Wang",
        edited_unixtime="1544006999",
        reactions=[{"type": "emoji", "count": 2, "emoji": "👍"}],
    )

    (found,) = messages_of(write(tmp_path, chat(record)))

    assert (found.reply_to, found.forward_of) == ("9", "Wang")
    assert found.edits[0].ts_utc_us == 1544006999_000_000
    assert (found.reactions[0].symbol, found.reactions[0].count) == ("👍", 2)


def test_the_raw_record_is_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, chat(message(text="早安")))

    (found,) = messages_of(path)

    assert found.raw in path.read_bytes()
    assert json.loads(found.raw)["text"] == "早安"


def test_a_conversation_comes_first_and_again_with_its_people(tmp_path: Path) -> None:
    told = read(write(tmp_path, chat(message())))

    assert isinstance(told[0], Conversation)
    assert told[0].key == "7"
    assert isinstance(told[-1], Conversation)
    assert told[-1].kind is ConversationKind.PRIVATE
    assert [person.name for person in told[-1].participants] == ["Li"]


def test_a_gap_in_a_supergroup_is_told_and_in_a_private_chat_is_not(tmp_path: Path) -> None:
    records = [message(number) for number in (1, 2, 3, 7, 8)]

    group = read(write(tmp_path, chat(*records, type="private_supergroup")))
    private = read(write(tmp_path, chat(*records)))

    (gap,) = [told for told in group if isinstance(told, Finding)]
    assert (gap.code, gap.facts["count"], gap.facts["first"]) == ("sequence-gap", 3, 4)
    assert not [told for told in private if isinstance(told, Finding)]


def test_a_cut_export_delivers_what_lies_before_the_cut(tmp_path: Path) -> None:
    path = write(tmp_path, chat(*[message(number) for number in range(50)]))
    path.write_bytes(path.read_bytes()[:-700])

    summary = summary_of(path)

    assert summary.messages in range(40, 50)
    assert [finding.code for finding in summary.findings] == ["export-cut"]
    assert summary.is_damaged


def test_a_broken_export_raises_once_after_everything_readable(tmp_path: Path) -> None:
    path = write(tmp_path, chat(*[message(number) for number in range(50)]))
    data = path.read_bytes()
    at = data.index(b'"id": 30')
    path.write_bytes(data[:at] + b"@" + data[at:])
    told: list[Told] = []

    with open_source(path) as source, pytest.raises(MalformedExport) as caught:
        tell_all(TelegramJson().read(source, TelegramJson().recognise(source)), told)

    assert [one.native_seq for one in told if isinstance(one, Message)] == [n for n in range(50) if n != 30]
    assert caught.value.reason == "json-broken"


def test_a_damaged_file_does_not_hide_another(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        write(folder, chat(message(), id=name))
    (tmp_path / "a" / "result.json").write_bytes((tmp_path / "a" / "result.json").read_bytes()[:-2] + b"@@@")

    summary = summary_of(tmp_path)

    assert summary.conversations == 2
    assert summary.messages == 2
    assert [finding.code for finding in summary.findings] == ["export-damaged"]


def test_a_record_that_is_no_object_is_told_and_passed_over(tmp_path: Path) -> None:
    summary = summary_of(write(tmp_path, chat(message(), 5, "x", message(2))))

    assert summary.messages == 2
    assert [finding.code for finding in summary.findings] == ["record-not-understood"] * 2


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"messages": []},
        {"messages": [{"type": "message"}]},
        {"messages": [{"text": "x", "date_unixtime": "1"}]},
        {"chats": {"list": [{"messages": [{"role": "user", "content": "x"}]}]}},
        {"messages": {"type": "message"}},
        "telegram",
    ],
)
def test_what_only_resembles_it_is_not_taken(tmp_path: Path, value: Any) -> None:
    assert summarise(write(tmp_path, value)) is None


def test_an_odd_value_in_any_field_never_stops_the_reading(tmp_path: Path) -> None:
    odd = [None, True, -1, 2**70, 1.5, "", "x", [], [None], {}, {"a": 1}]
    records = [message(), *({**message(), key: value} for key in message() for value in odd if key != "type")]
    records += [
        message(**{key: value})
        for key in ("photo", "file", "reactions", "reply_to_message_id", "edited_unixtime", "file_size", "mime_type")
        for value in odd
    ]

    assert len(messages_of(write(tmp_path, chat(*records)))) == len(records)


def test_memory_does_not_grow_with_the_export(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    record = json.dumps(message(text="x" * 400)).encode()
    with path.open("wb") as stream:
        stream.write(b'{"name":"Li","type":"personal_chat","id":7,"messages":[')
        stream.write(b",".join([record] * 12_000))
        stream.write(b"]}")

    tracemalloc.start()
    summary = summary_of(path)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert summary.messages == 12_000
    assert peak < 12 * 2**20


def test_control_characters_in_telegrams_own_way_cost_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, chat(message(1, text="a-b"), message(2)))
    path.write_bytes(path.read_bytes().replace(b"a-b", b"a\\x0Bb"))

    found = messages_of(path)

    assert [one.text for one in found] == ["a\x0bb", "hi"]
    assert b"a\\x0Bb" in found[0].raw
    assert summary_of(path).findings == ()


def test_what_the_program_did_not_know_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path, chat(*({"id": number, "type": "unsupported"} for number in range(1, 4)), message(4)))

    assert [one.kind for one in messages_of(path)] == [MessageKind.OTHER] * 3 + [MessageKind.TEXT]
    assert summary_of(path).messages == 4


def test_a_file_left_out_may_carry_its_name_in_front(tmp_path: Path) -> None:
    left_out = "card.vcf (File not included. Change data exporting settings to download.)"
    lost = "(File unavailable, please try again later)"
    path = write(
        tmp_path, chat(message(1, file=left_out), message(2, photo=lost), message(3, file="files/a (File 2).pdf"))
    )

    found = [one.media[0] for one in messages_of(path)]

    assert [(media.name, media.state) for media in found] == [
        ("card.vcf", MediaState.OMITTED),
        (lost, MediaState.MISSING),
        ("files/a (File 2).pdf", MediaState.MISSING),
    ]


def test_the_number_of_a_message_in_another_chat_answers_nothing_here(tmp_path: Path) -> None:
    path = write(tmp_path, chat(message(), message(2, reply_to_message_id=1, reply_to_peer_id="channel9")))

    assert [one.reply_to for one in messages_of(path)] == [None, None]


def test_reactions_name_who_gave_them_and_count_the_others(tmp_path: Path) -> None:
    recent = [{"from": "Li", "from_id": "user7"}, {"from": None, "from_id": "user8"}]
    reactions = [{"type": "emoji", "count": 5, "emoji": "👍", "recent": recent}, {"type": "paid", "count": 3}]

    (found,) = messages_of(write(tmp_path, chat(message(reactions=reactions))))

    assert [(one.symbol, one.sender, one.count) for one in found.reactions] == [
        ("👍", "Li", 1), ("👍", "user8", 1), ("👍", None, 3), ("⭐", None, 3),
    ]  # fmt: skip


def test_a_line_with_two_texts_is_no_damage_of_telegrams(tmp_path: Path) -> None:
    line = {"id": 1, "type": "service", "date_unixtime": "1544006351", "action": "send_webview_data", "text": "Order"}
    path = write(tmp_path, chat(line, message(2)))
    path.write_bytes(path.read_bytes().replace(b'"Order"', b'"Order", "text": ""'))

    assert [one.text for one in messages_of(path)] == ["Order", "hi"]
    assert summary_of(path).findings == ()


def test_a_picture_that_was_to_be_seen_once_has_expired_and_a_conference_is_a_call(tmp_path: Path) -> None:
    once = message(1, photo="(File unavailable, please try again later)", self_destruct_period_seconds=10)
    call = {"id": 2, "type": "service", "date_unixtime": "1544006351", "action": "conference_call", "text": ""}

    picture, ring = messages_of(write(tmp_path, chat(once, call)))

    assert (picture.media[0].state, ring.kind) == (MediaState.EXPIRED, MessageKind.CALL)


def test_a_chat_of_rich_messages_alone_is_known(tmp_path: Path) -> None:
    rich = {"blocks": [{"type": "paragraph", "text": {"type": "plain", "text": "tea"}}]}
    record = message(rich_message=rich)
    del record["text"]

    assert [one.text for one in messages_of(write(tmp_path, chat(record)))] == ["tea"]
