"""The ways into a repository: making it, adding and removing them, and the sheet of paper."""
