"""Takes a snapshot when the chats have settled, and keeps doing so."""
