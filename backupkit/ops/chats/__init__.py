"""The chats of a source or of a snapshot: read where they lie, counted, and their ledgers kept."""
