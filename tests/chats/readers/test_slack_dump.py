"""What `slackdump dump` writes, threads included."""

import json
from pathlib import Path

from chat_reading import messages_with, read_with, summary_of
from chat_samples import SAMPLES

from backupkit.chats.model import Conversation, ConversationKind, MediaState
from backupkit.chats.readers.slack_dump import SlackDump


def test_answers_follow_the_message_that_began_their_thread(tmp_path: Path) -> None:
    file, data = SAMPLES["slack-dump"](tmp_path)
    (tmp_path / file).write_bytes(data)
    (tmp_path / "users.json").write_text(json.dumps([{"id": "U2", "name": "li", "profile": {"display_name": "Li"}}]))

    found = messages_with(SlackDump(), tmp_path)

    assert [(one.sender_id, one.sender_name, one.text, one.reply_to) for one in found] == [
        ("U0", None, "hi 0", None),
        ("U1", None, "hi 1", None),
        ("U2", "Li", "an answer", "1452837301.000002"),
        ("U2", "Li", "hi 2", "1452837301.000002"),
    ]
    assert {
        (one.key, one.title, one.kind) for one in read_with(SlackDump(), tmp_path) if isinstance(one, Conversation)
    } == {("C0123ABCD", "general", ConversationKind.GROUP)}
    assert found[2].locator.place == "/messages/1/slackdump_thread_replies/1"
    assert json.loads(found[2].raw)["text"] == "an answer"
    assert summary_of(tmp_path / file).app == "slack"


def test_files_are_looked_for_in_the_folder_of_the_channel(tmp_path: Path) -> None:
    message = {
        "type": "message", "user": "U1", "text": "", "ts": "1452837301.000002",
        "files": [{"id": "F1", "name": "a.png", "url_private": "https://files.invalid/a.png"}],
    }  # fmt: skip
    (tmp_path / "C1.json").write_text(json.dumps({"channel_id": "C1", "name": "tea", "messages": [message]}))
    (tmp_path / "C1").mkdir()
    (tmp_path / "C1" / "F1-a.png").write_bytes(b"x")

    (found,) = messages_with(SlackDump(), tmp_path)

    assert [(media.name, media.state) for media in found.media] == [("C1/F1-a.png", MediaState.PRESENT)]
