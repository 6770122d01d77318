"""The repository: backend, packs, index, trees, check. It knows bytes and keys, and nothing of chats or apps."""
