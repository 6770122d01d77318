"""Makes the golden key files under `tests/vectors/keys`, once.

They hold random salts, so a second run gives other bytes: golden files are made when the format is, and never again for
the same version. Run it as `python tests/vectors/make_keys.py FOLDER` to look at new ones beside the old.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from backupkit.crypto.domains import DomainSecrets
from backupkit.crypto.keyring import Keyring
from backupkit.crypto.recipients import XWingIdentity
from backupkit.crypto.slots import make_passphrase_slot, make_recipient_slot, make_recovery_slot
from backupkit.crypto.writer import WriterKeys, WriterState
from backupkit.ids import RepositoryId

CREATED = datetime(2018, 6, 1, 8, 30, tzinfo=UTC)
PASSPHRASE = "correct horse 电池 staple"


def make_keys(folder: Path) -> None:
    keyring, secret = Keyring.create()
    device = XWingIdentity.generate()
    domain = DomainSecrets.generate("wechat", "own-export")
    recovery_slot, code = make_recovery_slot(secret, "recovery sheet", created=CREATED)
    writer = WriterState(
        RepositoryId(bytes(range(16))),
        "backupkit.local/store/aaaqeayeaudaocajbifqydiob4",
        WriterKeys.generate(),
        keyring.public.owner_key,
        keyring.public.root_recipient,
    ).with_domain(domain.id, domain.writer_keys())
    files = {
        "slot-passphrase": make_passphrase_slot(secret, PASSPHRASE, label="laptop", created=CREATED).encode(),
        "slot-recovery-code": recovery_slot.encode(),
        "slot-recipient": make_recipient_slot(secret, device.recipient, "phone", created=CREATED).encode(),
        "keyring": keyring.seal(secret),
        "domain": domain.wrap(keyring.root.recipient, created=CREATED),
        "writer": writer.encode(),
    }
    facts = {
        "passphrase": PASSPHRASE,
        "recovery_words": {language: " ".join(code.words(language)) for language in ("en", "zh-CN")},
        "recovery_fingerprint": code.fingerprint,
        "identity_seed": device.seed.hex(),
        "secret": secret.hex(),
        "owner_seed": keyring.owner.seed.hex(),
        "root_seed": keyring.root.seed.hex(),
        "domain": domain.id.hex(),
        "id_key": domain.id_key.hex(),
        "index_key": domain.index_key.hex(),
        "domain_identity_seed": domain.identity.seed.hex(),
        "writer_seed": writer.writer.seed.hex(),
        "writer_id": writer.writer.id,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        with (folder / name).open("xb") as file:
            file.write(data)
    with (folder / "facts.json").open("x", encoding="utf-8") as file:
        file.write(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    make_keys(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "keys")
