"""Bringing files back: from snapshots, from packs alone, from a damaged database."""
