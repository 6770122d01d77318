"""One file per command, imported when that command is run."""
