"""What use cases tell on the way."""

MESSAGES: dict[str, str] = {
    "notice.copy-only-read": "This is a copy of {original}. It was only read: the result is shown here and enters no log.",
    "notice.same-disk": "The repository is on the same disk as this computer's own data: {path}. One broken disk would take both.",
    "notice.recovery-not-confirmed": "The recovery words have not been typed back, so this backup does not count for the guard yet. When you have the sheet: backupkit key confirm",
    "notice.partial-saved": "Kept so far: {bytes:size}. If this run is interrupted, the next one goes on from here.",
    "finding.unreadable": "Could not be read: {path} ({reason})",
    "finding.special-file": "Left out, because it is no file, folder or link: {path}",
    "finding.own-folder": "Left out, because it is backupkit's own folder: {path}",
    "finding.snapshot-unreadable": "Snapshot {snapshot:short} is in the log, but its statement cannot be read ({reason}).",
    "finding.domain-lost": "A whole part of the snapshot cannot be opened ({reason}): {name}",
    "finding.file-damaged": "Damaged, restored as far as it could be read, beside its place with .damaged in its name: {path} ({reason})",
    "finding.not-written": "{path} could not be written to the target ({reason}).",
    "finding.name-taken": "The name {path} was taken already, so that file was restored as {given}.",
    "finding.drill-count-differs": "{name}: {expected} messages were counted when it was saved, {counted} after restoring.",
    "finding.drill-database-unsound": "{path} came back as it was saved, and SQLite says it is not sound: {complaint}",
    "notice.pack-repaired": "A damaged pack was brought back from parity, byte for byte: {name} ({bytes:size})",
    "notice.parity-not-written": "The snapshot is saved, but its parity could not be written ({reason}). The next save or backupkit repair tries again.",
    "finding.object-lost": "No copy of {name} can be read ({reason}).",
    "finding.copy-not-written": "A damaged or missing copy could not be written again: {name}",
    "finding.log-unreadable": "The log cannot be read ({reason}), so this repair was not entered in it.",
}
