"""Putting a damaged repository right."""
