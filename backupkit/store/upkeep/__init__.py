"""Checking, repairing, repacking, sweeping, and saving what is left of a damaged repository."""
