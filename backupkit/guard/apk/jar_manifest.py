"""The text files of a JAR signature: `MANIFEST.MF` and `*.SF`.

A file is sections of `Name: value` lines, parted by empty lines; a line that begins with a space goes on from the one before. Digests are over a
section's raw bytes up to and with its empty line, so each section keeps where it lay. Sources: the JAR file specification; apksig
`ManifestParser`, `V1SchemeVerifier.getDigestsToVerify`.
"""

import base64
import binascii
import re
from typing import NamedTuple

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
_MOST_SECTIONS = 400_000

# Before API level 18 a list in the file, or else SHA-1, says which digest is checked; from 18 on the strongest is (apksig).
_STRONGEST_FIRST = ((b"sha-512", "sha512"), (b"sha-384", "sha384"), (b"sha-256", "sha256"), (b"sha1", "sha1"))
_HASHES = {
    b"md5": "md5",
    b"sha": "sha1",
    b"sha1": "sha1",
    b"sha-1": "sha1",
    b"sha-256": "sha256",
    b"sha-384": "sha384",
    b"sha-512": "sha512",
}
_LATE_HASHES = {"sha384", "sha512"}
_LATE_SINCE = 9
STRONGEST_SINCE = 18


class Section(NamedTuple):
    """One section: its raw place in the file, and its attributes with names in lower case. The first of a name counts."""

    start: int
    end: int
    name: bytes | None
    attributes: dict[bytes, bytes]

    def digest_at(self, suffix: bytes, level: int) -> tuple[str, bytes] | None:
        """Return hash and digest that a device of this level checks, or None where it would find none.

        `suffix` is `-digest` and so on, in lower case. A digest that is no base64 is returned empty: it fits nothing.
        """
        if level >= STRONGEST_SINCE:
            for label, hash_name in _STRONGEST_FIRST:
                if (value := self.attributes.get(label + suffix)) is not None:
                    return hash_name, _decode(value)
            return None
        for label in self.attributes.get(b"digest-algorithms", b"SHA SHA1").lower().split():
            found = self.attributes.get(label + suffix)
            known = _HASHES.get(label)
            if found is None or known is None or (known in _LATE_HASHES and level < _LATE_SINCE):
                continue
            return known, _decode(found)
        return None

    def hashes(self) -> set[str]:
        """Name every hash that any level might check for this section's entry."""
        return {hash_name for label, hash_name in _HASHES.items() if label + b"-digest" in self.attributes}


def read_sections(data: bytes) -> list[Section]:
    """Split a file into its sections; the first is the main one.

    Raises:
        ValueError: more sections than any real package has.
    """
    sections: list[Section] = []
    lines: list[list[bytes]] = []
    start = at = 0
    while at < len(data):
        match = _LINE.match(data, at)
        assert match is not None
        text, begin, at = match.group(1), at, match.end()
        if not text:
            if lines:
                sections.append(_section(start, at, lines))
                lines = []
        elif not lines:
            start, lines = begin, [[text]]
        elif text.startswith(b" "):
            lines[-1].append(text[1:])
        else:
            lines.append([text])
        if len(sections) > _MOST_SECTIONS:
            raise ValueError
    if lines:
        sections.append(_section(start, at, lines))
    return sections


def _section(start: int, end: int, lines: list[list[bytes]]) -> Section:
    attributes: dict[bytes, bytes] = {}
    name: bytes | None = None
    for index, parts in enumerate(lines):
        # A colon and one space part name and value; obfuscators use other spaces as part of either (apksig ManifestParser).
        label, _, value = b"".join(parts).partition(b": ")
        label = label.lower()
        if index == 0 and label == b"name":
            name = value
        attributes.setdefault(label, value)
    return Section(start, end, name, attributes)


def _decode(value: bytes) -> bytes:
    # Android reads a digest with `java.util.Base64`, which does not miss the signs that fill it up when all of them are missing.
    if b"=" not in value and len(value) % 4 in {2, 3}:
        value += b"=" * (4 - len(value) % 4)
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return b""
