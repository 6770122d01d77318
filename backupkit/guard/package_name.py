"""What an Android package may be called. It stands alone, since who takes a snapshot needs nothing else of the guard."""

import re

_PACKAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")


LONGEST_NAME = 223
"""Android takes no longer one (AOSP `FrameworkParsingPackageUtils.validateName`): files bear it with something added."""


def is_package_name(text: str) -> bool:
    """Whether a text is an Android package name. Such a name is safe as a file name."""
    return len(text) <= LONGEST_NAME and _PACKAGE_NAME.fullmatch(text) is not None
