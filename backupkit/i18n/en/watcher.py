"""What the watcher tells, in English."""

MESSAGES: dict[str, str] = {
    "notice.watch-started": "Watching {sources} {sources:plural:source|sources}.",
    "notice.watch-saving": "The chats have come to rest. Saving {sources} {sources:plural:source|sources}.",
    "notice.watch-saved": "Saved {sources} {sources:plural:source|sources}.",
    "notice.watch-save-failed": "Saving failed ({reason}). Trying again in {retry_seconds:span}.",
    "notice.watch-verified-again": "Nothing new to save. {snapshots} {snapshots:plural:snapshot|snapshots} read back once more: every byte is there.",
    "notice.watch-saving-anew": "The backup of {source} is damaged. Saving it anew.",
    "notice.watch-check-failed": "What is saved could not be read back ({reason}). Trying again later.",
    "notice.watch-looking-again": "Some changes may have gone unseen. Looking at every source again.",
    "notice.watch-by-scanning": "The system reports no file changes ({reason}). Looking at every source once a minute instead.",
    "notice.watch-source-missing": "Source {source} is not there. What was saved of it stays safe. Watching for its return.",
    "notice.watch-source-back": "Source {source} is there again.",
    "notice.watch-standing-by": "Another watcher of this computer saves {source}. Standing by.",
    "notice.watch-taking-over": "The other watcher has ended. Saving {source} from now on.",
}
