"""Packs: their layout, written, read, checked, and the index of what lies in them."""
