"""One use case per file. Here, and only here, the store, the chats, the proofs and the guard meet."""
