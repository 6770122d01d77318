"""Backups that a phone or an app sealed, opened with what their owner has."""
