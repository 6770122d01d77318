"""The last words of a program that can say nothing else.

Everything else about the answer comes from the guard. This module imports nothing of it, so that an answer can be
given while the rest is still being loaded, or cannot be.
"""

import json

UNDECIDED_EXIT = 42
USAGE_EXIT = 2
MAX_REQUEST_BYTES = 1 << 20
DEFAULT_DEADLINE_SECONDS = 2.0
HOST_DEADLINE_SECONDS = 10.0
"""apt and pacman name none. They wait for the guard, and everybody else waits for them."""


def undecided_line(reason: str) -> bytes:
    """Return the one line that says "undecided", with every field of a verdict."""
    verdict = {
        "type": "verdict",
        "v": 1,
        "decision": "undecided",
        "outcome": "unknown",
        "install_result": None,
        "reason": reason,
        "signer_change": "unknown",
        "would_erase": True,
        "consent": None,
        "loss": None,
        "coverage": None,
        "candidate_sha256": None,
        "not_judged": [],
        "findings": [],
        "try": [f"backupkit explain {reason}"],
        "exit_code": UNDECIDED_EXIT,
    }
    return json.dumps(verdict, separators=(",", ":")).encode() + b"\n"
