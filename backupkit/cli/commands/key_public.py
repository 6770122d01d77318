"""`backupkit key public`: the keys that others check this repository with, in the formats of their own tools."""

from enum import Enum
from typing import Annotated

import typer

from backupkit.cli.session import session_of
from backupkit.ui.json_fields import json_fields


class KeyFormat(Enum):
    """Whose tool is to read the key: ssh-keygen with its list of signers, ssh itself, or openssl."""

    ALLOWED_SIGNERS = "allowed-signers"
    OPENSSH = "openssh"
    PEM = "pem"


class KeyUse(Enum):
    """What the key signs: snapshots and coverage passes, or the heads of the log."""

    ATTEST = "attest"
    LOG = "log"


def key_public(
    context: typer.Context,
    form: Annotated[
        KeyFormat, typer.Option("--format", metavar="openssh|pem|allowed-signers")
    ] = KeyFormat.ALLOWED_SIGNERS,
    use: Annotated[KeyUse, typer.Option("--use", metavar="attest|log")] = KeyUse.ATTEST,
    writer: Annotated[str | None, typer.Option("--writer", metavar="ID")] = None,
) -> None:
    """Print the public keys of all computers that may write. No passphrase is needed."""
    from backupkit.ops.keys.public_keys import public_keys

    session = session_of(context)
    lines = []
    found = public_keys(session.places, writer)
    for keys in found:
        fields = json_fields(keys)
        session.printer.record("public-key", fields)
        allowed = form is KeyFormat.ALLOWED_SIGNERS
        # Only what signs snapshots goes into the list of signers: the log's head is no SSH signature.
        lines.append(fields["allowed_signers"] if allowed else fields[f"{use.value}_{form.value}"])
    session.printer.summary({"writers": len(found)}, lines)
