"""Names in the target of a restore: close to the saved one where that is taken, tamer where the target does not take it."""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

MAX_NAME_BYTES = 255
_ENDING_BYTES = 16
"""Kept free behind a name for what is put there: `.damaged`, a number."""

_MOST_EVERYWHERE = 140
"""Bytes of a name that folders encrypted by the system still take (eCryptfs: 143)."""

# What exFAT, FAT and NTFS forbid; the others are bytes that are no text.
_WILD = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|\ud800-\udfff]')


def names_like(name: str) -> Iterator[str]:
    """Give a name, and names close to it for where it is taken: a restore never writes over anything."""
    yield name
    for number in itertools.count(2):
        yield f"{shortened(name)}-{number}"


def shortened(name: str, most: int = MAX_NAME_BYTES - _ENDING_BYTES) -> str:
    """Return the beginning of a name, short enough to be given an ending."""
    encoded = os.fsencode(name)
    if len(encoded) <= most:
        return name
    return encoded[:most].decode("utf-8", "ignore")


def tamed(name: str) -> str | None:
    """Return a name like this one that every file system takes, its ending kept; None where this one should be taken already."""
    tame = _WILD.sub("_", name)
    # Windows drops dots and spaces at the end of a name.
    tame = tame.rstrip(". ") + "_" if tame != tame.rstrip(". ") else tame
    ending = Path(tame).suffix
    stem = tame.removesuffix(ending)
    if len(tame.encode()) > _MOST_EVERYWHERE and len(ending.encode()) <= _ENDING_BYTES:
        tame = shortened(stem, _MOST_EVERYWHERE - len(ending.encode())) + ending
    tame = shortened(tame, _MOST_EVERYWHERE)
    return None if tame == name else tame
