"""What a damage costs: the messages that it hit, and no others. It is told, and nothing is made up for what is gone."""

import itertools
import json
import random
import re
from pathlib import Path

import pytest
from chat_damage import complaints, damages, read, spans_of
from long_exports import LONG

DAMAGES = 9


@pytest.mark.parametrize("name", LONG)
def test_a_damage_costs_the_messages_that_it_hit(tmp_path: Path, name: str) -> None:
    file, data = LONG[name](160)
    path = tmp_path / file
    path.write_bytes(data)
    whole = read(path)
    spans = spans_of(data, whole.messages)
    assert whole.formats == (name.split(maxsplit=1)[0],)
    assert len(whole.messages) == 160

    for damage in itertools.islice(damages(data, spans, random.Random(f"1 {name}")), DAMAGES):
        path.write_bytes(damage.data)
        assert not list(complaints(name.split(maxsplit=1)[0], whole, spans, damage, read(path))), damage.name


@pytest.mark.parametrize("lost", [b"\0", b"\xff"], ids=["zeros", "no text"])
@pytest.mark.parametrize("name", LONG)
def test_a_hole_gives_no_message_the_name_or_the_time_of_another(tmp_path: Path, name: str, lost: bytes) -> None:
    file, data = LONG[name](120)
    path = tmp_path / file
    path.write_bytes(data)
    whole = read(path)
    spans = spans_of(data, whole.messages)
    known = {one.text.strip(): {one.sender_name, one.sender_id, one.ts_utc_us, None} for one in whole.messages}
    dice = random.Random(f"hole {name}")

    for _hole in range(16):
        at = dice.randrange(*spans[dice.randrange(40, 110)])
        size = dice.choice([20, 40, 80, 150, 300, 1500])
        path.write_bytes((data[:at] + lost * size + data[at + size :])[: len(data)])
        for one in read(path).messages:
            said = {one.sender_name, one.sender_id, one.ts_utc_us}
            assert said <= known.get(one.text.strip(), said), f"{size} at {at}: {one.text}"


@pytest.mark.parametrize(
    ("name", "said", "key"),
    [
        ("discord-json", b"hello 30", b'"timestamp": "2023'),
        ("telegram-json on one line", b"word 30 ", b'"from": '),
        ("google-chat json", b"word 30 ", b'"created_date": '),
        ("signal-jsonl", b"word 30 ", b'"chatItem": '),
        ("wechat-chatlog json", b"word 30 ", b'"sender": '),
    ],
)
def test_a_record_that_says_two_things_under_one_name_is_told_and_not_read(
    tmp_path: Path, name: str, said: bytes, key: bytes
) -> None:
    file, data = LONG[name](60)
    path = tmp_path / file
    path.write_bytes(data)
    whole = read(path)
    # The end of a record and the beginning of the next are gone, and what is left of both is whole by its brackets.
    at = data.index(said) + len(said) - 3
    open_objects = b"}}}}, " if name == "signal-jsonl" else b", "
    path.write_bytes(data[:at] + b'"' + open_objects + data[data.index(key, at) :])

    found = read(path)

    assert {"record-not-understood", "export-damaged"} & found.codes
    assert len(found.messages) == 58
    assert not found.keys - whole.keys


@pytest.mark.parametrize(
    ("name", "mark", "begins", "ends"),
    [
        ("telegram-html", b'<div class="message', b"pull_right", b"om_name"),
        ("imessage-html", b'<div class="message"', b'<span class="sender', b'lass="sender'),
        ("google-voice", b'<div class="message', b"<cite", b"pan class"),
        ("facebook-html", b'<div class="pam', b'_3-94 _a6-o"', b"pim _a6-h"),
        ("discord-html", b'<div id="chatlog__message', b"chatlog__author", b'ser-id="'),
    ],
)
def test_two_messages_of_a_page_that_a_gap_made_one_are_nobodys(
    tmp_path: Path, name: str, mark: bytes, begins: bytes, ends: bytes
) -> None:
    file, data = LONG[name](60)
    path = tmp_path / file
    path.write_bytes(data)
    whole = read(path)
    known = {one.text.strip(): one for one in whole.messages}
    first = data.rindex(mark, 0, data.index(b"word 30 ")) if mark in data else data.index(b"word 29 ")
    second = data.index(b"word 30 ")
    path.write_bytes(data[: data.index(begins, first) + 8] + data[data.index(ends, second) :])

    found = read(path)

    assert "record-not-understood" in found.codes
    assert len(found.messages) in {58, 59}
    for one in found.messages:
        before = known.get(one.text.strip(), one)
        assert one.sender_name in {before.sender_name, None}
        assert one.ts_utc_us in {before.ts_utc_us, None}


@pytest.mark.parametrize(
    ("name", "time", "half"),
    [
        ("discord-csv", b"2023-01-16T16:30:07.41", b"2023-01-16T16:31:07.41"),
        ("google-chat json", b"Monday, January 16, 2023 at 04:30", b"January 16, 2023 at 04:31"),
        ("signal-sigtop blocks", b"Sent: Mon, 16 Jan 2023 16:30", b"an 2023 16:31"),
        ("wechat-memotrace one", b"2023-01-16 16:30", b"023-01-16 16:31"),
    ],
)
def test_a_time_made_of_two_leaves_the_words_without_a_name(
    tmp_path: Path, name: str, time: bytes, half: bytes
) -> None:
    file, data = LONG[name](60)
    path = tmp_path / file
    path.write_bytes(data[: data.index(time) + len(time)] + data[data.index(half) :])

    found = read(path)

    assert [one.sender_name for one in found.messages if one.text.startswith(("word 31 ", "hello 31"))] == [None]
    assert "record-not-understood" in found.codes


def changed(tmp_path: Path, name: str, *changes: tuple[bytes, bytes], messages: int = 60) -> Path:
    """Write an export in which each text was replaced once."""
    file, data = LONG[name](messages)
    for old, new in changes:
        assert old in data
        data = data.replace(old, new, 1)
    path = tmp_path / file
    path.write_bytes(data)
    return path


def texts(path: Path) -> list[str]:
    return [one.text.split(" 早")[0] for one in read(path).messages]


def words(*numbers: int) -> list[str]:
    return [f"word {number}" for number in numbers]


def test_a_damaged_record_of_a_list_is_told_and_the_next_is_read(tmp_path: Path) -> None:
    path = changed(tmp_path, "discord-json", (b'"content": "hello 30', b'"content": hello 30'))

    found = read(path)

    assert [one.text for one in found.messages] == [f"hello {number} 🥶" for number in range(60) if number != 30]
    assert {("record-not-understood", None), ("export-damaged", "json-broken")} <= {
        (one.code, one.facts.get("reason")) for one in found.findings
    }


def test_what_lies_in_a_damaged_record_is_no_record(tmp_path: Path) -> None:
    files = [{"id": str(number), "content": "no message", "url": "x"} for number in range(5)]
    file, data = LONG["discord-json"](60)
    channel = json.loads(data)
    channel["messages"][30]["attachments"] = files
    compact = json.dumps(channel).replace('"content": "hello 30', '"content": hello 30')
    path = tmp_path / file
    path.write_text(compact, "utf-8")

    found = read(path)

    assert len(found.messages) == 59
    assert "no message" not in {one.text for one in found.messages}


def test_the_chats_behind_a_damaged_one_keep_their_messages(tmp_path: Path) -> None:
    path = changed(
        tmp_path, "telegram-json", (b'"id": 30,', b'"id": 30"'), (b'"name": "Li",\n    "type"', b'"name": Li",\n    "type"')
    )  # fmt: skip

    found = read(path)

    # The second chat's own heading is broken, so nobody knows whose its messages are: they are not given to the first.
    assert {one.conversation for one in found.messages} == {"1"}
    assert [one.native_seq for one in found.messages] == list(range(1, 30))
    assert "export-damaged" in found.codes


def test_the_end_of_a_damaged_chat_is_not_the_end_of_the_file(tmp_path: Path) -> None:
    path = changed(tmp_path, "telegram-json", (b'"id": 30,', b'"id": 30"'))

    found = read(path)

    assert [(one.conversation, one.native_seq) for one in found.messages] == [
        ("1" if number <= 30 else "2", number) for number in range(1, 61) if number != 30
    ]


def test_a_bracket_too_many_does_not_end_a_list(tmp_path: Path) -> None:
    path = changed(
        tmp_path, "wechat-weflow json", (b'"localId": 31,', b'"localId": 31'), (b'"localId": 30,', b'"localId": 30')
    )
    twice = (
        path.read_bytes()
        .replace(b'"localId": 31 ', b'"localId": 31, ')
        .replace(b'    },\n    {\n      "localId": 40', b'    }],\n    {\n      "localId": 40')
    )
    path.write_bytes(twice)

    found = [one.native_seq for one in read(path).messages]

    assert found == [number for number in range(1, 61) if number not in {30, 31}]


@pytest.mark.parametrize("name", ["discord-csv", "discord-package csv", "kakaotalk-text csv", "wechat-memotrace whole"])
def test_a_quotation_mark_too_many_costs_a_row(tmp_path: Path, name: str) -> None:
    path = changed(tmp_path, name, (b"word 30 ", b'word "30 '))

    found = read(path)

    assert [text for text in texts(path) if text != "word 30"] == words(*(n for n in range(60) if n != 30))
    assert "export-damaged" in found.codes


def test_a_row_that_lost_its_beginning_is_no_message(tmp_path: Path) -> None:
    row = "88015,文本,Zoë,2023-01-16 16:15:07,word 15 早安 ,外婆,b,\n".encode()
    path = changed(tmp_path, "wechat-memotrace one", (row, row + row[30:]))

    assert texts(path) == words(*range(60))
    assert "export-damaged" in read(path).codes


def test_a_row_that_the_file_ends_in_has_no_time(tmp_path: Path) -> None:
    file, data = LONG["discord-package csv"](30)
    path = tmp_path / file
    path.write_bytes(data[: data.index(b"29,2023-01-16 16:29:07") + len(b"29,2023-01-16 16")])

    found = read(path)

    assert len(found.messages) == 29
    assert "export-cut" in found.codes


@pytest.mark.parametrize("mark", [b"&", b"<", b'" x"', b"\0\0\0\0"])
def test_a_broken_text_message_costs_itself(tmp_path: Path, mark: bytes) -> None:
    path = changed(
        tmp_path,
        "sms-xml",
        (b'type="1" subject="null" body="word 30', b'type="1" ' + mark + b' subject="null" body="word 30'),
    )

    found = read(path)

    assert [one.text.split(" 早")[0] for one in found.messages] == words(*(n for n in range(60) if n != 30))
    assert "export-damaged" in found.codes
    assert found.messages[40].locator.place == "line 44"


@pytest.mark.parametrize(
    "name", ["whatsapp-text", "line-text", "qq-text", "telegram-html", "facebook-html", "imessage-html", "qq-mht", "google-voice"]
)  # fmt: skip
def test_zeros_where_messages_were_are_told(tmp_path: Path, name: str) -> None:
    file, data = LONG[name](160)
    middle = data.index(b"word 80 ")
    (tmp_path / file).write_bytes(data[: middle - 400] + bytes(400) + data[middle:])

    found = read(tmp_path / file)

    assert "text-not-utf-8" in found.codes
    assert 140 < len(found.messages) < 160


@pytest.mark.parametrize("name", ["whatsapp-text", "line-text", "kakaotalk-text android", "qq-text", "signal-text"])
def test_zeros_near_the_beginning_do_not_hide_a_chat(tmp_path: Path, name: str) -> None:
    file, data = LONG[name](160)
    (tmp_path / file).write_bytes(data[:1500] + bytes(500) + data[2000:])

    assert len(read(tmp_path / file).messages) > 140


def test_one_damaged_digit_does_not_turn_the_dates_of_a_chat_around(tmp_path: Path) -> None:
    path = changed(tmp_path, "whatsapp-text iphone")
    before = [one.ts_utc_us for one in read(path).messages]
    path.write_bytes(path.read_bytes().replace(b"[16.01.23, 16:30", b"[56.01.23, 16:30", 1))

    after = [one.ts_utc_us for one in read(path).messages]

    assert [one for place, one in enumerate(after) if place != 30] == [
        one for place, one in enumerate(before) if place != 30
    ]
    assert after[30] is None


@pytest.mark.parametrize("name", ["imessage-text", "qq-text", "discord-text"])
def test_half_a_name_is_nobodys(tmp_path: Path, name: str) -> None:
    file, data = LONG[name](60)
    at = data.rindex(b"Li", 0, data.index(b"word 29 "))
    (tmp_path / file).write_bytes(data[: at + 1])

    found = read(tmp_path / file)

    assert {one.sender_name for one in found.messages} == {"Zoë", "外婆", "Li"}
    assert len(found.messages) == 29
    assert "export-cut" in found.codes


@pytest.mark.parametrize(("name", "mark"), [("qq-mht", b"<tr>"), ("google-voice", b"<div class=")])
def test_two_messages_that_ran_together_have_one_sender(tmp_path: Path, name: str, mark: bytes) -> None:
    file, data = LONG[name](60)
    at = data.rindex(mark, 0, data.index(b"word 30 "))
    (tmp_path / file).write_bytes(data[: at - 6] + b"\xff" * 12 + data[at + 6 :])

    found = read(tmp_path / file)

    assert {one.sender_name for one in found.messages} == {"Zoë", "外婆", "Li"}
    assert [one.text.split(" 早")[0] for one in found.messages] == words(*(n for n in range(60) if n != 30))
    assert "text-not-utf-8" in found.codes


@pytest.mark.parametrize(
    "name", ["whatsapp-text", "telegram-html", "facebook-html", "qq-mht", "telegram-json", "discord-csv"]
)
def test_a_message_longer_than_any_is_told_and_those_behind_it_are_read(tmp_path: Path, name: str) -> None:
    path = changed(tmp_path, name, (b"word 30 ", b"word 30 " + b"a" * (17 * 2**20)))

    found = read(path)

    assert set(words(*range(30), *range(31, 60))) - {"word 0"} <= set(texts(path))
    assert found.codes & {"export-damaged", "text-not-utf-8"}


def test_a_record_that_says_nothing_is_no_message(tmp_path: Path) -> None:
    path = changed(tmp_path, "telegram-json", (b'"messages": [', b'"messages": [{}, {"other": 1},'))

    found = read(path)

    assert len(found.messages) == 60
    assert [finding.code for finding in found.findings] == ["record-not-understood"] * 2


def test_a_tag_with_a_million_attributes_costs_its_message(tmp_path: Path) -> None:
    path = changed(tmp_path, "facebook-html", (b"word 30 ", b"<p " + b"a=b " * 800_000 + b">word 30 "))

    assert texts(path) == words(*(n for n in range(60) if n != 30))
    assert "record-not-understood" in read(path).codes


@pytest.mark.parametrize("name", ["facebook-json", "matrix-json", "wechat-weflow json", "wechat-chatlog json"])
def test_what_is_no_number_costs_a_time_and_no_chat(tmp_path: Path, name: str) -> None:
    file, data = LONG[name](60)
    (tmp_path / file).write_bytes(re.sub(rb"16730\d{5,8}", b"NaN", data, count=1))

    found = read(tmp_path / file)

    assert len(found.messages) == 60
    assert "export-damaged" in found.codes


def test_a_damaged_first_message_does_not_hide_a_day_of_slack(tmp_path: Path) -> None:
    file, data = LONG["slack-export json"](60)
    (tmp_path / file).write_bytes(re.sub(rb'"16730\d{5}\.0', b'"?.0', data, count=1))

    found = read(tmp_path / file)

    assert len(found.messages) == 60
    assert [one.ts_utc_us for one in found.messages].count(None) == 1


@pytest.mark.parametrize(
    ("name", "heading"),
    [("line-text", "2023/01/17("), ("kakaotalk-text windows", "2023년 1월 17일"), ("qq-mht", "日期: 2023-01-17")],
)
def test_behind_a_hole_that_took_a_day_nobody_spoke_on_another(tmp_path: Path, name: str, heading: str) -> None:
    file, data = LONG[name](520)
    at = data.index(heading.encode())
    path = tmp_path / file
    path.write_bytes(data)
    before = {one.text: one.ts_utc_us for one in read(path).messages}
    # The day is written above every fortieth message, so that the next heading is there to tell it again.
    path.write_bytes(data[: at - 10] + bytes(60) + data[at + 50 :])

    after = {one.text: one.ts_utc_us for one in read(path).messages}

    assert len(after) > 515
    assert all(when in {None, before[text]} for text, when in after.items() if text in before)
    assert 0 < list(after.values()).count(None) <= 40
