"""A source as a bounded, read-only set of files, wherever they lie."""
