"""Where the bytes lie: a folder, or memory in tests."""
