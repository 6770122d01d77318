"""The first bytes of a file, looked at as text."""

import codecs
import re

# Zeros in a few stretches are what a disk gives for what it lost; a program's own are everywhere.
_HOLE = re.compile(rb"\0+")
_MOST_HOLES = 4
_LEAST_TEXT_BYTES = 64
_NO_TEXT = re.compile("\ufffd+")
_ODD = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f]")


def text_head(head: bytes) -> str:
    """Decode the head of a file to look at it; the last, perhaps cut, character may be lost."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", "replace")
    return head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")


def is_text(head: bytes) -> bool:
    """Say whether a file's head may be text: no zero bytes but in a few holes, and all of it decodes but a few stretches."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # The mark alone proves nothing: one file in thirty thousand of noise begins with it.
        text = text_head(head[: len(head) // 2 * 2])
        return text.count("\ufffd") + text.count("\0") <= len(text) // 50 + 1
    whole = _HOLE.sub(b"", head)
    if not whole:
        return False
    text = text_head(whole)
    if len(whole) < len(head) and (
        len(_HOLE.findall(head)) > _MOST_HOLES or len(whole) < _LEAST_TEXT_BYTES or _ODD.search(text)
    ):
        return False
    return len(_NO_TEXT.findall(text)) <= len(whole) // 50 + 1 and text.count("\ufffd") <= len(text) // 4 + 1
