"""What the guard needs of a repository: losses in numbers, consents, and the entry at its host."""
