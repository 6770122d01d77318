"""Sealing, signing, recipients, key slots and recovery words, on `cryptography` alone."""
