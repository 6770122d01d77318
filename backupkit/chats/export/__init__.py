"""Conversations as files for people and for other programs: pages, lines, tables, transcripts."""
