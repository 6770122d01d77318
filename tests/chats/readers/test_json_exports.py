"""What the JSON exports of Discord, Meta, Slack and Google say, in the model."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from chat_reading import messages_with, read_with, summary_of
from chat_samples import SAMPLES, discord_channel, facebook_thread, google_messages, slack_messages

from backupkit.chats.model import (
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    Finding,
    MediaState,
    Message,
    MessageKind,
)
from backupkit.chats.readers import meta_json
from backupkit.chats.readers.discord_exporter import DiscordExporter
from backupkit.chats.readers.discord_package import DiscordPackage
from backupkit.chats.readers.google_chat import GoogleChat
from backupkit.chats.readers.hangouts_json import HangoutsJson
from backupkit.chats.readers.meta_json import repaired
from backupkit.chats.readers.slack_export import SlackExport
from backupkit.chats.reading.reader import ChatReader

FACEBOOK: ChatReader = meta_json.READERS[0]


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")
    return path


def codes(path: Path) -> list[str]:
    return [finding.code for finding in summary_of(path).findings]


def test_a_discord_channel_keeps_ids_edits_replies_and_reactions(tmp_path: Path) -> None:
    found = messages_with(DiscordExporter(), write(tmp_path / "c.json", discord_channel(12)))

    assert found[0].native_id == "1060953753550860429"
    assert found[0].ts_utc_us == 1673020826_414_000
    assert found[1].reactions[0].symbol == "👍"
    assert found[2].edits[0].ts_utc_us == 1673049600_000_000
    assert found[4].reply_to == "1060953753550860429"
    assert (found[5].kind, found[5].media[0].state) == (MessageKind.STICKER, MediaState.OMITTED)


def discord_message(**fields: object) -> dict[str, object]:
    messages = discord_channel(1)["messages"]
    assert isinstance(messages, list)
    return {**messages[0], "type": "Default", "reference": None, **fields}


def read_discord(path: Path, *messages: dict[str, object], channel_type: str = "GuildTextChat") -> list[Message]:
    channel = {"id": "77", "type": channel_type, "name": "general"}
    value = {**discord_channel(0), "channel": channel, "messages": messages, "messageCount": len(messages)}
    return messages_with(DiscordExporter(), write(path / "c.json", value))


def test_a_message_forwarded_in_discord_shows_what_was_forwarded_and_answers_nothing(tmp_path: Path) -> None:
    forwarded = {
        "timestamp": "2022-12-01T10:00:00+00:00",
        "content": "the plan",
        "attachments": [{"id": "1", "url": "https://cdn.invalid/plan.png", "fileName": "plan.png", "fileSizeBytes": 3}],
        "embeds": [],
        "stickers": [],
    }
    reference = {"type": "Forward", "messageId": "1048000000000000000", "channelId": "78", "guildId": "7"}

    (found,) = read_discord(tmp_path, discord_message(content="", reference=reference, forwardedMessage=forwarded))

    assert (found.text, found.kind, [one.name for one in found.media]) == ("the plan", MessageKind.IMAGE, ["plan.png"])
    assert (found.forward_of, found.reply_to) == ("1048000000000000000", None)
    assert found.ts_utc_us == 1673020826_414_000


def test_what_an_app_posted_in_discord_as_cards_alone_is_its_text(tmp_path: Path) -> None:
    card = {
        "title": "Build 7",
        "description": "It failed.",
        "author": {"name": "Builder", "url": None},
        "footer": {"text": "ci"},
        "fields": [{"name": "Branch", "value": "main", "isInline": True}],
    }

    alone, preview = read_discord(
        tmp_path, discord_message(content="", embeds=[card]), discord_message(content="see this", embeds=[card, 7])
    )

    assert alone.text == "Builder\nBuild 7\nIt failed.\nBranch\nmain\nci"
    assert preview.text == "see this"


@pytest.mark.parametrize(
    ("kind", "expected"), [("20", "text"), ("23", "text"), ("8", "system"), ("GuildMemberJoin", "system")]
)
def test_answers_to_commands_in_discord_are_said_by_somebody(tmp_path: Path, kind: str, expected: str) -> None:
    (found,) = read_discord(tmp_path, discord_message(type=kind))

    assert found.kind.value == expected


@pytest.mark.parametrize(("channel_type", "kind"), [("DirectTextChat", "private"), ("DirectGroupTextChat", "group")])
def test_a_direct_chat_of_several_people_is_a_group(tmp_path: Path, channel_type: str, kind: str) -> None:
    read_discord(tmp_path, discord_message(), channel_type=channel_type)

    told = [one for one in read_with(DiscordExporter(), tmp_path) if isinstance(one, Conversation)]

    assert {one.kind.value for one in told} == {kind}


def test_discords_attachments_are_found_where_windows_wrote_them(tmp_path: Path) -> None:
    write(tmp_path / "c.json", discord_channel(12))
    (tmp_path / "general.json_Files").mkdir()
    (tmp_path / "general.json_Files" / "a.png").write_bytes(b"png")

    media = messages_with(DiscordExporter(), tmp_path)[3].media[0]

    assert (media.name, media.state) == ("general.json_Files/a.png", MediaState.PRESENT)


def test_a_channel_that_declares_more_than_it_holds_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "c.json", {**discord_channel(5), "messageCount": 35})

    (finding,) = summary_of(path).findings

    assert (finding.code, finding.facts["declared"], finding.facts["counted"]) == ("declared-differs", 35, 5)


def test_a_channel_in_several_parts_is_compared_with_the_sum_of_what_they_declare(tmp_path: Path) -> None:
    write(tmp_path / "general [part 1].json", discord_channel(5))
    write(tmp_path / "general [part 2].json", {**discord_channel(4), "messageCount": 4})

    whole = summary_of(tmp_path)
    write(tmp_path / "general [part 2].json", {**discord_channel(4), "messageCount": 6})
    (finding,) = summary_of(tmp_path).findings

    assert (whole.messages, whole.conversations, whole.findings) == (9, 1, ())
    assert (finding.code, finding.facts["declared"], finding.facts["counted"]) == ("declared-differs", 11, 9)


def test_a_channel_that_was_exported_for_a_stretch_of_time_is_told(tmp_path: Path) -> None:
    asked = {"after": "2024-01-01T00:00:00+00:00", "before": None}
    path = write(tmp_path / "c.json", {**discord_channel(5), "dateRange": asked})

    (finding,) = summary_of(path).findings

    assert (finding.code, finding.facts["from"], finding.facts["to"]) == ("export-partial", asked["after"], "…")


def test_a_discord_package_is_labelled_own_messages_only(tmp_path: Path) -> None:
    _name, data = SAMPLES["discord-package json"](tmp_path)
    folder = tmp_path / "package" / "messages" / "c123"
    folder.mkdir(parents=True)
    (folder / "messages.json").write_bytes(data)
    write(folder / "channel.json", {"id": "123", "type": 1, "recipients": ["1", "2"], "name": "talk"})

    found = messages_with(DiscordPackage(), tmp_path / "package")

    assert codes(tmp_path / "package") == ["own-messages-only"]
    assert {message.conversation for message in found} == {"123"}
    assert {message.direction for message in found} == {Direction.OUT}
    assert found[0].ts_zone == "utc"


def test_an_old_discord_package_in_csv_is_read_with_its_quotes(tmp_path: Path) -> None:
    _name, data = SAMPLES["discord-package csv"](tmp_path)
    (tmp_path / "messages.csv").write_bytes(data)

    found = messages_with(DiscordPackage(), tmp_path)

    assert len(found) == 8
    assert found[0].text == 'a "b"\nc'


@pytest.mark.parametrize(
    ("channel", "kind"),
    [
        ({"type": 1, "recipients": ["1", "2"]}, ConversationKind.PRIVATE),
        ({"type": "DM", "recipients": ["Deleted User", "2"]}, ConversationKind.PRIVATE),
        ({"type": "GROUP_DM", "recipients": ["1", "2"]}, ConversationKind.GROUP),
        ({"type": 3, "recipients": ["1", "2"]}, ConversationKind.GROUP),
        ({"type": "GUILD_TEXT", "guild": {"id": "9", "name": "Garden"}}, ConversationKind.GROUP),
        ({"type": "GUILD_TEXT"}, ConversationKind.UNKNOWN),
    ],
)
def test_a_channel_of_a_discord_package_is_of_the_kind_that_its_type_names(
    tmp_path: Path, channel: dict[str, object], kind: ConversationKind
) -> None:
    _name, data = SAMPLES["discord-package json"](tmp_path)
    folder = tmp_path / "package" / "messages" / "c106095375355086042"
    folder.mkdir(parents=True)
    (folder / "messages.json").write_bytes(data)
    write(folder / "channel.json", {"id": "106095375355086042", **channel})

    told = read_with(DiscordPackage(), tmp_path / "package")

    assert {one.kind for one in told if isinstance(one, Conversation)} == {kind}


def test_mojibake_is_undone_only_where_the_round_trip_is_exact() -> None:
    assert repaired("ä½\xa0å¥½") == "你好"
    assert repaired("Zoë Müller".encode().decode("latin-1")) == "Zoë Müller"
    assert repaired("café") == "café"
    assert repaired("已经好了") == "已经好了"
    assert repaired("plain") == "plain"
    assert repaired("ﬁ") == "ﬁ"
    assert repaired(7) is None


def test_a_messenger_thread_is_repaired_and_its_raw_record_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "message_1.json", facebook_thread(10))

    found = messages_with(FACEBOOK, path)
    (conversation, *_rest) = read_with(FACEBOOK, path)

    assert isinstance(conversation, Conversation)
    assert (conversation.key, conversation.title) == ("inbox/zoe_1", "张伟")
    assert found[0].text == "naïve café 你好 10"
    assert found[0].text_raw == "naïve café 你好 10".encode().decode("latin-1")
    assert found[0].raw in path.read_bytes()
    assert found[2].reactions[0].symbol == "❤"


def test_messengers_media_are_found_from_wherever_the_source_begins(tmp_path: Path) -> None:
    thread = tmp_path / "your_facebook_activity" / "messages" / "inbox" / "zoe_1"
    write(thread / "message_1.json", facebook_thread(10))
    (thread / "photos").mkdir()
    (thread / "photos" / "1.jpg").write_bytes(b"x")

    from_root = messages_with(FACEBOOK, tmp_path)[1].media[0]
    from_thread = messages_with(FACEBOOK, thread)[1].media[0]

    assert (from_root.state, from_thread.state) == (MediaState.PRESENT, MediaState.PRESENT)


def test_the_pages_of_a_thread_are_one_conversation_and_a_missing_page_is_told(tmp_path: Path) -> None:
    for page in (1, 2, 4):
        write(tmp_path / f"message_{page}.json", facebook_thread(5))

    summary = summary_of(tmp_path)

    assert (summary.messages, summary.conversations) == (15, 1)
    assert [(finding.code, finding.facts["name"]) for finding in summary.findings] == [
        ("shard-missing", "message_3.json")
    ]


def test_a_sealed_chat_of_messenger_knows_what_was_unsent(tmp_path: Path) -> None:
    name, data = SAMPLES["facebook-json sealed chat"](tmp_path)
    (tmp_path / name).write_bytes(data)

    found = messages_with(FACEBOOK, tmp_path)

    assert [message.deletion is DeletionState.RECALLED for message in found] == [False] * 3 + [True] + [False] * 2
    assert found[0].sender_name == "Zoë"


def test_what_was_shared_is_told_in_words(tmp_path: Path) -> None:
    thread: Any = facebook_thread(4)
    link = "https://example.invalid/p/1"
    for record, more in zip(
        thread["messages"],
        (
            {
                "content": "Li sent an attachment.",
                "share": {"link": link, "share_text": "cafÃ©", "original_content_owner": "tea"},
            },
            {"content": f"look {link}", "share": {"link": link}},
            {"content": None, "share": {"link": link}},
            {"content": None, "bumped_message_metadata": {"bumped_message": "cafÃ©", "is_bumped": True}},
        ),
        strict=True,
    ):
        record.pop("photos", None)
        record.update(more)

    found = messages_with(meta_json.READERS[1], write(tmp_path / "message_1.json", thread))

    assert [message.text for message in found] == [
        f"Li sent an attachment.\ncafé\ntea\n{link}", f"look {link}", link, "café",
    ]  # fmt: skip


def test_every_field_of_a_sealed_chat_is_repaired_and_its_files_are_told_apart(tmp_path: Path) -> None:
    name, data = SAMPLES["facebook-json sealed chat"](tmp_path)
    thread = json.loads(data)
    thread["messages"][0] |= {
        "senderName": "ZoÃ«", "text": "cafÃ©", "media": [{"uri": "./media/a.mp4"}],
        "reactions": [{"actor": "ZoÃ«", "reaction": "ð\x9f\x91\x8d"}],
    }  # fmt: skip
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a.mp4").write_bytes(b"x")

    found = messages_with(FACEBOOK, write(tmp_path / name, thread).parent)

    assert (found[0].sender_name, found[0].text, found[0].text_raw) == ("Zoë", "café", "cafÃ©")
    assert (found[0].reactions[0].symbol, found[0].reactions[0].sender) == ("👍", "Zoë")
    assert (found[0].kind, found[0].media[0].state) == (MessageKind.VIDEO, MediaState.PRESENT)
    assert (found[2].kind, found[1].text_raw) == (MessageKind.IMAGE, None)


def test_who_has_no_name_any_more_is_nobody_and_who_came_or_went_no_speaker(tmp_path: Path) -> None:
    thread: Any = facebook_thread(3)
    thread["messages"][0]["sender_name"] = ""
    thread["messages"][1] |= {"type": "Unsubscribe", "content": "Li left the group."}

    found = messages_with(FACEBOOK, write(tmp_path / "message_1.json", thread))

    assert (found[0].sender_name, found[1].direction) == (None, Direction.SYSTEM)


def slack_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("channels.json", json.dumps([{"id": "C1", "name": "general", "members": ["U1"]}]))
        archive.writestr("dms.json", json.dumps([{"id": "D1", "members": ["U1", "U2"]}]))
        archive.writestr("users.json", json.dumps([{"id": "U1", "profile": {"display_name": "ada"}}]))
        for day in ("2016-01-14", "2016-01-15"):
            archive.writestr(f"general/{day}.json", json.dumps(slack_messages(10)))
        archive.writestr("D1/2016-01-14.json", json.dumps(slack_messages(6)))
        archive.writestr("general/2016-01-16.json", "[]")
    return path


def test_a_slack_export_is_counted_by_channel(tmp_path: Path) -> None:
    summary = summary_of(slack_zip(tmp_path / "slack.zip"))

    assert (summary.format, summary.messages, summary.conversations) == ("slack-export", 26, 2)
    assert {part.key: part.messages for part in summary.by_conversation} == {"C1": 20, "D1": 6}


def slack_files(folder: Path, *names: str) -> list[tuple[str, MediaState]]:
    files = [
        {"id": f"F{place}", "name": name, "size": 3, "url_private": f"https://x.invalid/{place}"}
        for place, name in enumerate(names)
    ]
    record = {"type": "message", "user": "U1", "text": "", "ts": "1452837301.000002", "files": files}
    write(folder / "general" / "2016-01-14.json", [record])
    return [(one.name, one.state) for message in messages_with(SlackExport(), folder) for one in message.media]


def test_files_that_were_fetched_with_a_slack_export_are_found(tmp_path: Path) -> None:
    for place in (
        "__uploads/F0/a.pdf",
        "general/attachments/F1-b.png",
        "__uploads/F2/what_.txt",
        "__uploads/F3/empty.txt",
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"" if "empty" in place else b"abc")

    found = slack_files(
        tmp_path, "a.pdf", "b.png", "what?.txt", "empty.txt", "../../general/2016-01-14.json", "left.txt"
    )

    assert found == [
        ("__uploads/F0/a.pdf", MediaState.PRESENT),
        ("general/attachments/F1-b.png", MediaState.PRESENT),
        ("__uploads/F2/what_.txt", MediaState.PRESENT),
        ("__uploads/F3/empty.txt", MediaState.CORRUPT),
        ("../../general/2016-01-14.json", MediaState.OMITTED),
        ("left.txt", MediaState.OMITTED),
    ]


def test_an_app_in_slack_is_called_by_its_name(tmp_path: Path) -> None:
    record = {"type": "message", "bot_id": "B1", "bot_profile": {"id": "B1", "name": "Deployer"}, "text": "done"}
    write(tmp_path / "general" / "2016-01-14.json", [{**record, "ts": "1452837301.000002"}])

    (found,) = messages_with(SlackExport(), tmp_path)

    assert (found.sender_id, found.sender_name) == ("B1", "Deployer")


def test_slacks_threads_files_and_names_are_kept(tmp_path: Path) -> None:
    found = [one for one in messages_with(SlackExport(), slack_zip(tmp_path / "s.zip")) if one.conversation == "C1"]

    assert found[0].kind is MessageKind.SYSTEM
    assert found[1].sender_name == "ada"
    assert found[2].reply_to == found[1].native_id
    assert (found[3].media[0].state, found[4].media[0].state) == (MediaState.OMITTED, MediaState.EXPIRED)
    assert found[5].ts_utc_us == 1452837305_000_002


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wednesday, April 15, 2015 at 12:51:08 AM UTC", 1429059068),
        ("Wednesday, April 15, 2015 at 12:51:08\u202fPM UTC", 1429102268),
        ("Wednesday, 15 April 2015 at 12:51:08 UTC", 1429102268),
        ("Mittwoch, 15. April 2015 um 12:51:08 UTC", 1429102268),
        ("mercredi 15 avril 2015 à 12:51:08 UTC", 1429102268),
        ("miércoles, 15 de abril de 2015, 12:51:08 UTC", 1429102268),
        ("среда, 15 апреля 2015 г. в 12:51:08 UTC", 1429102268),
        ("2015年4月15日水曜日 12:51:08 UTC", 1429102268),
        ("2015年4月15日星期三 UTC 12:51:08", 1429102268),
        ("2015年4月15日 星期三 下午12:51:08 UTC", 1429102268),
        ("2015년 4월 15일 수요일 오후 12시 51분 8초 UTC", 1429102268),
        ("Thứ Tư, 15 tháng 4, 2015 lúc 12:51:08 UTC", 1429102268),
        ("Wednesday, Foo 15, 2015 at 12:51:08 AM UTC", None),
        ("April 15 or May 15, 2015 at 12:51:08 AM UTC", None),
        ("April 31, 2015 at 12:51:08 AM UTC", None),
        ("yesterday", None),
    ],
)
def test_googles_dates_are_read_in_many_languages(tmp_path: Path, text: str, expected: int | None) -> None:
    record = {**google_messages(2)[0], "created_date": text}

    (found,) = messages_with(GoogleChat(), write(tmp_path / "messages.json", {"messages": [record]}))

    assert found.ts_utc_us == (None if expected is None else expected * 1_000_000)


def test_a_google_group_is_named_by_its_folder_and_finds_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "Groups" / "DM g1"
    write(folder / "messages.json", {"messages": google_messages(4)})
    write(folder / "group_info.json", {"members": [{"name": "Ada L", "email": "ada@example.org"}]})
    (folder / "File-a.jpg").write_bytes(b"x")

    told = read_with(GoogleChat(), tmp_path)
    summary = summary_of(tmp_path)

    assert isinstance(told[0], Conversation)
    assert (told[0].key, told[0].participants[0].id) == ("g1", "ada@example.org")
    assert (summary.media, summary.media_missing) == (1, 0)


def test_a_changed_message_of_googles_stands_where_it_was_written(tmp_path: Path) -> None:
    day = "Monday, April 27, 2015 at"
    record = {key: value for key, value in google_messages(2)[0].items() if key != "created_date"}
    record |= {
        "updated_date": f"{day} 5:50:00 PM UTC",
        "text": "third",
        "previous_message_versions": [
            {"text": "second", "updated_date": f"{day} 5:40:00 PM UTC"},
            {"text": "first", "created_date": f"{day} 5:30:00 PM UTC"},
        ],
    }

    (found,) = messages_with(GoogleChat(), write(tmp_path / "messages.json", {"messages": [record]}))

    start = 1430155800 * 1_000_000
    assert (found.text, found.ts_utc_us) == ("third", start)
    assert [(one.ts_utc_us, one.text) for one in found.edits] == [
        (start + 600 * 1_000_000, "first"),
        (start + 1200 * 1_000_000, "second"),
    ]


def test_answers_reactions_and_the_owner_of_a_google_chat_are_known(tmp_path: Path) -> None:
    chat = tmp_path / "Takeout" / "Google Chat"
    records = google_messages(2)
    records[1] |= {
        "creator": {"name": "Bob", "email": "bob@example.org", "user_type": "Human"},
        "quoted_message_metadata": {"creator": {"name": "Ada L"}, "text": "hi 0", "message_id": "g1/t0/t0"},
        "reactions": [
            {"emoji": {"unicode": "👍"}, "reactor_emails": ["ada@example.org", "bob@example.org"]},
            {"emoji": {"custom_emoji": {"uuid": "u", "short_code": ":party:"}}, "reactor_emails": ["ada@example.org"]},
            {"emoji": {"unicode": "🎉"}},
        ],
    }
    members = [{"name": "Ada L", "email": "ada@example.org"}, {"name": "Bob", "email": "bob@example.org"}]
    write(chat / "Groups" / "DM g1" / "messages.json", {"messages": records})
    write(chat / "Groups" / "DM g1" / "group_info.json", {"members": members})
    write(chat / "Users" / "User 12" / "user_info.json", {"user": members[0], "membership_info": []})

    about, own, answer = read_with(GoogleChat(), tmp_path)

    assert isinstance(about, Conversation)
    assert isinstance(own, Message)
    assert isinstance(answer, Message)
    assert (about.title, [one.is_owner for one in about.participants]) == ("Bob", [True, False])
    assert (own.direction, answer.direction, answer.reply_to) == (Direction.OUT, Direction.IN, "g1/t0/t0")
    assert [(one.symbol, one.sender) for one in answer.reactions] == [
        ("👍", "ada@example.org"),
        ("👍", "bob@example.org"),
        (":party:", "ada@example.org"),
        ("🎉", None),
    ]


def test_googles_files_are_found_under_the_names_they_have_on_the_disk(tmp_path: Path) -> None:
    names = ["File-a.jpg", "File-a.jpg", "File-a.jpg", "File-9?account_id=3.png", "File-b.jpg", "File-b.jpg"]
    records = google_messages(8)[2:]
    for record, name in zip(records, names, strict=True):
        record["attached_files"] = [{"original_name": "a.jpg", "export_name": name}]
    path = write(tmp_path / "messages.json", {"messages": records})
    for name in ("File-a.jpg", "File-a(1).jpg", "File-9_account_id=3.png", "File-b.jpg"):
        (tmp_path / name).write_bytes(b"x")

    found = [one.media[0] for one in messages_with(GoogleChat(), tmp_path)]

    assert path.exists()
    assert [(one.name, one.state) for one in found] == [
        ("File-a.jpg", MediaState.PRESENT),
        ("File-a(1).jpg", MediaState.PRESENT),
        ("File-a(2).jpg", MediaState.MISSING),
        ("File-9_account_id=3.png", MediaState.PRESENT),
        ("File-b.jpg", MediaState.PRESENT),
        ("File-b.jpg", MediaState.PRESENT),
    ]


@pytest.mark.parametrize(
    ("annotation", "kind", "text"),
    [
        (
            {
                "url_metadata": {
                    "title": "Tea",
                    "url": {"private_do_not_access_or_else_safe_url_wrapped_value": "https://example.org/tea"},
                }
            },
            MessageKind.LINK,
            "Tea https://example.org/tea",
        ),
        (
            {"drive_metadata": {"id": "d1", "title": "Plan"}},
            MessageKind.LINK,
            "Plan https://drive.google.com/open?id=d1",
        ),
        ({"youtube_metadata": {"id": "y1"}}, MessageKind.LINK, "https://www.youtube.com/watch?v=y1"),
        (
            {"video_call_metadata": {"meeting_space": {"meeting_url": "https://meet.google.com/a"}}},
            MessageKind.CALL,
            "https://meet.google.com/a",
        ),
        ({"gsuite_integration_metadata": {"call_data": {"call_status": "MISSED"}}}, MessageKind.CALL, "MISSED"),
        (
            {"gsuite_integration_metadata": {"tasks_data": {"task_properties": {"title": "Buy tea"}}}},
            MessageKind.LINK,
            "Buy tea",
        ),
    ],
)
def test_what_google_shows_in_the_place_of_a_text_is_told(
    tmp_path: Path, annotation: dict[str, object], kind: MessageKind, text: str
) -> None:
    bare = {key: value for key, value in google_messages(2)[0].items() if key != "text"}
    records = [{**bare, "annotations": [annotation]}, {**bare, "annotations": [annotation], "text": "mine"}]

    found = messages_with(GoogleChat(), write(tmp_path / "messages.json", {"messages": records}))

    assert [(one.kind, one.text) for one in found] == [(kind, text), (MessageKind.TEXT, "mine")]


def test_two_apps_in_one_folder_are_both_read_and_the_source_is_mixed(tmp_path: Path) -> None:
    write(tmp_path / "c.json", discord_channel(5))
    write(tmp_path / "Groups" / "DM g1" / "messages.json", {"messages": google_messages(4)})

    summary = summary_of(tmp_path)

    assert (summary.format, summary.app, summary.messages, summary.conversations) == ("mixed", None, 9, 2)


def test_findings_of_a_reader_have_a_place(tmp_path: Path) -> None:
    path = write(tmp_path / "c.json", {**discord_channel(3), "messages": [*discord_channel(3)["messages"], 7]})  # type: ignore[misc]  # a list, as the sample makes it

    (finding,) = [told for told in read_with(DiscordExporter(), path) if isinstance(told, Finding)]

    assert str(finding.locator) == "c.json /messages/3"


def test_a_day_of_odd_records_is_known_by_the_days_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "general" / "2023-01-05.json", slack_messages(8))
    write(
        tmp_path / "general" / "2023-01-06.json",
        [{"subtype": "tombstone", "text": "This message was deleted.", "ts": "1673000000"}, *slack_messages(8)[:1]],
    )
    write(tmp_path / "general" / "notes.json", [{"ts": "1673000000.000100"}])

    found = messages_with(SlackExport(), tmp_path)

    assert len(found) == 10
    assert found[8].ts_utc_us == 1673000000_000_000
    assert found[8].deletion is DeletionState.TOMBSTONE


def test_a_first_message_of_nobody_and_an_empty_sealed_chat_are_metas(tmp_path: Path) -> None:
    thread = facebook_thread(3)
    thread["messages"] = [{"timestamp_ms": 1600000000000, "content": "gone"}, *list(thread["messages"])]  # type: ignore[call-overload]
    write(tmp_path / "inbox" / "li" / "message_1.json", thread)
    write(tmp_path / "Li_7.json", {"participants": ["Li", "Tom"], "threadName": "Li_7", "messages": []})

    summary = summary_of(tmp_path)

    assert (summary.format, summary.messages, summary.conversations) == ("facebook-json", 4, 2)


def test_a_thread_of_instagram_is_known_by_a_field_of_its_own(tmp_path: Path) -> None:
    said = [{"sender_name": "Li", "timestamp_ms": 1600000000000 + number, "content": "hi"} for number in range(5)]
    thread = {"participants": [{"name": "Li"}], "messages": said, "thread_path": "inbox/li_1"}
    before = summary_of(write(tmp_path / "before" / "message_1.json", thread)).format
    shared = {"link": "https://example.invalid/p/1", "original_content_owner": "tea"}
    thread["messages"] = [*said, {"sender_name": "Li", "timestamp_ms": 1600000001000, "share": shared}]

    summary = summary_of(write(tmp_path / "after" / "message_1.json", thread))

    assert (before, summary.format, summary.messages) == ("facebook-json", "instagram-json", 6)


def test_instagrams_inbox_of_old_is_read_thread_by_thread(tmp_path: Path) -> None:
    file, data = SAMPLES["instagram-json inbox"](tmp_path)
    (tmp_path / file).write_bytes(data)

    found = messages_with(meta_json.READERS[1], tmp_path)
    summary = summary_of(tmp_path)

    assert (summary.app, summary.format, summary.messages, summary.conversations) == (
        "instagram",
        "instagram-json",
        5,
        3,
    )
    assert (found[0].sender_name, found[0].text, found[0].ts_utc_us) == ("tom", "二", 1594564219_783_799)
    assert found[0].reactions[0].sender == "li"
    assert [message.kind for message in found[1:]] == [
        MessageKind.TEXT,
        MessageKind.LINK,
        MessageKind.IMAGE,
        MessageKind.VOICE,
    ]
    assert len({message.conversation for message in found}) == 2


def test_what_was_written_to_a_shared_story_of_old_is_told_with_it(tmp_path: Path) -> None:
    said = [
        {"sender": "li", "created_at": "2020-07-12T14:30:19+00:00", "text": "ha", "story_share": "Shared tea's story"},
        {"sender": "li", "created_at": "2020-07-12T14:30:19+00:00", "media_share_url": "https://x.invalid/1", "media_share_caption": "leaves"},
    ]  # fmt: skip
    path = tmp_path / "messages.json"
    path.write_text(json.dumps([{"participants": ["li", "tom"], "conversation": said}]))

    found = messages_with(meta_json.READERS[1], path)

    assert [message.text for message in found] == ["ha\nShared tea's story", "leaves\nhttps://x.invalid/1"]


def test_a_channel_without_own_messages_counts_and_is_named_by_the_packages_index(tmp_path: Path) -> None:
    messages = tmp_path / "Messages"
    write(messages / "index.json", {"1060953753550860421": "tea in Garden"})
    for number in (1, 2):
        _name, data = SAMPLES["discord-package json"](tmp_path)
        folder = messages / f"c106095375355086042{number}"
        write(folder / "channel.json", {"id": f"106095375355086042{number}", "type": "DM"})
        (folder / "messages.json").write_bytes(data if number == 1 else b"[]")
    write(messages / "elsewhere" / "messages.json", [])

    summary = summary_of(tmp_path)

    assert (summary.format, summary.messages, summary.conversations) == ("discord-package", 8, 2)
    assert summary.by_conversation[0].title == "tea in Garden"


def test_a_group_that_begins_with_deleted_messages_is_googles(tmp_path: Path) -> None:
    deleted = {"topic_id": "t", "message_id": "g1/t/t", "message_state": "DELETED"}
    path = write(tmp_path / "messages.json", {"messages": [deleted, *google_messages(4)]})

    found = messages_with(GoogleChat(), path)

    assert len(found) == 5
    assert found[0].deletion is DeletionState.TOMBSTONE


@pytest.mark.parametrize("name", ["hangouts-json", "hangouts-json old"])
def test_both_generations_of_hangouts_are_read(tmp_path: Path, name: str) -> None:
    file, data = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(data)

    lines, picture, call, joined, last = messages_with(HangoutsJson(), tmp_path)
    summary = summary_of(tmp_path)

    assert (summary.format, summary.messages, summary.conversations, summary.findings) == ("hangouts-json", 5, 1, ())
    assert (summary.by_conversation[0].key, summary.by_conversation[0].title) == ("Ug1", "外婆")
    assert (lines.text, lines.sender_name, lines.direction) == ("早安\nhttps://example.invalid", "外婆", Direction.IN)
    assert (lines.native_id, lines.ts_utc_us) == ("e1", 1_400_000_000_000_001)
    assert (picture.kind, picture.direction, picture.media[0].state) == (
        MessageKind.IMAGE,
        Direction.OUT,
        MediaState.OMITTED,
    )
    assert (call.kind, joined.kind, joined.direction) == (MessageKind.CALL, MessageKind.SYSTEM, Direction.SYSTEM)
    assert last.text == "hi 5"
