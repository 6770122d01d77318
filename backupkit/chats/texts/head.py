"""The first bytes of a file, looked at as text."""

import codecs


def text_head(head: bytes) -> str:
    """Decode the head of a file to look at it; the last, perhaps cut, character may be lost."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", "replace")
    return head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")


def is_text(head: bytes) -> bool:
    """Say whether a file's head may be text: no zero bytes, and nearly all of it decodes."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # The mark alone proves nothing: one file in thirty thousand of noise begins with it.
        text = text_head(head[: len(head) // 2 * 2])
        return text.count("\ufffd") + text.count("\0") <= len(text) // 50 + 1
    return bool(head) and b"\0" not in head and text_head(head).count("\ufffd") <= len(head) // 50 + 1
