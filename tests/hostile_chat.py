"""A chat whose every field was written by somebody who wants something to run, to be fetched, or to deceive."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

SCRIPT = "<script>document.documentElement.dataset.ran='yes'</script>"
OVERRIDE = "gpj.exe\u202etxt.photo\u202c"
OWNER, OTHER = "user1", "user2"


def picture(width: int = 320, height: int = 200) -> bytes:
    """A small PNG that a browser can show: a blue to green gradient."""
    rows = b"".join(
        b"\0" + b"".join(bytes((40, 90 + x * 120 // width, 200 - y * 120 // height)) for x in range(width))
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def hostile_texts(address: str) -> list[str]:
    """Return texts that would act if any of them were taken for markup. `address` is a server that should hear nothing."""
    return [
        SCRIPT,
        f'"><img src="{address}/pixel.png" onerror="document.documentElement.dataset.ran=1">',
        f"<iframe src='{address}/frame'></iframe><link rel=stylesheet href='{address}/style.css'>",
        f"<style>@import url('{address}/import.css');</style><svg onload=\"document.documentElement.dataset.ran=1\">",
        "javascript:document.documentElement.dataset.ran=1 https://example.invalid/?q=\"onmouseover='x'",
        "</script><script>document.documentElement.dataset.ran=1</script><!--",
        f"<meta http-equiv=refresh content='0;url={address}/away'><base href='{address}/'>",
        OVERRIDE,
        "bell \x07 escape \x1b[2J null \x00 half \ud83d end",
        '=HYPERLINK("https://example.invalid","open")',
        "{{constructor.constructor('x')()}} ${7*7} `x`",
    ]  # fmt: skip


def write_hostile_chat(folder: Path, address: str = "http://127.0.0.1:9") -> Path:
    """Write it as Telegram Desktop would: two people, hostile names, hostile files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "files"
    files.mkdir()
    page = f"<script src='{address}/script.js'></script>{SCRIPT}".encode()
    names = ["page.html", "image.svg", "photo.png", "=1+1.csv.exe", f"{OVERRIDE}.jpg", "a b'\"&<i>.png"]
    for name in names:
        (files / name).write_bytes(picture() if name.endswith(".png") else page)
    messages: list[dict[str, Any]] = []

    def say(text: str, sender: str = OTHER, **more: Any) -> None:
        number = len(messages) + 1
        messages.append(
            {
                "id": number, "type": "message", "date": "2024-03-04T08:15:00", "date_unixtime": str(1709540100 + number * 60),
                "from": f"Eve {SCRIPT}" if sender == OTHER else "Me", "from_id": sender, "text": text, "text_entities": [], **more,
            }
        )  # fmt: skip

    for text in hostile_texts(address):
        say(text)
        say(text, OWNER, forwarded_from=text[:60] or "x", reply_to_message_id=1)
    for name in names:
        say("", file=f"files/{name}", media_type="sticker" if "svg" in name else "document")
    say("gone", photo="files/absent.jpg")
    say("edited", edited_unixtime="1709550000", reactions=[{"type": "emoji", "emoji": SCRIPT, "count": 3}])
    chat = {"name": f"Title {SCRIPT}{OVERRIDE}", "type": "personal_chat", "id": 66, "messages": messages}
    account = {"personal_information": {"user_id": 1}, "chats": {"list": [chat]}}
    path = folder / "result.json"
    path.write_text(json.dumps(account, ensure_ascii=True, indent=1), "ascii")
    return path
