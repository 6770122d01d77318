"""What Element's web pages of a room say, in the model."""

from pathlib import Path

import pytest
from chat_reading import messages_with, read_with, summary_of
from chat_samples import SAMPLES, element_day, element_entry, element_page, element_words

from backupkit.chats.model import (
    Conversation,
    DeletionState,
    Direction,
    Edit,
    Finding,
    MediaState,
    Message,
    MessageKind,
    Precision,
)
from backupkit.chats.readers.matrix_html import MatrixHtml

FIRST = 1673568000  # 2023-01-13 at midnight
DAY = element_day("Fri, Jan 13, 2023")


def write(folder: Path, *entries: str, name: str = "messages.html") -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_bytes(element_page(*entries))
    return folder / name


def only(tmp_path: Path, said: str, **more: str) -> Message:
    (found,) = messages_with(MatrixHtml(), write(tmp_path, DAY, element_entry(1, "10:01", said, sender="Ada", **more)))
    return found


def test_a_room_is_read_with_its_days_names_and_pictures(tmp_path: Path) -> None:
    name, data = SAMPLES["matrix-html"](tmp_path)
    (tmp_path / name).write_bytes(data)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"x")

    told = read_with(MatrixHtml(), tmp_path)
    summary = summary_of(tmp_path)

    messages = [one for one in told if isinstance(one, Message)]
    rooms = [one for one in told if isinstance(one, Conversation)]
    assert (summary.format, summary.app, summary.messages, summary.findings) == ("matrix-html", "element", 5, ())
    assert [one.text for one in messages] == ["Ada joined the room", "早安: you", "a second\n\nline", "", "<ada> yes"]
    assert [one.sender_name for one in messages] == [None, "Ada", "Ada", "Bob", "Bob"]
    assert [one.ts_utc_us // 1_000_000 - FIRST for one in messages if one.ts_utc_us] == [
        36060, 36060, 36120, 79320, 86_400 + 79380,
    ]  # fmt: skip
    assert [one.direction for one in messages] == [
        Direction.SYSTEM, Direction.OUT, Direction.OUT, Direction.IN, Direction.IN,
    ]  # fmt: skip
    assert (messages[1].native_id, messages[1].sender_id, messages[1].ts_precision) == (
        "$e1",
        "@ada:example.org",
        Precision.MINUTE,
    )
    assert (messages[3].kind, messages[3].media[0].state) == (MessageKind.IMAGE, MediaState.PRESENT)
    assert rooms[-1].title == 'Tea & "cake"'
    assert [(one.name, one.is_owner) for one in rooms[-1].participants] == [("Ada", True), ("Bob", False)]


def test_an_answer_an_edit_and_a_removed_message_are_told_as_such(tmp_path: Path) -> None:
    anchor = (
        '<div class="mx_ReplyChain_wrapper"><div><p class="mx_ReplyChain_Export">In reply to '
        '<a class="mx_reply_anchor" href="#$e0" scroll-to="$e0"> this message </a></p></div><div></div></div>'
    )
    edited = '<div class="mx_EventTile_edited" role="button"><span>(edited)</span></div>'
    answer = only(tmp_path / "a", anchor + element_words("yes") + edited)
    removed = only(tmp_path / "b", '<span class="mx_RedactedBody" title="x">Message deleted</span>')

    assert (answer.text, answer.reply_to, answer.edits) == ("yes", "$e0", (Edit(),))
    assert (removed.text, removed.kind, removed.deletion) == ("", MessageKind.RECALL, DeletionState.RECALLED)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('one<br>two <span class="mx_Emoji" title=":x:">😀</span>', "one\ntwo 😀"),
        (
            '<a class="mx_Pill" href="https://matrix.to/#/@bob:example.org"><span class="_a mx_BaseAvatar">b</span><span>Bob</span></a>: hi',
            "Bob: hi",
        ),
        (
            '<div class="mx_EventTile_pre_container"><pre><span class="mx_EventTile_lineNumbers"><span>1</span></span><code>a = 1\n  b</code></pre></div>',
            "a = 1\n  b",
        ),
        ("&lt;div class=&quot;mx_Export_EventWrapper&quot;&gt;", '<div class="mx_Export_EventWrapper">'),
    ],
)
def test_words_are_told_without_what_the_app_draws_beside_them(tmp_path: Path, said: str, expected: str) -> None:
    assert only(tmp_path, element_words(said)).text == expected


def test_what_somebody_does_has_the_name_in_its_line(tmp_path: Path) -> None:
    deed = (
        '<div class="mx_MEmoteBody mx_EventTile_content" dir="auto">*&nbsp;<span class="mx_MEmoteBody_sender">Ada</span>'
        '&nbsp;<span class="mx_EventTile_body" dir="auto">waves</span></div>'
    )

    (found,) = messages_with(MatrixHtml(), write(tmp_path, DAY, element_entry(1, "10:01", deed)))

    assert (found.sender_name, found.text) == ("Ada", "waves")


def test_files_that_were_left_out_and_messages_nobody_could_read_are_told(tmp_path: Path) -> None:
    sealed = '<div class="mx_DecryptionFailureBody mx_EventTile_content">Unable to decrypt message</div>'
    file = '<span class="mx_MFileBody"><a href="files/b.pdf"><div class="mx_MediaBody mx_MFileBody_info">b.pdf</div></a></span>'
    write(
        tmp_path,
        DAY,
        element_entry(1, "10:01", element_words("<em>Media omitted</em>"), sender="Ada"),
        element_entry(2, "10:02", element_words("Media omitted"), sender="Bob"),
        element_entry(3, "10:02", file, sender="Ada"),
        element_entry(4, "10:03", sealed, sender="Bob"),
    )

    told = read_with(MatrixHtml(), tmp_path)

    omitted, words, missing, unread = [one for one in told if isinstance(one, Message)]
    assert (omitted.text, omitted.media[0].state, words.text, words.media) == (
        "",
        MediaState.OMITTED,
        "Media omitted",
        (),
    )
    assert (missing.text, missing.media[0].name, missing.media[0].state) == ("", "files/b.pdf", MediaState.MISSING)
    assert (unread.kind, unread.text) == (MessageKind.OTHER, "Unable to decrypt message")
    assert [one.code for one in told if isinstance(one, Finding)] == ["undecryptable"]


@pytest.mark.parametrize(
    ("label", "clock"),
    [
        ("Fr., 13. Jan. 2023", "10:01"),
        ("2023年1月13日周五", "10:01"),
        ("ven. 13 janv. 2023", "10:01"),
        ("pe 13.1.2023", "10.01"),
    ],
)
def test_days_are_read_in_other_languages(tmp_path: Path, label: str, clock: str) -> None:
    path = write(tmp_path, element_day(label), element_entry(1, clock, element_words("x"), sender="Ada"))

    (found,) = messages_with(MatrixHtml(), path)

    assert found.ts_utc_us == (FIRST + 36060) * 1_000_000


def test_the_moment_that_older_versions_tell_holds(tmp_path: Path) -> None:
    day = '<li><h2 class="mx_DateSeparator" role="separator" tabindex="-1" aria-label="Fri, Jan 13, 2023"><hr role="none"/><div aria-hidden="true">Fri, Jan 13, 2023</div></h2></li>'
    entry = element_entry(1, "10:01", element_words("x"), sender="Ada").replace(
        '<span class="mx_MessageTimestamp" aria-hidden="true">',
        '<span class="mx_MessageTimestamp" title="Fri, Jan 13, 2023, 10:01:17" aria-hidden="true">',
    )

    (found,) = messages_with(MatrixHtml(), write(tmp_path, day, entry, name="index.html"))

    assert (found.ts_utc_us, found.ts_precision) == ((FIRST + 36077) * 1_000_000, Precision.SECOND)


def test_the_pages_of_a_room_follow_each_other_and_a_missing_one_is_told(tmp_path: Path) -> None:
    further = '<div style="text-align:center"><a href="./messages{}.html" style="font-weight:bold">Next group of messages</a></div>'
    for number in (1, 2, 10):
        entry = element_entry(number, "10:01", element_words(str(number)), sender=f"N{number}")
        name = f"messages{number if number > 1 else ''}.html"
        write(tmp_path, DAY, entry, further.format(number + 1) if number < 10 else "", name=name)

    told = read_with(MatrixHtml(), tmp_path)

    rooms = [one for one in told if isinstance(one, Conversation)]
    assert [one.text for one in told if isinstance(one, Message)] == ["1", "2", "10"]
    assert {one.key for one in rooms} == {'Tea & "cake"'}
    assert len(rooms[-1].participants) == 3
    assert [(one.code, one.facts["name"]) for one in told if isinstance(one, Finding)] == [
        ("shard-missing", "messages3.html")
    ]


@pytest.mark.parametrize(
    "line",
    [
        '<div class="mx_EventTile_line"><span class="mx_MessageTimestamp" aria-hidden="true">10:01</span>',
        '<div id="1" class="mx_EventTile_line"><a href="https://matrix.to/#/!r:example.org/49" class="mx_MessageTimestamp" aria-live="off">10:01</a>',
    ],
)
@pytest.mark.parametrize("profile", ["mx_DisambiguatedProfile", "mx_SenderProfile"])
def test_each_form_in_which_the_app_wrote_a_message_is_read(tmp_path: Path, line: str, profile: str) -> None:
    day = (
        '<li><div class="_dateSeparator_15xjf_9 mx_DateSeparator" role="separator" aria-label="Fri, Jan 13, 2023"><hr role="none"/>'
        '<h2 class="_dateHeading_15xjf_29 mx_DateSeparator_dateHeading" aria-hidden="true">Fri, Jan 13, 2023</h2></div></li>'
    )
    entry = (
        f'<div class="mx_Export_EventWrapper" id="49"><li class="mx_EventTile" tabindex="-1" aria-live="off"><div class="{profile}">'
        f'<span class="mx_Username_color4 {profile}_displayName" dir="auto">@user49:example.com</span></div>{line}'
        '<div class="mx_MTextBody mx_EventTile_content"><span class="mx_EventTile_body" dir="auto">Message #49</span></div></div></li></div>'
    )

    (found,) = messages_with(MatrixHtml(), write(tmp_path, day, entry))

    assert (found.sender_id, found.text, found.direction) == ("@user49:example.com", "Message #49", Direction.UNKNOWN)
    assert found.ts_utc_us == (FIRST + 36060) * 1_000_000
