"""What is said about chat exports, in English."""

MESSAGES: dict[str, str] = {
    "error.malformed-export.what": "{file} cannot be read on from here: {place}",
    "error.malformed-export.why": "What follows is not what this export should hold ({reason}). It is damaged, or it was made to look like one.",
    "error.malformed-export.try": "Export the chat again on the phone. What was read before this place is good.",
    "error.truncated-export.what": "{file} ends too early: {place}",
    "error.truncated-export.why": "The export stops in the middle of something ({reason}). Copying it was probably interrupted.",
    "error.truncated-export.try": "Copy or export it again. What was read before the cut is good.",
    "finding.archive-damaged": "The archive {file} cannot be opened ({reason}). What is in it was saved as it is, but not counted.",
    "finding.member-left-out": "{file} inside the archive was not read ({reason}).",
    "finding.export-cut": "{file} ends in the middle, at {place}. What came before was counted.",
    "finding.export-damaged": "{file} is damaged at {place} ({reason}). What came before was counted.",
    "finding.record-not-understood": "One record in {file} is no message: {place}",
    "finding.sequence-gap": "{count} message {count:plural:number is|numbers are} missing in {conversation}, from number {first} on. They were deleted, or never exported.",
    "finding.declared-differs": "{conversation} says it holds {declared} messages, and {counted} are there.",
    "finding.more-of-the-same": "{count} more of this kind: {code}",
    "finding.format-ambiguous": "{file} could be more than one format ({formats}), so it was saved without being counted.",
    "finding.date-order-assumed": "Nothing in {file} proves whether the day or the month comes first. It was read as {order}.",
    "finding.text-not-utf-8": "{count} {count:plural:line|lines} in {file} are damaged text.",
    "finding.own-messages-only": "This export holds only what its owner wrote. The other half of every conversation is not in it.",
    "finding.shard-missing": "{count} {count:plural:part|parts} of {file} {count:plural:is|are} missing, the first is {name}.",
    "finding.export-cap-suspected": "{file} holds exactly {count} messages. The app stops there and leaves out older ones.",
}
