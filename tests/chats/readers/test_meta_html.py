"""The web pages of Meta's downloads, read into the model."""

from pathlib import Path

import pytest
from chat_reading import messages_with, summary_of
from chat_samples import SAMPLES, meta_block, meta_page

from backupkit.chats.model import MediaState, MessageKind, Precision, Reaction
from backupkit.chats.readers import meta_html

FACEBOOK, INSTAGRAM, _META = meta_html.READERS


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_thread_is_read_with_its_pictures_and_reactions(tmp_path: Path) -> None:
    file, data = SAMPLES["facebook-html"](tmp_path)
    thread = tmp_path / "your_facebook_activity" / "messages" / "inbox" / "zoe_1"
    write(thread / file, data)
    write(thread / "photos" / "1.jpg", b"x")

    first, second, third = messages_with(FACEBOOK, tmp_path)
    summary = summary_of(tmp_path)

    assert (summary.app, summary.format, summary.messages, summary.conversations) == (
        "messenger",
        "facebook-html",
        3,
        1,
    )
    assert (summary.by_conversation[0].key, summary.by_conversation[0].title) == ("zoe_1", "Zoë & Li")
    assert (first.sender_name, first.text, first.reactions) == ("Zoë", "早安 & you", (Reaction("❤", "Li"),))
    assert (first.ts_utc_us, first.ts_precision) == (1705333512_000_000, Precision.SECOND)
    assert (second.kind, [media.state for media in second.media]) == (MessageKind.IMAGE, [MediaState.PRESENT])
    assert (third.ts_utc_us, third.ts_precision) == (1705333380_000_000, Precision.MINUTE)
    assert summary.findings == ()


@pytest.mark.parametrize("generation", [2019, 2022, 2024])
def test_every_generation_of_the_layout_is_read(tmp_path: Path, generation: int) -> None:
    blocks = (meta_block("Li", f"hi {number}", "Jan 15, 2024, 3:45 PM", generation=generation) for number in range(3))
    write(tmp_path / "messages" / "inbox" / "li_1" / "message_1.html", meta_page(*blocks))

    summary = summary_of(tmp_path)

    assert (summary.format, summary.messages) == ("meta-html", 3)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Jan 15, 2024, 3:45:12 PM", 1705333512),
        ("Jan 15, 2024 3:45 pm", 1705333500),
        ("15 janv. 2024 à 15:45", 1705333500),
        ("15.01.2024, 15:45", 1705333500),
        ("15/01/2024 15:45", 1705333500),
        ("2024/01/15 15:45", 1705333500),
        ("2024年1月15日 15:45", 1705333500),
        ("15 ene 2024 3:45 p. m.", 1705333500),
        ("03/04/2024 15:45", None),
        ("yesterday", None),
    ],
)
def test_times_are_read_in_the_words_of_the_account(tmp_path: Path, written: str, expected: int | None) -> None:
    path = write(tmp_path / "message_1.html", meta_page(meta_block("Li", "hi", written)))

    (found,) = messages_with(_META, path)

    assert found.ts_utc_us == (None if expected is None else expected * 1_000_000)
    assert found.ts_raw == written


def test_links_that_people_send_do_not_tell_the_app(tmp_path: Path) -> None:
    said = meta_block("Li", '<a href="https://www.instagram.com/p/1">look</a>', "Jan 15, 2024, 3:45 PM")
    frame = '<a href="https://www.facebook.com/li">li</a>'

    ours = write(tmp_path / "a" / "message_1.html", meta_page(said, frame=frame))
    theirs = write(tmp_path / "b" / "message_1.html", meta_page(said))

    assert (summary_of(ours).format, summary_of(theirs).format) == ("facebook-html", "meta-html")


def test_pages_of_posts_are_no_messages_and_missing_pages_are_told(tmp_path: Path) -> None:
    block = meta_block("Li", "hi", "Jan 15, 2024, 3:45 PM")
    page = meta_page(block)
    for number in (1, 3):
        write(tmp_path / "your_instagram_activity" / "messages" / "inbox" / "li_1" / f"message_{number}.html", page)
    write(tmp_path / "your_instagram_activity" / "media" / "posts_1.html", meta_page(block, block, people=""))

    summary = summary_of(tmp_path)

    assert (summary.format, summary.messages, summary.conversations) == ("instagram-html", 2, 1)
    assert [(one.code, one.facts["name"]) for one in summary.findings] == [("shard-missing", "message_2.html")]


def test_a_page_that_was_cut_is_told(tmp_path: Path) -> None:
    whole = meta_page(meta_block("Li", "hi", "Jan 15, 2024, 3:45 PM"))
    path = write(tmp_path / "message_1.html", whole[:-20])

    summary = summary_of(path)

    assert (summary.messages, [one.code for one in summary.findings]) == (1, ["export-cut"])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("<span>❤️li.w<span> (Apr 23, 2022 5:32 pm)</span></span>", Reaction("❤️", "li.w")),
        ("<span>👍🏽 Zoë Müller</span>", Reaction("👍🏽", "Zoë Müller")),
        ("<span>👨‍👩‍👧张伟</span>", Reaction("👨‍👩‍👧", "张伟")),
        ("<span>❤</span>", Reaction("❤")),
        ("liked", Reaction("liked")),
    ],
)
def test_a_reaction_has_its_sign_and_who_gave_it(tmp_path: Path, written: str, expected: Reaction) -> None:
    block = meta_block("Li", "hi", "Jan 15, 2024, 3:45 PM", more=f'<ul class="_a6-q"><li>{written}</li></ul>')

    (found,) = messages_with(_META, write(tmp_path / "message_1.html", meta_page(block)))

    assert (found.reactions, found.text) == ((expected,), "hi")


def test_a_voice_message_is_one_and_says_nothing_of_browsers(tmp_path: Path) -> None:
    file = "your_instagram_activity/messages/inbox/li_1/audio/1.mp4"
    player = (
        f'<video src="{file}" controls="1"><a target="_blank" href="{file}"><div>Click for video:</div></a></video>'
    )
    block = meta_block("Li", "", "Jan 15, 2024 3:45 pm", generation=2024, more=player)

    (found,) = messages_with(INSTAGRAM, write(tmp_path / "message_1.html", meta_page(block)))

    assert (found.kind, found.text, [media.name for media in found.media]) == (MessageKind.VOICE, "", [file])


def test_the_heads_of_a_group_are_no_damaged_messages(tmp_path: Path) -> None:
    heads = "".join(
        f'<div class="pam _3-95 _2ph- _a6-g uiBoxWhite noborder"><h2 class="_3-95 _2pim _a6-h _a6-i">{head}</h2></div>'
        for head in ("Mailbox thread pending", "Participants: Zoë and Li")
    )
    block = meta_block("Li", "hi", "Jan 15, 2024 3:45 pm")

    summary = summary_of(write(tmp_path / "message_1.html", meta_page(block, people=heads)))

    assert (summary.messages, summary.findings) == (1, ())
