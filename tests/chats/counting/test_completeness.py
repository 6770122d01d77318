"""What an export's own messages say against its being whole."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from chat_factory import write_whatsapp_android

from backupkit.chats.counting.completeness import Completeness, is_garbled
from backupkit.chats.counting.summary import MAX_FINDINGS_PER_CODE, summarise
from backupkit.chats.model import Locator, Media, MediaState, Message

DAY = 86_400_000_000
START = 18_000 * DAY


def said(number: int, ts_us: int, **fields: Any) -> Message:
    file = fields.pop("file", "chat.txt")
    return Message("family", Locator(file, f"line {number}"), f"raw {number}".encode(), ts_utc_us=ts_us, **fields)


def found(*messages: Message, now_us: int | None = None) -> dict[str, Any]:
    completeness = Completeness(now_us)
    for message in messages:
        completeness.message("format", message)
    return {finding.code: finding for finding in completeness.findings()}


def daily(days: int) -> list[Message]:
    return [said(day, START + day * DAY) for day in range(days)]


def test_an_export_without_a_message_is_told() -> None:
    assert set(found()) == {"no-messages"}


def test_of_a_finding_that_comes_again_and_again_some_are_told_and_the_rest_is_a_number(tmp_path: Path) -> None:
    messages = [{"id": 1, "type": "message", "date_unixtime": "1700000000", "text": "hi"}, *range(60)]
    (tmp_path / "result.json").write_text(
        json.dumps({"name": "Tea", "type": "personal_chat", "id": 7, "messages": messages})
    )

    summary = summarise(tmp_path)

    assert summary is not None
    codes = [finding.code for finding in summary.findings]
    assert codes.count("record-not-understood") == MAX_FINDINGS_PER_CODE
    (rest,) = [finding for finding in summary.findings if finding.code == "more-of-the-same"]
    assert rest.facts == {"code": "record-not-understood", "count": 60 - MAX_FINDINGS_PER_CODE}


def test_a_month_of_silence_in_a_conversation_of_every_day_is_told() -> None:
    silent = [message for day, message in enumerate(daily(150)) if not 80 <= day < 120]

    finding = found(*silent)["silent-days"]

    assert finding.facts["days"] == 40
    assert found(*daily(150)) == {}
    assert found(*[said(day, START + day * 40 * DAY) for day in range(150)]) == {}


def test_a_clock_that_was_put_back_is_told_and_newest_first_is_not() -> None:
    steady = [said(minute, START + minute * 60_000_000) for minute in range(200)]
    jumped = [*steady[:100], *[replace(one, ts_utc_us=(one.ts_utc_us or 0) - 7_200_000_000) for one in steady[100:]]]

    assert found(*jumped)["clock-jump"].locator == Locator("chat.txt", "line 100")
    assert found(*steady) == found(*steady[::-1]) == {}


def test_dates_that_cannot_be_are_told() -> None:
    messages = [*daily(3), said(9, START + 900 * DAY, ts_raw="2021"), said(10, -DAY, ts_raw="1969")]

    assert found(*messages, now_us=START + 100 * DAY)["date-implausible"].facts == {"count": 2, "time": "2021"}
    assert found(*messages)["date-implausible"].facts["count"] == 1


def test_the_same_part_twice_is_told() -> None:
    one = daily(20)
    twin = [replace(message, locator=Locator("chat (1).txt", message.locator.place)) for message in one]

    assert found(*one, *twin)["duplicate-part"].facts == {"twin": "chat.txt", "count": 20}
    assert found(*one, *twin[:-1]) == {}


def test_absent_and_broken_media_are_told_with_an_example() -> None:
    def with_media(state: MediaState) -> Message:
        return said(1, START, media=(Media("a.jpg", state),))

    gone = found(with_media(MediaState.MISSING), with_media(MediaState.CORRUPT), with_media(MediaState.OMITTED))

    assert {code: finding.facts for code, finding in gone.items()} == {
        "media-missing": {"count": 1, "name": "a.jpg"},
        "media-corrupt": {"count": 1, "name": "a.jpg"},
    }


@pytest.mark.parametrize("text", ["hÃ¤llo", "å¥½çš„", "锟斤拷锟斤拷"])
def test_text_in_a_wrong_encoding_is_told(text: str) -> None:
    assert is_garbled(text)
    assert "text-garbled" in found(said(1, START, text=text))


@pytest.mark.parametrize("text", ["好的", "naïve café", "Straße", "¥128.50", "“so”", "Ω", ""])
def test_sound_text_is_left_alone(text: str) -> None:
    assert not is_garbled(text)


def test_an_empty_export_and_a_twin_in_a_real_one_reach_the_summary(tmp_path: Path) -> None:
    write_whatsapp_android(tmp_path / "chat", messages=40)
    file = next((tmp_path / "chat").glob("*.txt"))
    (file.parent / "WhatsApp Chat with Family table (1).txt").write_bytes(file.read_bytes())

    summary = summarise(tmp_path / "chat", now=datetime(2020, 1, 1, tzinfo=UTC))

    assert summary is not None
    codes = {finding.code for finding in summary.findings}
    assert {"duplicate-part", "date-implausible"} <= codes
    assert summary.by_conversation[0].people
