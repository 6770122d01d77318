"""The public halves of the writers' keys, as other programs read them. Needs no passphrase."""

from dataclasses import dataclass

from backupkit.ops.failures import WriterNotFound
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import open_repository
from backupkit.proof.pem import public_pem, public_ssh
from backupkit.proof.sshsig import ATTESTATION_NAMESPACE, SNAPSHOT_NAMESPACE, allowed_signers_line


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """One writer's public keys: `log_pem` signs the log's heads, the others are one key, which signs snapshots and passes.

    `allowed_signers` is a line for `ssh-keygen -Y verify`, with the repository's origin as the principal.
    """

    writer: str
    label: str
    allowed_signers: str
    attest_openssh: str
    attest_pem: str
    log_openssh: str
    log_pem: str


def public_keys(places: Places, writer: str | None = None) -> list[PublicKeys]:
    """Return the keys of all writers, this machine's first; or those of one.

    Raises:
        NoRepository: there is none.
        WriterNotFound: the repository admits no such writer.
    """
    repository = open_repository(places)
    own = repository.writer.writer.id if repository.writer is not None else None
    found = [
        PublicKeys(
            writer=one.id,
            label=one.label,
            allowed_signers=allowed_signers_line(
                repository.origin, one.attest_key, SNAPSHOT_NAMESPACE, ATTESTATION_NAMESPACE
            ).strip(),
            attest_openssh=public_ssh(one.attest_key),
            attest_pem=public_pem(one.attest_key).strip(),
            log_openssh=public_ssh(one.log_key),
            log_pem=public_pem(one.log_key).strip(),
        )
        for one in sorted(repository.config.writers, key=lambda one: one.id != own)
        if writer is None or one.id == writer
    ]
    if not found:
        raise WriterNotFound(writer=(writer or "")[:64])
    return found
