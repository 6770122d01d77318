"""Sentences from codes and facts."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from backupkit.errors import Fact
from backupkit.i18n import LANGUAGES, Catalogue, messages
from backupkit.i18n.amounts import length_of_time
from backupkit.i18n.catalogue import find


def say(template: str, /, **facts: Fact) -> str:
    catalogue = Catalogue("en", UTC)
    known = messages("en")
    assert isinstance(known, dict)
    known["test"] = template
    try:
        return catalogue.say("test", **facts)
    finally:
        del known["test"]


def test_a_missing_sentence_comes_back_as_its_key() -> None:
    assert Catalogue("en").say("error.no-such-thing.what", path="x") == "error.no-such-thing.what"


def test_a_missing_fact_is_shown_as_its_placeholder() -> None:
    assert say("{path} is gone") == "{path} is gone"


def test_counts_have_their_thousands_apart_and_names_do_not() -> None:
    assert say("{messages} in {pid}", messages=1204331, pid=41210) == "1,204,331 in 41210"


def test_english_has_one_and_many() -> None:
    template = "{n} {n:plural:message|messages}"

    assert say(template, n=1) == "1 message"
    assert say(template, n=0) == "0 messages"


def test_sizes_ids_times_and_spans_have_forms() -> None:
    assert say("{b:size}", b=6_200_000_000) == "6.2 GB"
    assert say("{s:short}", s="7c1f09ab" + "0" * 56) == "7c1f09ab"
    assert say("{s:short}", s="not-an-id-at-all") == "not-an-id-at-all"
    assert say("{path:shell}", path="/home/me/My chats") == "'/home/me/My chats'"
    assert say("{path:shell}", path="/home/me/chats") == "/home/me/chats"
    assert say("{t:time}", t="2018-06-01T08:30:00Z") == "2018-06-01 08:30 +00:00"
    assert say("{t:span}", t=252) == "4 min 12 s"


def test_a_place_in_a_file_is_named_in_the_language_of_the_reader() -> None:
    assert Catalogue("zh-CN").place("line 7") == "第 7 行"
    assert Catalogue("en").place("line 7") == "line 7"
    assert [Catalogue("zh-CN").place(other) for other in ("/messages/3", "line up", "")] == [
        "/messages/3",
        "line up",
        "不明位置",
    ]


def test_times_for_people_carry_their_zone() -> None:
    shanghai = Catalogue("zh-CN", timezone(timedelta(hours=8)))

    assert shanghai.time("2018-06-01T08:30:00Z") == "2018-06-01 16:30 +08:00"
    assert shanghai.time(datetime(2018, 6, 1, tzinfo=UTC)) == "2018-06-01 08:00 +08:00"
    assert shanghai.time(None) == "从未"


def test_unknown_is_said_in_words() -> None:
    assert say("{messages}", messages=None) == "unknown"


@given(st.text())
def test_no_fact_can_speak_to_the_terminal(fact: str) -> None:
    shown = say("[{name}]", name=fact)

    assert not Counter(shown).keys() & {"\x1b", "\n", "\r", "\u202e", "\x07", "\u009b"}


@given(st.integers(min_value=0, max_value=10**9))
def test_every_length_of_time_can_be_written(seconds: int) -> None:
    for language in LANGUAGES:
        assert length_of_time(timedelta(seconds=seconds), language)


def test_one_sentence_is_found_as_it_stands_among_all() -> None:
    """Areas that are looked for in one fragment only must lie there."""
    for language in LANGUAGES:
        assert {key: find(language, key) for key in messages(language)} == dict(messages(language))


def test_a_path_that_would_fill_the_screen_shows_its_ends() -> None:
    english, path = Catalogue("en"), "begin/" + "d/" * 4000 + "end.txt"

    said = english.say("error.source-not-found.what", path=path)

    assert len(said) < 700
    assert "begin/d/d" in said
    assert "d/d/end.txt" in said
    assert english.say("error.source-not-found.what", path="p" * 500) == f"Cannot read {'p' * 500}."
    found = english.say("finding.place-unread", file=path, reason="name-too-long")
    assert len(found) < 700
    assert "end.txt could not be looked into" in found


@pytest.mark.parametrize(
    ("app", "sentence"),
    [
        ("微信", "还没有算数的微信备份。"),
        ("Telegram", "还没有算数的 Telegram 备份。"),
        ("QQ音乐", "还没有算数的 QQ音乐备份。"),
        ("微信\x02", "还没有算数的微信\\x02 备份。"),
        ("微 信", "还没有算数的微 信备份。"),
    ],
)
def test_a_chinese_name_stands_in_a_chinese_sentence_without_spaces(app: str, sentence: str) -> None:
    assert Catalogue("zh-CN", UTC).say("reason.no-verified-backup.what", app=app) == sentence


def test_an_english_sentence_keeps_its_spaces_around_a_chinese_name() -> None:
    assert (
        Catalogue("en", UTC).say("reason.no-verified-backup.what", app="微信") == "No backup of 微信 counts here yet."
    )
