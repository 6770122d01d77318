"""Other people's text, made safe for a page, a table and a folder.

A message may hold anything: markup, marks that turn a line around, file names that lie. Here all of it becomes plain
text that can be seen and does nothing.
"""

import html
import re
import unicodedata
from functools import cache

# Controls, bidirectional overrides and isolates, and lone surrogates. Joiners stay: emoji and several scripts are written
# with them, and they reorder nothing.
_HOSTILE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff\U000e0000\U000e0001]"
)
# Marks that are common in honest messages, and have no place in a name.
_INVISIBLE = re.compile("[\u061c\u180e\u200b\u200e\u200f\u2060-\u2064\u206a-\u206f\ufeff]")
_LINK = re.compile(r"https?://[^\s<>\"'\u3000-\u303f\uff00-\uffef]{1,2000}", re.IGNORECASE)
_LINK_ENDS = ".,;:!?)]}>\u2026"


def shown(text: str) -> str:
    """Return text with every hostile character made visible as a hex escape. Line ends become plain ones."""
    return _HOSTILE.sub(_escape, text.replace("\r\n", "\n").replace("\r", "\n"))


def _escape(found: re.Match[str]) -> str:
    point = ord(found[0])
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def shown_line(text: str, limit: int = 200) -> str:
    """Return a name or an excerpt on one line, at most `limit` characters of it, with invisible marks made visible too."""
    line = " ".join(_INVISIBLE.sub(_escape, shown(text[: limit * 4])).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def as_html(text: str) -> str:
    """Return text as markup that shows it."""
    return html.escape(shown(text))


def as_html_with_links(text: str) -> str:
    """Return text as markup in which web addresses can be followed. Nothing but http and https ever becomes a link."""
    text = shown(text)
    pieces, last = [], 0
    for found in _LINK.finditer(text):
        address = found[0].rstrip(_LINK_ENDS)
        end = found.start() + len(address)
        safe = html.escape(address)
        pieces += [
            html.escape(text[last : found.start()]),
            f'<a href="{safe}" rel="noopener noreferrer nofollow" target="_blank">{safe}</a>',
        ]
        last = end
    pieces.append(html.escape(text[last:]))
    return "".join(pieces)


_BY_SCRIPT = (
    (re.compile("[\u3040-\u30ff\uff66-\uff9f]"), "ja"),
    (re.compile("[\u1100-\u11ff\uac00-\ud7af]"), "ko"),
    (re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"), "zh"),
    (re.compile("[\u0e00-\u0e7f]"), "th"),
    (re.compile("[\u0590-\u05ff]"), "he"),
    (re.compile("[\u0600-\u06ff]"), "ar"),
    (re.compile("[\u0370-\u03ff]"), "el"),
    (re.compile("[\u0900-\u097f]"), "hi"),
    (re.compile("[\u0400-\u04ff]"), "ru"),
)
_LATIN = re.compile("[A-Za-z]{3}")


def language_of(text: str) -> str | None:
    """Guess a text's language by its script, so that a screen reader picks a voice and a browser a font; None where nothing tells."""
    if not text.isascii():
        for script, language in _BY_SCRIPT:
            if script.search(text):
                return language
        return None
    return "en" if _LATIN.search(text) else None


_SAFE_ENDINGS = frozenset(
    [
        "jpg",
        "jpeg",
        "png",
        "gif",
        "webp",
        "bmp",
        "avif",
        "heic",
        "heif",
        "tif",
        "tiff",
        "ogg",
        "oga",
        "opus",
        "mp3",
        "m4a",
        "aac",
        "wav",
        "amr",
        "flac",
        "silk",
        "mp4",
        "m4v",
        "mov",
        "webm",
        "3gp",
        "mkv",
        "avi",
        "pdf",
        "txt",
        "csv",
        "doc",
        "docx",
        "xls",
        "xlsx",
        "ppt",
        "pptx",
        "odt",
        "ods",
        "odp",
        "rtf",
        "epub",
        "zip",
        "7z",
        "rar",
        "gz",
        "tar",
        "vcf",
        "ics",
        "apk",
        "tgs",
    ]
)
IMAGES = frozenset(["jpg", "jpeg", "png", "gif", "webp", "bmp", "avif"])
SOUNDS = frozenset(["ogg", "oga", "opus", "mp3", "m4a", "aac", "wav", "flac"])
FILMS = frozenset(["mp4", "m4v", "mov", "webm", "3gp"])


def ending_of(name: str) -> str:
    """Return a file name's ending in small letters, without the dot."""
    base = name.rpartition("/")[2]
    return base.rpartition(".")[2].lower() if "." in base else ""


def file_name(name: str, number: int) -> str:
    """Return a name for a copied file that no browser runs and no system stumbles over: number, what can be kept, ending.

    A page or a script would act with the rights of the export when it is opened, so it gets an ending that nothing opens.
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    ending = ending_of(base)
    stem = base.rpartition(".")[0] if ending else base
    kept = "".join(character if _is_plain(character) else "-" for character in stem).strip("-_")
    kept = kept.encode("utf-8")[:60].decode("utf-8", "ignore")
    safe = ending if ending in _SAFE_ENDINGS else f"{ending}.bin" if re.fullmatch("[a-z0-9]{1,8}", ending) else "bin"
    return f"{number:06d}{'-' if kept else ''}{kept}.{safe}"


@cache
def _is_plain(character: str) -> bool:
    return character in "-_" or unicodedata.category(character) in {"Lu", "Ll", "Lo", "Nd"}
