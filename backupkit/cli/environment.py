"""Every variable of the environment that backupkit reads. What each means stands in the catalogues."""

from typing import Final

ENVIRONMENT: Final[tuple[str, ...]] = (
    "BACKUPKIT_REPO",
    "BACKUPKIT_CONFIG",
    "BACKUPKIT_PROFILE",
    "BACKUPKIT_LANG",
    "BACKUPKIT_PASSPHRASE_FILE",
    "BACKUPKIT_PASSPHRASE_FD",
    "BACKUPKIT_PASSPHRASE_COMMAND",
    "BACKUPKIT_PROGRESS_FPS",
    "NO_COLOR",
    "FORCE_COLOR",
    "TERM",
    "COLUMNS",
    "LANGUAGE",
    "LC_ALL",
    "LC_MESSAGES",
    "LANG",
    "VISUAL",
    "EDITOR",
    "NOTIFY_SOCKET",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
)
