"""Chunks of one domain, stored and read back."""
