"""Redundancy across packs, so that any two of a group can be lost."""
