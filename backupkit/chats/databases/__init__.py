"""Private copies of strangers' databases, whole or carved."""
