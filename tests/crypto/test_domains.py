from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.domains import DomainSecrets, open_domain, read_domain
from backupkit.crypto.failures import OpenFailed
from backupkit.crypto.recipients import XWingIdentity

CREATED = datetime(2018, 6, 1, 8, 30, tzinfo=UTC)


def test_a_domain_made_with_the_public_root_opens_with_the_private_one() -> None:
    root = XWingIdentity.generate()
    domain = DomainSecrets.generate("wechat", "own-export")

    file = domain.wrap(root.recipient, created=CREATED)

    assert open_domain(file, root) == domain
    assert (domain.label.account, domain.label.basis) == ("wechat", "own-export")


def test_the_open_part_names_the_domain_and_not_the_app() -> None:
    domain = DomainSecrets.generate("wechat", "own-export")
    file = domain.wrap(XWingIdentity.generate().recipient, created=CREATED)

    read = read_domain(file)

    assert (read.id, read.recipient, read.created, read.epoch) == (domain.id, domain.recipient, CREATED, 0)
    assert read.encode() == file
    assert b"wechat" not in file
    assert domain.id_key not in file


def test_another_root_does_not_open_a_domain() -> None:
    file = DomainSecrets.generate("qq", "own-export").wrap(XWingIdentity.generate().recipient, created=CREATED)

    with pytest.raises(OpenFailed):
        open_domain(file, XWingIdentity.generate())


def test_a_domain_renamed_to_another_one_does_not_open() -> None:
    root = XWingIdentity.generate()
    file = read_domain(DomainSecrets.generate("qq", "own-export").wrap(root.recipient, created=CREATED))

    with pytest.raises(OpenFailed):
        open_domain(replace(file, id=DomainSecrets.generate("x", "y").id).encode(), root)


def test_what_a_writer_is_given_opens_nothing() -> None:
    domain = DomainSecrets.generate("wechat", "own-export")

    keys = domain.writer_keys()

    assert (keys.id_key, keys.index_key, keys.label) == (domain.id_key, domain.index_key, domain.label)
    assert domain.identity.unwrap(keys.recipient.wrap(b"pack key", b"pack"), b"pack") == b"pack key"
    assert not hasattr(keys, "identity")


def test_fields_of_a_newer_backupkit_survive_reading_and_writing() -> None:
    root = XWingIdentity.generate()
    plain = DomainSecrets.generate("wechat", "own-export")
    domain = replace(plain, unknown={"token": "t"}, label=replace(plain.label, unknown={"since": 2018}))
    file = domain.wrap(root.recipient, created=CREATED, epoch=2, unknown={"replicas": [1, 2]})

    opened, open_part = open_domain(file, root), read_domain(file)

    assert opened == domain
    assert (open_part.unknown, open_part.epoch) == ({"replicas": [1, 2]}, 2)
    assert read_domain(open_part.encode()) == open_part
    again = opened.wrap(root.recipient, created=open_part.created, epoch=2, unknown=open_part.unknown)
    assert open_domain(again, root) == domain


def test_a_domain_whose_halves_do_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    root, other = XWingIdentity.generate(), XWingIdentity.generate().recipient
    target = root.recipient
    domain = DomainSecrets.generate("wechat", "own-export")
    monkeypatch.setattr(DomainSecrets, "recipient", property(lambda _: other))
    file = domain.wrap(target, created=CREATED)
    monkeypatch.undo()

    with pytest.raises(MalformedObject) as caught:
        open_domain(file, root)

    assert caught.value.facts == {"what": "domain", "reason": "halves-do-not-fit"}


def test_no_secret_is_in_what_a_domain_prints() -> None:
    domain = DomainSecrets.generate("wechat", "own-export")

    printed = f"{domain!r} {domain.writer_keys()!r}"

    assert repr(domain.id_key) not in printed
    assert repr(domain.index_key) not in printed
    assert repr(domain.identity.seed) not in printed
