"""What Google Chat shows where a message has no text of its own: what its annotations lead to."""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.records.json_fields import dict_of, list_of, text_of

_URL = "private_do_not_access_or_else_safe_url_wrapped_value"
_MOST = 100


def words_of(annotations: Any) -> tuple[str, bool]:
    """Return the links, calls, tasks and events of a message, one a line, and whether one is a call."""
    found = [dict_of(one) for one in list_of(annotations)[:_MOST]]
    lines = dict.fromkeys(line for one in found for line in _lines(one))
    is_call = any(
        "video_call_metadata" in one or "call_data" in dict_of(one.get("gsuite_integration_metadata")) for one in found
    )
    return "\n".join(lines), is_call


def _lines(annotation: dict[str, Any]) -> Iterator[str]:
    link = dict_of(annotation.get("url_metadata"))
    # A picture found with the app's own search has an address of its own and no page.
    address = text_of(dict_of(link.get("url")).get(_URL)) or text_of(link.get("image_url"))
    yield from _told(text_of(link.get("title")), address)
    drive = dict_of(annotation.get("drive_metadata"))
    identity = text_of(drive.get("id"))
    yield from _told(text_of(drive.get("title")), f"https://drive.google.com/open?id={identity}" if identity else None)
    film = text_of(dict_of(annotation.get("youtube_metadata")).get("id"))
    yield from _told(f"https://www.youtube.com/watch?v={film}" if film else None)
    call = dict_of(dict_of(annotation.get("video_call_metadata")).get("meeting_space"))
    yield from _told(text_of(call.get("meeting_url")))
    inner = dict_of(annotation.get("gsuite_integration_metadata"))
    yield from _told(text_of(dict_of(inner.get("call_data")).get("call_status")))
    event = dict_of(dict_of(inner.get("calendar_event_data")).get("calendar_event"))
    begins = text_of(dict_of(event.get("start_time")).get("timed"))
    yield from _told(text_of(event.get("title")), begins)
    task = dict_of(dict_of(inner.get("tasks_data")).get("task_properties"))
    yield from _told(text_of(task.get("title")), text_of(task.get("description")))


def _told(*parts: str | None) -> Iterator[str]:
    if line := " ".join(part for part in parts if part):
        yield line
