"""Saves chats before an app update can wipe them, proves that it did, and holds the update until then.

The public interface is the command line with its JSON and exit codes (`docs/reference/`). From Python only the
names in `__all__` are promised.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
