"""Finding messages, and the sealed index that this takes."""
