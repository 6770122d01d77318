"""The bytes of a source as they really are: scan, live databases by page, content-defined cuts."""
