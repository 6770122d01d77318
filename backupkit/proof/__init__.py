"""Statements that others can check: Merkle log, checkpoint, DSSE, SSHSIG, coverage pass. It works on digests only."""
