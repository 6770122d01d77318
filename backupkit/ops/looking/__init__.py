"""What there is, and what changed. Nothing here writes into a repository."""
