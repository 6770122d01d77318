"""A repository as this machine knows it: its objects, its log, and what the log tells."""
