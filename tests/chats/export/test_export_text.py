import csv
import io

import pytest
from hypothesis import given, strategies as st

from backupkit.chats.export import table
from backupkit.chats.export.record import MessageRecord, conversation_record, message_record, time_text
from backupkit.chats.export.shown import as_html_with_links, file_name, language_of, shown, shown_line
from backupkit.chats.export.transcript import transcript
from backupkit.chats.model import UTC_ZONE, Conversation, Direction, Locator, Message, Participant

ACTS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x07\x1b\x9b\ud83d")


def record(text: str, **more: object) -> MessageRecord:
    message = Message("k", Locator("f"), b"{}", text=text, **more)  # type: ignore[arg-type]
    return message_record(message, "c0001", with_raw=False)


CONVERSATION = conversation_record(Conversation("k", "Title"), "c0001", app=None, format_name="x", source="s")


def test_marks_that_turn_a_line_around_are_shown_and_emoji_stay_whole() -> None:
    assert shown("photo\u202egpj.exe") == "photo\\u202egpj.exe"
    assert shown("a\x1b[2J\x00\ud83d") == "a\\x1b[2J\\x00\\ud83d"
    assert shown("👩\u200d👩\u200d👧 ❤\ufe0f") == "👩\u200d👩\u200d👧 ❤\ufe0f"


@given(st.text())
def test_no_text_keeps_a_character_that_acts(text: str) -> None:
    assert not ACTS & set(shown(text))
    assert not ACTS & set(shown_line(text))
    assert "\n" not in shown_line(text)


@given(st.text(alphabet="<>&\"' \u202eahtps:/.", max_size=60))
def test_markup_comes_out_as_text_and_only_web_addresses_as_links(text: str) -> None:
    page = as_html_with_links(text)

    without_links = page.replace("</a>", "")
    while "<a href=" in without_links:
        before, _, rest = without_links.partition('<a href="')
        address, _, rest = rest.partition('" rel="noopener noreferrer nofollow" target="_blank">')
        assert address.lower().startswith(("http://", "https://"))
        without_links = before + rest
    assert not set("<>\"'") & set(without_links)


def test_a_full_stop_after_an_address_is_not_part_of_it() -> None:
    page = as_html_with_links("见 https://example.invalid/a?b=1&c=2。 (http://x.invalid/).")

    assert 'href="https://example.invalid/a?b=1&amp;c=2"' in page
    assert 'href="http://x.invalid/"' in page
    assert "javascript:" not in as_html_with_links("javascript:alert(1)").partition("href")[2]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("photos/IMG 1.JPG", "000001-IMG-1.jpg"),
        ("page.html", "000001-page.html.bin"),
        ("a.svg", "000001-a.svg.bin"),
        ("../../etc/passwd", "000001-passwd.bin"),
        ("C:\\Windows\\run.exe", "000001-run.exe.bin"),
        ("照片.png", "000001-照片.png"),
        ("..", "000001.bin"),
        ("\u202egpj.exe", "000001-gpj.exe.bin"),
        ("x." + "y" * 300, "000001-x.bin"),
        ("CON.jpg", "000001-CON.jpg"),
    ],
)
def test_a_copied_file_has_a_name_that_stays_in_its_folder_and_runs_nowhere(name: str, given: str) -> None:
    assert file_name(name, 1) == given


@given(st.text(max_size=400))
def test_every_name_of_a_file_becomes_one_that_every_disk_takes(name: str) -> None:
    made = file_name(name, 7)

    assert made.startswith("000007")
    assert not set(made) & set('/\\:*?"<>|\0\n')
    assert len(made.encode("utf-8")) < 120


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("生日快乐", "zh"),
        ("誕生日おめでとう", "ja"),
        ("생일 축하", "ko"),
        ("Happy birthday", "en"),
        ("🎂 12", None),
        ("né", None),
    ],
)
def test_the_language_is_guessed_by_the_script(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    row = next(csv.reader(io.StringIO(table.row(CONVERSATION, record(text)), newline="")))

    assert row[table.COLUMNS.index("text")] == "'" + text


@given(st.text())
def test_a_row_reads_back_as_it_was_written(text: str) -> None:
    rows = list(csv.reader(io.StringIO(table.header() + table.row(CONVERSATION, record(text)), newline="")))

    assert [len(row) for row in rows] == [len(table.COLUMNS)] * 2
    assert rows[1][table.COLUMNS.index("text")].removeprefix("'") == shown(text).removeprefix("'")


def test_a_time_without_a_zone_claims_none() -> None:
    assert time_text(0, UTC_ZONE) == "1970-01-01T00:00:00Z"
    assert time_text(0, "unknown") == "1970-01-01T00:00:00"
    assert time_text(86_400_000_000, UTC_ZONE, "day") == "1970-01-02"
    assert time_text(2**70, UTC_ZONE) is None
    assert time_text(None, UTC_ZONE) is None


def test_a_raw_record_that_is_no_text_survives() -> None:
    message = Message("k", Locator("f"), b"\xff\x00")

    assert message_record(message, "c", with_raw=True)["raw_b64"] == "/wA="
    assert "raw" not in message_record(message, "c", with_raw=False)


def test_a_transcript_says_who_wrote_what_the_export_gives_no_name_for() -> None:
    words = {"export.you": "You"}
    conversation = conversation_record(
        Conversation("k", "Li", participants=(Participant("me", None, True),)),
        "c0001",
        app=None,
        format_name="x",
        source="s",
    )
    said = [
        record("mine", direction=Direction.OUT),
        record("mine by its id", direction=Direction.UNKNOWN, sender_id="me"),
        record("hers", direction=Direction.IN, sender_name="Li"),
        record("nobody's", direction=Direction.SYSTEM),
        record("somebody's", direction=Direction.IN),
    ]

    lines = list(transcript(conversation, said, lambda key, **_facts: words.get(key, key), None))

    assert [line.strip() for line in lines[1:]] == [
        "You: mine", "me: mine by its id", "Li: hers", "nobody's", "somebody's",
    ]  # fmt: skip
