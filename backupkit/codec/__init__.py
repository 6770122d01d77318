"""Canonical bytes and framing: what every stored object begins with, and how hostile bytes are read."""
