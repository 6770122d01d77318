"""What this machine remembers of a repository. Losing it costs time or an answer, never a chat."""
