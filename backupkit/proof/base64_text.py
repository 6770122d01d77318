"""Base64 as hostile text: one spelling per value, so that what was signed cannot be respelled."""

from binascii import Error, a2b_base64, b2a_base64


def to_base64(data: bytes) -> str:
    """Write bytes in standard base64 with padding and without line breaks."""
    return b2a_base64(data, newline=False).decode("ascii")


def from_base64(text: str) -> bytes:
    """Read standard base64 (RFC 4648 section 4) in its one canonical spelling.

    Raises:
        ValueError: wrong characters, missing padding, or bits set where none may be.
    """
    try:
        data = a2b_base64(text.encode("ascii"), strict_mode=True)
    except Error as error:
        raise ValueError("not base64") from error
    if to_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def from_either_base64(text: str) -> bytes:
    """Read standard or URL-safe base64 (RFC 4648 section 4 or 5), padded, one alphabet at a time.

    Raises:
        ValueError: the text is neither.
    """
    if "-" in text or "_" in text:
        if "+" in text or "/" in text:
            raise ValueError("two alphabets")
        text = text.replace("-", "+").replace("_", "/")
    return from_base64(text)
