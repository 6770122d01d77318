"""Simplified Chinese catalogue, one file per layer."""
