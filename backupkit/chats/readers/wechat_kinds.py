"""WeChat's numbers for kinds of messages, the same in its databases and in what other tools export from them."""

from backupkit.chats.model import MessageKind

_KINDS = {
    1: MessageKind.TEXT,
    3: MessageKind.IMAGE,
    34: MessageKind.VOICE,
    37: MessageKind.SYSTEM,
    42: MessageKind.CONTACT,
    43: MessageKind.VIDEO,
    47: MessageKind.STICKER,
    48: MessageKind.LOCATION,
    49: MessageKind.LINK,
    50: MessageKind.CALL,
    62: MessageKind.VIDEO,
    66: MessageKind.CONTACT,
    10000: MessageKind.SYSTEM,
    10002: MessageKind.SYSTEM,
}
_CARDS = {
    1: MessageKind.TEXT,
    6: MessageKind.FILE,
    8: MessageKind.STICKER,
    19: MessageKind.FORWARD,
    57: MessageKind.TEXT,
    62: MessageKind.SYSTEM,
    2000: MessageKind.PAYMENT,
    2001: MessageKind.PAYMENT,
}
HAS_FILE = {MessageKind.IMAGE, MessageKind.VOICE, MessageKind.VIDEO, MessageKind.STICKER, MessageKind.FILE}

# What tools write in words instead of a number.
_WORDS = (
    ("撤回", MessageKind.RECALL),
    ("系统", MessageKind.SYSTEM),
    ("拍一拍", MessageKind.SYSTEM),
    ("图片", MessageKind.IMAGE),
    ("语音通话", MessageKind.CALL),
    ("视频通话", MessageKind.CALL),
    ("通话", MessageKind.CALL),
    ("语音", MessageKind.VOICE),
    ("视频号", MessageKind.LINK),
    ("视频", MessageKind.VIDEO),
    ("表情", MessageKind.STICKER),
    ("名片", MessageKind.CONTACT),
    ("位置", MessageKind.LOCATION),
    ("文件", MessageKind.FILE),
    ("转账", MessageKind.PAYMENT),
    ("红包", MessageKind.PAYMENT),
    ("聊天记录", MessageKind.FORWARD),
    ("合并转发", MessageKind.FORWARD),
    ("引用", MessageKind.TEXT),
    ("链接", MessageKind.LINK),
    ("小程序", MessageKind.LINK),
    ("卡片", MessageKind.LINK),
    ("文本", MessageKind.TEXT),
)


def kind_of(number: int | None, card: int | None = None) -> MessageKind:
    """Return the kind of a message from its number; a card (49) has a second one."""
    if number == 49 and card in _CARDS:
        return _CARDS[card]
    return _KINDS.get(number, MessageKind.OTHER) if number is not None else MessageKind.OTHER


def kind_of_word(word: str) -> MessageKind:
    """Return the kind of a message from the Chinese word that a tool writes."""
    return next((kind for part, kind in _WORDS if part in word), MessageKind.OTHER)


def is_recall(text: str) -> bool:
    """Say whether WeChat wrote that a message was taken back."""
    return len(text) < 200 and ("撤回了一条消息" in text or "recalled a message" in text)
