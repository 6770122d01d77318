"""Text that is safe to show.

Names and messages come from other people. A terminal obeys escape codes and a reader is fooled by characters that turn
the direction of a line, so both are made visible before anything is printed.
"""

import unicodedata

# Characters that reorder or hide text: bidirectional overrides and isolates, zero-width and invisible marks, and the
# interlinear and tag characters (Unicode TR 36, "bidirectional text spoofing").
_INVISIBLE = {
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    0x061C,
    0x180E,
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
    *range(0xE0000, 0xE0080),
}


def printable(text: str, *, limit: int | None = None) -> str:
    """Return `text` on one line with control, escape, direction and lone surrogate characters made visible as hex escapes.

    `limit` is the most characters to return; a longer text ends in an ellipsis.
    """
    cleaned = "".join(map(_shown, text))
    if limit is not None and len(cleaned) > limit:
        return cleaned[: max(limit - 1, 0)] + "…"
    return cleaned


def _shown(character: str) -> str:
    point = ord(character)
    if 0xDC80 <= point <= 0xDCFF:
        # A byte of a name that is no UTF-8, as Python carries it: shown as the byte it is.
        return f"\\x{point - 0xDC00:02x}"
    if point in _INVISIBLE or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
        if point < 0x100:
            return f"\\x{point:02x}"
        return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
    return character


def width(text: str) -> int:
    """Count the terminal columns that `text` takes: two for East Asian wide characters, none for combining ones."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def human_size(size_bytes: int) -> str:
    """Write a size in decimal units with at most one decimal: `6.2 GB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.95 or (unit == "B" and size < 1000):
            return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
