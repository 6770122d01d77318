"""What a person should know of a message beside its words: that it was edited, taken back, or is gone from later exports."""

from collections.abc import Iterator

from backupkit.chats.export.moments import Say
from backupkit.chats.export.record import MessageRecord


def marks_of(message: MessageRecord, say: Say) -> Iterator[str]:
    """Give the marks of a message, in words."""
    if message["edits"]:
        yield say("export.edited")
    if message["deletion"] != "none":
        yield say(f"export.deletion.{message['deletion']}")
    if "history" in message and message["history"]["state"] != "present":
        yield say(f"export.history.{message['history']['state']}")
    if message["recovered"]:
        yield say("export.recovered")
