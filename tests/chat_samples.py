"""One small export of every format, generated, for tests that hold for all of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from chat_factory import telegram_chat, whatsapp_text

Make: TypeAlias = Callable[[Path], tuple[str, bytes]]
SAMPLES: dict[str, Make] = {}


def sample(name: str) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        SAMPLES[name] = make
        return make

    return register


@sample("telegram-json")
def telegram(_folder: Path) -> tuple[str, bytes]:
    chat, _media, _missing = telegram_chat(1, 40, language="zh")
    account = {"personal_information": {"user_id": 1000}, "chats": {"list": [chat, {**chat, "id": 2}]}}
    return "result.json", json.dumps(account, ensure_ascii=False, indent=1).encode()


@sample("whatsapp-text")
def whatsapp_android(_folder: Path) -> tuple[str, bytes]:
    return "WhatsApp Chat with Li.txt", whatsapp_text(1, 150, language="zh")[0].encode()


@sample("whatsapp-text iphone")
def whatsapp_iphone(_folder: Path) -> tuple[str, bytes]:
    return "_chat.txt", whatsapp_text(1, 150, style="iphone")[0].encode()
