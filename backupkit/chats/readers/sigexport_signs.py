"""What tells sigexport's text from WhatsApp's, whose lines can look the same.

The tool puts an empty line behind every message, calls the owner "Me", and writes reactions, files and deletions its own way.
WhatsApp writes dates in this order and form only on phones of a few countries, and none of these signs.
"""

import re

HEAD = re.compile(r"\[(\d{4})-(\d{2})-(\d{2})(,?) (\d{2}):(\d{2})(?::(\d{2}))?\] ([^:\n]{1,120}?):(?: |$)")
FILE = re.compile(r"!?\[[^\]\n]{0,300}\]\((\.?/?media/[^)\n]{1,500})\)")
REACTIONS = re.compile(r"\s*\(- (.{1,2000}?) -\)\s*$")
DELETED = "(This message was deleted)"
# The message that is answered stands above the words of the answer, each of its lines behind a sign.
QUOTE = re.compile(r"\s*\n> [^\n]*(?:\n> ?[^\n]*)*\n\n")
NOT_EXPORTED = re.compile(r"\s*\((media|attachment) not exported\)\s*$")
CALL = re.compile(r"(?:Incoming|Outgoing|Missed) (?:(?:voice|video|group|adhoc) )?call(?: \([^()\n]{1,60}\))?$")


def is_sigexport(lines: list[str]) -> bool:
    """Say whether lines are sigexport's, judged by all of them together."""
    heads = [(place, match) for place, line in enumerate(lines) if (match := HEAD.match(line))]
    if not heads:
        return False
    first = next((place for place, line in enumerate(lines) if line.strip("\ufeff \r")), None)
    if first != heads[0][0]:
        return False
    # Older versions: a comma and no seconds, which WhatsApp never combines.
    if all(match.group(4) and match.group(7) is None for _place, match in heads):
        return True
    if any(FILE.search(line) or REACTIONS.match(line) or line.endswith(DELETED) for line in lines):
        return True
    if any(match.group(4) or match.group(7) is None for _place, match in heads):
        return False
    is_spaced = all(not lines[place - 1].strip() for place, _match in heads[1:])
    return is_spaced and (len(heads) > 1 or heads[0][1].group(8) == "Me")
