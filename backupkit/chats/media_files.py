"""Whether the media that a message names are in the source."""

import posixpath
from urllib.parse import unquote

from backupkit.chats.model import MediaState
from backupkit.chats.source import SourceFiles


def find_media(source: SourceFiles, beside: str, reference: str) -> tuple[str, MediaState]:
    """Look up a file that is named relative to the export file `beside`.

    Returns its name in the source (or the reference as it is) and its state. A reference that climbs out of the source
    is simply not found.
    """
    folder = posixpath.dirname(beside)
    for candidate in dict.fromkeys((reference, unquote(reference))):
        name = posixpath.normpath(posixpath.join(folder, candidate.replace("\\", "/")))
        size_bytes = source.size(name)
        if size_bytes is not None:
            return name, MediaState.PRESENT if size_bytes else MediaState.CORRUPT
    return reference, MediaState.MISSING
