"""What the guard says, in English. The verdict first, the loss as a number, one thing to do."""

from backupkit.i18n.en.guard_reasons import REASONS

_HEADLINES: dict[str, str] = {
    "verdict.allow": "ALLOW",
    "verdict.ask-first": "ASK FIRST",
    "verdict.kept": "KEPT",
    "verdict.hold": "HOLD",
    "verdict.deny": "DENY",
    "verdict.undecided": "UNDECIDED",
    "headline.keeps-data": "Go ahead: this update keeps your chats.",
    "headline.keeps-data.rotated": "Go ahead: the maker changed its key and proved it. Your chats stay.",
    "headline.parallel-app": "Go ahead: this is a different app. Your chats stay in the old one.",
    "headline.refused-safe": (
        "Stopped: this update cannot be installed. Nothing was changed; your chats are safe. Do not uninstall."
    ),
    "headline.not-genuine": "Stopped: this package is damaged or was altered. Do not install it.",
    "headline.unknown": "Stopped: we could not check this update. Nothing was changed.",
    "headline.would-wipe.deny": "Stopped: {app} would be removed with all its chats, and nothing could take its place.",
    "headline.would-wipe.unconsented.chats": (
        "Stopped: this would delete {conversations} {conversations:plural:chat|chats} with {messages} "
        "{messages:plural:message|messages} ({size:size}) of {app} on this phone, and nobody has consented to "
        "that."
    ),
    "headline.would-wipe.unconsented.messages": (
        "Stopped: this would delete {messages} {messages:plural:message|messages} of {app} on this phone, and "
        "nobody has consented to that."
    ),
    "headline.would-wipe.unconsented.bytes": (
        "Stopped: this would delete {size:size} of {app} chats on this phone, and nobody has consented to that."
    ),
    "headline.would-wipe.unconsented.uncounted": (
        "Stopped: this would delete all {app} chats on this phone, and nobody has consented to that."
    ),
    "headline.would-wipe.hold.chats": (
        "Stopped: this would delete {conversations} {conversations:plural:chat|chats} with {messages} "
        "{messages:plural:message|messages} ({size:size}) of {app} on this phone. They cannot be brought back."
    ),
    "headline.would-wipe.hold.messages": (
        "Stopped: this would delete {messages} {messages:plural:message|messages} of {app} on this phone. They "
        "cannot be brought back."
    ),
    "headline.would-wipe.hold.bytes": (
        "Stopped: this would delete {size:size} of {app} chats on this phone. They cannot be brought back."
    ),
    "headline.would-wipe.hold.uncounted": (
        "Stopped: this would delete all {app} chats on this phone, and no verified backup counts for them now."
    ),
    "headline.would-wipe.saved.chats": (
        "Stopped: this would delete {conversations} {conversations:plural:chat|chats} with {messages} "
        "{messages:plural:message|messages} ({size:size}) of {app} on this phone, and no verified backup counts "
        "for them now."
    ),
    "headline.would-wipe.saved.messages": (
        "Stopped: this would delete {messages} {messages:plural:message|messages} of {app} on this phone, and no "
        "verified backup counts for them now."
    ),
    "headline.would-wipe.saved.bytes": (
        "Stopped: this would delete {size:size} of {app} chats on this phone, and no verified backup counts for "
        "them now."
    ),
    "headline.would-wipe.allow.chats": (
        "Your decision: {conversations} {conversations:plural:chat|chats} with {messages} "
        "{messages:plural:message|messages} ({size:size}) of {app} on this phone would be deleted."
    ),
    "headline.would-wipe.allow.messages": (
        "Your decision: {messages} {messages:plural:message|messages} of {app} on this phone would be deleted."
    ),
    "headline.would-wipe.allow.bytes": "Your decision: {size:size} of {app} chats on this phone would be deleted.",
    "headline.would-wipe.allow.uncounted": "Your decision: all {app} chats on this phone would be deleted.",
    "headline.waits": "Stopped: {app} waits until a verified backup of its chats counts. Nothing was changed.",
    "consent.first.chats": (
        "{conversations} {conversations:plural:chat|chats} with {messages} {messages:plural:message|messages} "
        "({size:size}) of {app} on this phone will be deleted. The backup of {verified_at:time} was read back: "
        "{covered_messages} {covered_messages:plural:message|messages} in it can be restored. Keep {app}, or "
        "continue?"
    ),
    "consent.first.chats.sized": (
        "{conversations} {conversations:plural:chat|chats} with {messages} {messages:plural:message|messages} "
        "({size:size}) of {app} on this phone will be deleted. The backup of {verified_at:time} was read back: "
        "{covered_size:size} in it can be restored. Keep {app}, or continue?"
    ),
    "consent.first.messages": (
        "{messages} {messages:plural:message|messages} of {app} on this phone will be deleted. The backup of "
        "{verified_at:time} was read back: {covered_messages} {covered_messages:plural:message|messages} in it "
        "can be restored. Keep {app}, or continue?"
    ),
    "consent.first.messages.sized": (
        "{messages} {messages:plural:message|messages} of {app} on this phone will be deleted. The backup of "
        "{verified_at:time} was read back: {covered_size:size} in it can be restored. Keep {app}, or continue?"
    ),
    "consent.first.bytes": (
        "{size:size} of {app} chats on this phone will be deleted. The backup of {verified_at:time} was read "
        "back: {covered_size:size} in it can be restored. Keep {app}, or continue?"
    ),
    "consent.first.uncounted": (
        "All {app} chats on this phone will be deleted. The backup of {verified_at:time} was read back: "
        "{covered_size:size} in it can be restored. Keep {app}, or continue?"
    ),
    "consent.second": "Last step. Type {app} to give up what is on this phone; anything else keeps it.",
    "loss.in-backup.not-counting": "A backup holds all messages that were counted, but it does not count now.",
    "loss.not-in-backup": "{not_in_backup} {not_in_backup:plural:message is|messages are} not in the backup.",
    "loss.not-in-backup.as-of": (
        "At {as_of:time}, {not_in_backup} {not_in_backup:plural:message was|messages were} not in the backup; newer ones were not counted."
    ),
    "loss.not-in-backup.none": "Every message that was counted is in the backup.",
    "loss.not-in-backup.none.as-of": "At {as_of:time}, every message was in the backup; newer ones were not counted.",
    "finding.loss-hint-malformed": "The note of what the backup lacks cannot be read; it was passed over.",
    "finding.loss-hint-of-another-app": "The note of what the backup lacks is about another app; it was passed over.",
    "finding.loss-hint-of-another-backup": "The note of what the backup lacks is about another backup; it was passed over.",
    "finding.loss-hint-old": "The note of what the backup lacks is too old; it was passed over.",
    "finding.loss-hint-from-the-future": "The note of what the backup lacks is dated in the future; it was passed over.",
    "loss.not-in-backup.unknown": "How many messages are not in the backup is not known.",
    "loss.span": "The messages are of {oldest:time} to {newest:time}.",
    "loss.newest": "The newest message is of {newest:time}.",
}

# Each check that a policy asks for is passed by another command.
_CHECKS: dict[str, tuple[str, str, str]] = {
    "check.every-byte-read": (
        "There is a backup, but not every byte of it was read back.",
        "Your policy asks for that before anything may be deleted.",
        "backupkit verify        then ask again",
    ),
    "check.keys-recoverable": (
        "There is a backup, but its recovery words were never typed back.",
        "A backup that nobody can open saves no chats.",
        "backupkit key confirm        and backupkit verify, then ask again",
    ),
    "check.restore-drill": (
        "The backup was verified, but within your limit of age it was not restored as a trial.",
        "Your policy asks for a drill before anything may be deleted.",
        "backupkit drill        then ask again",
    ),
    "check.second-copy": (
        "The backup was verified, but within your limit of age no whole second copy was seen on another disk.",
        "Your policy asks for a second copy before anything may be deleted.",
        "backupkit copy --to DIR        with a folder on another disk, then ask again",
    ),
    "consent-refused.token-needed": (
        "Only consent with the owner's signature counts here, and none came.",
        "So no program can answer in your place.",
        "backupkit guard consent FILE        FILE is this answer, saved with --json; then ask again with --consent-token",
    ),
}

_ERRORS: dict[str, tuple[str, str, str]] = {
    "guard-policy-refused": (
        "The guard's setting {setting} cannot be used ({reason}).",
        "A setting that is unknown, misspelt or unsafe would leave you unguarded without your knowing.",
        "backupkit config check",
    ),
    "listing-unusable": REASONS["listing-unusable"],
    "record-conflict": REASONS["record-conflict"],
    "consent-refused": (
        "What was given is not consent to this update ({reason}).",
        "Consent holds for one package, one backup and a short time, and needs both steps.",
        "Ask again and answer both steps.",
    ),
    "request-malformed": (
        "The question was not understood: {field} ({reason}).",
        "An answer to a misunderstood question would be a guess.",
        "See docs/reference/hook-protocol.md.",
    ),
    "unanswerable": (
        "The question cannot be answered ({reason}).",
        "Something that is needed for it is missing or unreadable.",
        "backupkit explain {reason:raw}",
    ),
    "ledger-broken": (
        "The list of decisions was altered at line {line} ({reason}).",
        "Somebody changed, removed or added a decision after it was signed, or hook.key, which signs them, was lost and drawn anew.",
        "Keep the file as it is, and look for a copy of it.",
    ),
}

MESSAGES: dict[str, str] = {
    **_HEADLINES,
    **{
        f"error.{code}.{part}": sentence
        for code, sentences in _ERRORS.items()
        for part, sentence in zip(("what", "why", "try"), sentences, strict=True)
    },
    **{
        f"{key}.{part}": sentence
        for key, sentences in _CHECKS.items()
        for part, sentence in zip(("what", "why", "try"), sentences, strict=True)
    },
}
