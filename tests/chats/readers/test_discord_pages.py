"""DiscordChatExporter's pages and plain text, read into the model."""

from pathlib import Path

import pytest
from chat_reading import messages_with, read_with, summary_of
from chat_samples import SAMPLES, discord_message, discord_page, discord_words

from backupkit.chats.model import Direction, Finding, MediaState, MessageKind, Precision, Reaction
from backupkit.chats.readers.discord_html import DiscordHtml
from backupkit.chats.readers.discord_text import DiscordText


def sample(tmp_path: Path, name: str) -> Path:
    file, data = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(data)
    return tmp_path / file


def codes(path: Path) -> list[str]:
    return [finding.code for finding in summary_of(path).findings]


def test_a_page_tells_senders_times_replies_files_and_reactions(tmp_path: Path) -> None:
    path = sample(tmp_path, "discord-html")

    first, second, third, fourth = messages_with(DiscordHtml(), path)
    summary = summary_of(path)

    assert (summary.format, summary.app, summary.messages, summary.conversations, summary.findings) == (
        "discord-html",
        "discord",
        4,
        1,
        (),
    )
    assert (summary.by_conversation[0].key, summary.by_conversation[0].title) == (
        "1012224565567721552",
        "Garden / Text / tea",
    )
    assert (first.sender_id, first.sender_name, first.text) == ("53", "eva", "早安 & you")
    assert (first.native_id, first.ts_utc_us, first.ts_precision) == (
        "1060953753550860429",
        1673021486_414_000,
        Precision.MILLISECOND,
    )
    assert (second.sender_name, second.text, second.reactions) == ("eva", "more", (Reaction("👍", count=3),))
    assert [(media.name, media.state) for media in second.media] == [("files/a.png", MediaState.MISSING)]
    assert (third.sender_name, third.text, third.reply_to, len(third.edits)) == (
        "tom",
        "again",
        "1060953753550860429",
        1,
    )
    assert (fourth.kind, fourth.direction, fourth.sender_name, fourth.text) == (
        MessageKind.SYSTEM,
        Direction.SYSTEM,
        "tom",
        "joined the server.",
    )


def test_a_page_whose_quotes_and_end_tags_were_left_out_is_read(tmp_path: Path) -> None:
    number = 1060953753550860429
    group = discord_message(number, discord_words("a"), quote="") + discord_message(
        number + 1, discord_words("b"), sender=None, quote=""
    )
    data = discord_page(group, written=2, quote="").replace(b"</body></html>", b"")
    (tmp_path / "page.html").write_bytes(data)

    found = messages_with(DiscordHtml(), tmp_path)

    assert [(one.sender_name, one.text) for one in found] == [("eva", "a"), ("eva", "b")]
    assert codes(tmp_path) == []


def test_older_pages_name_the_sender_before_the_messages(tmp_path: Path) -> None:
    def group(name: str, *numbers: int) -> str:
        said = "".join(
            f'<div class="chatlog__message " data-message-id="{number}" id="message-{number}">'
            f'<div class="chatlog__content"><div class="markdown">said {number}</div></div></div>'
            for number in numbers
        )
        head = f'<span class="chatlog__author-name" title="{name}#1" data-user-id="7{len(name)}">{name}</span>'
        return f'<div class="chatlog__messages">{head}<span class="chatlog__timestamp">06-Jan-23</span>{said}</div>'

    first = 1060953753550860429
    page = discord_page(group("eva", first, first + 1), group("thomas", first + 2), entries=("Direct Messages", "tom"))
    (tmp_path / "page.html").write_bytes(page)

    found = messages_with(DiscordHtml(), tmp_path)
    summary = summary_of(tmp_path)

    assert [(one.sender_id, one.sender_name) for one in found] == [("73", "eva"), ("73", "eva"), ("76", "thomas")]
    assert found[2].text == f"said {first + 2}"
    assert (summary.by_conversation[0].kind.value, summary.findings) == ("private", ())


def test_a_page_that_is_cut_or_holds_less_than_it_says_is_told(tmp_path: Path) -> None:
    group = discord_message(1060953753550860429, discord_words("a"))
    whole = discord_page(group, group.replace("860429", "860430"), written=2)
    (tmp_path / "cut.html").write_bytes(whole[: whole.index(b"860430") + 200])
    assert codes(tmp_path / "cut.html")[-1] == "export-cut"

    (tmp_path / "less.html").write_bytes(discord_page(group, written=1234))
    (finding,) = summary_of(tmp_path / "less.html").findings

    assert (finding.code, finding.facts["declared"], finding.facts["counted"]) == ("declared-differs", 1234, 1)


def test_plain_text_is_read_with_its_sections(tmp_path: Path) -> None:
    path = sample(tmp_path, "discord-text")

    found = messages_with(DiscordText(), path)
    summary = summary_of(path)

    assert (summary.format, summary.messages, summary.conversations, summary.findings) == ("discord-text", 6, 1, ())
    assert summary.by_conversation[0].title == "Garden / Text / tea"
    assert found[0].ts_utc_us == 1673258400_000_000
    assert found[1].text == "hi 1\n\n[1/2/2023 10:01 AM] is no head"
    assert [(media.name, media.state) for media in found[2].media] == [
        ("https://cdn.invalid/a.png?ex=1", MediaState.OMITTED),
        ("files/b.mp4", MediaState.MISSING),
    ]
    assert (found[3].sender_name, found[3].reactions) == ("eva#1", (Reaction("🥶", count=2), Reaction("wave")))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("13.01.2023 22:02", 1673647320),
        ("13-Jan-23 10:02 PM", 1673647320),
        ("2023-01-13 22:02", 1673647320),
        ("2023/1/13 22:02", 1673647320),
        ("2023. 01. 13. 오후 10:02", 1673647320),
        ("1/13/2023 10:02\u202fPM", 1673647320),
    ],
)
def test_times_of_plain_text_are_those_of_the_computers_language(tmp_path: Path, written: str, expected: int) -> None:
    rule = "=" * 62
    text = f"{rule}\nGuild: G\nChannel: c\nAfter: x\n{rule}\n\n[{written}] eva\nhi\n\n\n{rule}\nExported 1 message(s)\n{rule}\n"
    (tmp_path / "c.txt").write_text(text, "utf-8")

    (found,) = messages_with(DiscordText(), tmp_path)

    assert found.ts_utc_us == expected * 1_000_000
    assert codes(tmp_path) == ["export-partial"]


def test_plain_text_without_its_last_lines_is_cut(tmp_path: Path) -> None:
    path = sample(tmp_path, "discord-text")
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"hi 4")])

    told = [one for one in read_with(DiscordText(), path) if isinstance(one, Finding)]

    assert [one.code for one in told] == ["export-cut"]
    assert summary_of(path).messages == 5


NUMBER = 1060953753550860429
SMILE = '<img loading="lazy" class="chatlog__emoji " alt="🙂" title="slight_smile" src="https://cdn.invalid/1f642.svg">'
OWN = '<img class="emoji emoji--small" alt="pepe" title="pepe" src="files/pepe.png">'
CARD = (
    '<div class="chatlog__embed"><div class="chatlog__embed-text"><div class="chatlog__embed-author">News</div><div class="chatlog__embed-title">'
    '<div class="chatlog__markdown">A title</div></div><div class="chatlog__embed-description"><div class="chatlog__markdown">said in a card</div></div></div></div>'
)
POLL = (
    '<div class="chatlog__poll"><div class="chatlog__poll-question">Eat?</div><div class="chatlog__poll-answer"><span class="chatlog__poll-answer-text">Rice</span>'
    '<span class="chatlog__poll-answer-count">3</span></div><div class="chatlog__poll-footer">3 votes</div></div>'
)
FORWARDED = (
    '<div class="chatlog__forwarded"><div class="chatlog__forwarded-header">Forwarded</div><div class="chatlog__forwarded-content">old words</div>'
    '<div class="chatlog__forwarded-timestamp">1/1/2024</div></div>'
)


@pytest.mark.parametrize(
    ("inside", "text", "kind"),
    [
        (discord_words(f"hi {SMILE} you {OWN}"), "hi 🙂 you :pepe:", MessageKind.TEXT),
        (discord_words(SMILE), "🙂", MessageKind.TEXT),
        (discord_words("<h1>Head</h1>text<ul><li>one</li><li>two</li></ul>"), "Head\ntext\none\ntwo", MessageKind.TEXT),
        (CARD, "News\nA title\nsaid in a card", MessageKind.TEXT),
        (discord_words("see") + CARD, "see", MessageKind.TEXT),
        (POLL, "Eat?\nRice 3", MessageKind.POLL),
        (FORWARDED, "old words", MessageKind.TEXT),
    ],
)
def test_a_page_tells_all_that_is_shown_as_words(tmp_path: Path, inside: str, text: str, kind: MessageKind) -> None:
    (tmp_path / "page.html").write_bytes(discord_page(discord_message(NUMBER, inside), written=1))

    found = messages_with(DiscordHtml(), tmp_path)

    assert [(one.text, one.kind, one.media) for one in found] == [(text, kind, ())]


def test_a_page_tells_stickers(tmp_path: Path) -> None:
    sticker = '<div class="chatlog__sticker" title="Wave"><img class="chatlog__sticker--media" src="files/wave.png" alt="Sticker"></div>'
    (tmp_path / "page.html").write_bytes(discord_page(discord_message(NUMBER, sticker), written=1))

    found = messages_with(DiscordHtml(), tmp_path)

    assert [(one.kind, media.name, media.role, media.state) for one in found for media in one.media] == [
        (MessageKind.STICKER, "files/wave.png", MessageKind.STICKER, MediaState.MISSING)
    ]
