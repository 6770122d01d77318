"""What use cases tell on the way, in English."""

MESSAGES: dict[str, str] = {
    "notice.same-disk": "The repository is on the same disk as this computer's own files. One broken disk would take both.",
    "notice.partial-saved": "{bytes} bytes are safe by now; if this run is interrupted, they can be restored.",
    "notice.recovery-not-confirmed": "The recovery words were not typed back yet, so no coverage pass was written for the guard.",
    "finding.special-file": "{path} is a socket, pipe or device, and was passed over.",
    "finding.unreadable": "{path} could not be read ({reason}).",
    "finding.snapshot-unreadable": "What was signed for snapshot {snapshot} cannot be read ({reason}).",
    "finding.domain-lost": "A part of the snapshot cannot be opened: {name} ({reason}).",
    "finding.file-damaged": "{path} did not come back whole ({reason}); what was readable lies beside it as .damaged.",
    "finding.not-written": "{path} could not be written to the target ({reason}).",
    "finding.name-taken": "The name {path} was taken already, so that file was restored as {given}.",
}
