"""What happened to messages, what would be lost, what was salvaged."""

MESSAGES: dict[str, str] = {
    "message-diff.new": "{count} new",
    "message-diff.edited": "{count} edited",
    "message-diff.recalled": "{count} recalled",
    "message-diff.deleted": "{count} deleted",
    "message-diff.out-of-scope": "{count} left out of the later export",
    "message-diff.wiped": "{name}: most messages are gone at once, as if the app had been wiped.",
    "message-diff.kept": "The earlier snapshot holds messages that the later one lacks. Keep it.",
    "message-diff.damaged": "A part could not be read; what is told as deleted may only be unread.",
    "message-diff.summary": "{new} new, {edited} edited, {recalled} recalled, {deleted} deleted, {out_of_scope} left out of the later export, {same} the same",
    "loss.messages": "{messages} {messages:plural:message|messages} are there now; how many of them would be lost is not known",
    "loss.changed": "{changed} {changed:plural:message is|messages are} saved in older words",
    "loss.conversation": "{uncovered} of {messages}, {days}",
    "loss.sealed": "Sealed databases: {pages_changed} of {pages} pages changed and {commits} commits wait in their logs since the snapshot. Message count unknown.",
}
