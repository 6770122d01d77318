"""What is wrong with stored bytes, in English."""

MESSAGES: dict[str, str] = {
    "error.malformed-object.what": "A stored file is damaged: {what}.",
    "error.malformed-object.why": "Its bytes are not what backupkit wrote ({reason}). A failing disk or an interrupted copy does this.",
    "error.malformed-object.try": "backupkit verify        It says what is affected and what is whole.",
    "error.newer-format.what": "This {what} was written by a newer backupkit.",
    "error.newer-format.why": "It has version {version}; this program reads up to {known}. Nothing is wrong with it.",
    "error.newer-format.try": "Update backupkit, then try again.",
}
