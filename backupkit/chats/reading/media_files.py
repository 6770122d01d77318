"""Whether the media that a message names are in the source."""

import posixpath
from urllib.parse import unquote

from backupkit.chats.model import MediaState, MessageKind
from backupkit.chats.sources.source import SourceFiles


def find_media(source: SourceFiles, beside: str, reference: str) -> tuple[str, MediaState]:
    """Look up a file that is named relative to the export file `beside`.

    Returns its name in the source (or the reference as it is) and its state. A reference that climbs out of the source
    is simply not found.
    """
    return _find(source, [posixpath.dirname(beside)], reference)


def find_media_above(source: SourceFiles, beside: str, reference: str) -> tuple[str, MediaState]:
    """Look up a file that is named relative to the root of an export, wherever in it the source begins.

    The reference is tried from every folder above `beside`, and its last two parts from the folder of `beside` itself.
    """
    folder = posixpath.dirname(beside)
    folders = [folder]
    while folder:
        folder = posixpath.dirname(folder)
        folders.append(folder)
    name, state = _find(source, folders, reference)
    if state is MediaState.MISSING:
        short = "/".join(reference.split("/")[-2:])
        found, state = _find(source, folders[:1], short)
        name = name if state is MediaState.MISSING else found
    return name, state


def _find(source: SourceFiles, folders: list[str], reference: str) -> tuple[str, MediaState]:
    for candidate in dict.fromkeys((reference, unquote(reference))):
        for folder in folders:
            name = posixpath.normpath(posixpath.join(folder, candidate.replace("\\", "/")))
            size_bytes = source.size(name)
            if size_bytes is not None:
                return name, MediaState.PRESENT if size_bytes else MediaState.CORRUPT
    return reference, MediaState.MISSING


def is_link(reference: str) -> bool:
    """Say whether a reference leads to the network instead of a file."""
    return reference.startswith(("http://", "https://"))


def role_of_name(name: str) -> MessageKind:
    """Guess what a file is from the end of its name."""
    ending = name.partition("?")[0].rpartition(".")[2].lower()
    if ending in {"jpg", "jpeg", "png", "gif", "webp", "heic", "bmp"}:
        return MessageKind.IMAGE
    if ending in {"mp4", "mov", "webm", "mkv", "3gp", "m4v"}:
        return MessageKind.VIDEO
    return MessageKind.VOICE if ending in {"ogg", "opus", "mp3", "m4a", "wav", "amr", "aac"} else MessageKind.FILE
