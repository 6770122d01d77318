"""Structured bytes of strangers, one value at a time: JSON of any length, protobuf."""
