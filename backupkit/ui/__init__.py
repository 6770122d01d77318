"""Printers for people and for programs: the same events, as text or as JSON lines."""
