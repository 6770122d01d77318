"""What can be wrong with the settings. Every one of these is exit 2 and names file and line."""

from backupkit.errors import BackupkitError, ExitCode


class ConfigProblem(BackupkitError):
    """The settings cannot be used as they are. `line` counts from 1 and is 0 where it is not known."""

    exit_code = ExitCode.USAGE


class ConfigUnreadable(ConfigProblem):
    """The file with the settings cannot be read."""

    code = "config-unreadable"

    def __init__(self, *, file: str, reason: str) -> None:
        super().__init__(file=file, reason=reason)


class ConfigNotToml(ConfigProblem):
    """The file is no TOML at this place."""

    code = "config-not-toml"

    def __init__(self, *, file: str, line: int, column: int) -> None:
        super().__init__(file=file, line=line, column=column)


class ConfigUnknownKey(ConfigProblem):
    """A table or key that backupkit does not know. `nearest` is the known name most like it, or what is known there."""

    code = "config-unknown-key"

    def __init__(self, *, file: str, line: int, key: str, nearest: str) -> None:
        super().__init__(file=file, line=line, key=key, nearest=nearest)


class ConfigWrongValue(ConfigProblem):
    """A value that its key cannot have. `expected` shows the form of a right one."""

    code = "config-wrong-value"

    def __init__(self, *, file: str, line: int, key: str, found: str, expected: str) -> None:
        super().__init__(file=file, line=line, key=key, found=found, expected=expected)


class ConfigMissingKey(ConfigProblem):
    """A table lacks a key that it must have."""

    code = "config-missing-key"

    def __init__(self, *, file: str, line: int, key: str) -> None:
        super().__init__(file=file, line=line, key=key)


class ConfigSourceTwice(ConfigProblem):
    """Two sources have one name."""

    code = "config-source-twice"

    def __init__(self, *, file: str, line: int, name: str) -> None:
        super().__init__(file=file, line=line, name=name)


class ConfigNewerVersion(ConfigProblem):
    """The settings are written for a later backupkit."""

    code = "config-newer-version"

    def __init__(self, *, file: str, line: int, version: int, known: int) -> None:
        super().__init__(file=file, line=line, version=version, known=known)


class ProfileNotFound(ConfigProblem):
    """No settings have a profile of this name."""

    code = "profile-not-found"

    def __init__(self, *, name: str, nearest: str) -> None:
        super().__init__(name=name, nearest=nearest)
