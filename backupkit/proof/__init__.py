"""Merkle log, signed statements and the coverage pass: what others can check without a repository and without backupkit."""
