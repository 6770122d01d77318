"""Merkle log, signed statements and the coverage pass: what others can check without a repository and without backupkit.

The hook imports this layer and must start fast. A dataclass costs about 1 ms at import and a NamedTuple a fifth of it,
so the values that only pass from one module here to the next are NamedTuples.
"""
