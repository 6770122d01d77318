"""Feeds damaged packages to the package reader, for as long as asked, and stops at the first thing that is not a typed answer.

    .venv/bin/python scripts/fuzz_guard.py [--minutes 30] [--seed 1] [--corpus DIR] [--keep DIR]

Each finding is written to --keep with the traceback. A finding that is fixed becomes a test in tests/guard/apk.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from apk_factory import (
    NEWEST,
    V32,
    AppKey,
    ZipEntry,
    add_pair,
    build_apk,
    make_idsig,
    make_key,
    make_lineage,
    make_signer,
    make_zip,
    read_zip,
    sections,
    sequence,
    sign,
    sign_v1,
    sign_v2,
    sized,
)

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.signing import SigningKey
from backupkit.guard.apk.binary_xml import XmlMalformed, read_elements
from backupkit.guard.apk.certificates import read_certificate
from backupkit.guard.apk.cms import AttributeMalformed, read_attributes, read_signed_data
from backupkit.guard.apk.der import NotAsn1
from backupkit.guard.apk.idsig import read_idsig
from backupkit.guard.apk.jar_manifest import read_sections
from backupkit.guard.apk.lineage import read_lineage
from backupkit.guard.apk.package import read_package
from backupkit.guard.apk.package_set import read_package_set
from backupkit.guard.apk.public_keys import KeyMalformed, read_public_key
from backupkit.guard.apk.reasons import PackageNotGenuine, PackageUndecided
from backupkit.guard.apk.records import RecordMalformed
from backupkit.guard.consent import ConsentRefused, GivenConsent, decode_given
from backupkit.guard.loss_hint import LossHint, decode_hint
from backupkit.guard.package_index import Listing, ListingUnusable, read_listing
from backupkit.guard.package_record import EnrolledBy, PackageRecord, SeenVersion, decode_record, encode_record
from backupkit.guard.package_source import read_facts
from backupkit.guard.request import RequestMalformed, decode_request
from backupkit.ids import AppPackage, SnapshotId
from backupkit.proof.pins import Pins, decode_pins
from backupkit.proof.witness import WitnessState, decode_witness

MOST_SECONDS = 5.0
MOST_MEMORY = 400 << 20
EXPECTED = (
    PackageNotGenuine,
    PackageUndecided,
    XmlMalformed,
    KeyMalformed,
    NotAsn1,
    RecordMalformed,
    ListingUnusable,
    RequestMalformed,
    MalformedObject,
    NewerFormat,
    ConsentRefused,
)
LENGTHS = [
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\1\0\0\0",
    b"\0\0\1\0",
    b"PK\x05\x06",
    b"\x30\x80",
]


def damaged(original: bytes, dice: random.Random) -> bytes:
    """Change a few bytes, lengths or stretches."""
    data = bytearray(original)
    for _ in range(dice.choice([1, 1, 2, 3, 8, 30])):
        if not data:
            break
        at = dice.randrange(len(data))
        match dice.randrange(6):
            case 0:
                data[at] ^= 1 << dice.randrange(8)
            case 1:
                data[at] = dice.randrange(256)
            case 2:
                value = dice.choice(LENGTHS)
                data[at : at + len(value)] = value
            case 3:
                del data[at : at + dice.randrange(1, 200)]
            case 4:
                data[at:at] = data[at : at + dice.randrange(1, 200)]
            case _:
                other = dice.randrange(len(data))
                size = dice.randrange(1, 100)
                data[at : at + size] = data[other : other + size]
    return bytes(data)


def damaged_block(original: bytes, dice: random.Random) -> bytes:
    """Damage the signing block only, which is where most of the parsing is."""
    begin, directory, _ = sections(original)
    if not 0 < begin < directory:
        return damaged(original, dice)
    inner = damaged(original[begin + 8 : directory - 24], dice)
    size = (len(inner) + 24).to_bytes(8, "little")
    block = size + inner + size + b"APK Sig Block 42"
    rest = bytearray(original[directory:])
    end = rest.rindex(b"PK\x05\x06")
    rest[end + 16 : end + 20] = (begin + len(block)).to_bytes(4, "little")
    return original[:begin] + block + bytes(rest)


def targets(corpus: Path | None) -> Iterator[tuple[str, list[bytes], Callable[[bytes], object]]]:
    """Yield each parser with what to begin from."""
    a, b = make_key("ec", "A"), make_key("rsa-1024", "B")
    apk = build_apk(min_sdk=21, target_sdk=29, files={"a.txt": b"hello" * 50}, permissions=["p"], key_sets={"k": 2})
    jar = sign_v1(apk, b, signed_attributes=True)
    newer = sized(sequence([make_signer(apk, b, sdks=(37, NEWEST))]))
    packages = [
        add_pair(sign(apk, a), V32, newer),
        sign(apk, a),
        jar,
        sign(apk, b, lineage=make_lineage([a, b]), rotation_min_sdk=33),
        sign_v2(apk, a, b),
    ]
    if corpus:
        packages += [path.read_bytes() for path in sorted(corpus.rglob("*.apk")) if path.stat().st_size < 100_000]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-guard-"))

    def whole(data: bytes) -> object:
        path = folder / "app.apk"
        path.write_bytes(data)
        return read_package(path)

    entries = {entry.name: entry.data for entry in read_zip(jar)}
    yield "package", packages, whole
    yield "manifest", [entries[b"AndroidManifest.xml"]], lambda data: list(read_elements(data))
    yield "cms", [entries[b"META-INF/CERT.RSA"]], read_block
    yield "sections", [entries[b"META-INF/MANIFEST.MF"], entries[b"META-INF/CERT.SF"]], read_sections
    yield "certificate", [a.certificate, b.certificate], lambda data: read_certificate(data).may_sign()
    yield "key", [a.public_key_info, b.public_key_info, make_key("dsa", "C").public_key_info], read_public_key
    yield "lineage", [make_lineage([a, b]).encode()], read_lineage
    split = sign(build_apk(split="config.zh"), a)
    lists = ZipEntry(
        b"manifest.json", b'{"package_name":"org.example.chat","version_code":"1","split_apks":[{"file":"b"}]}'
    )
    containers = [
        make_zip([ZipEntry(b"base.apk", sign(apk, a), method), ZipEntry(b"zh.apk", split, method), lists])
        for method in (0, 8)
    ]

    def container(data: bytes) -> object:
        path = folder / "app.xapk"
        path.write_bytes(data)
        return read_package_set([path])

    yield "container", containers, container
    yield "idsig", [make_idsig(sign(apk, a), a), make_idsig(sign(apk, a), a, more=[(1, b, b"x" * 32)])], read_idsig
    package = AppPackage("org.example.chat")
    manifest = {"versionCode": 1, "usesSdk": {"minSdkVersion": 21}, "signer": {"sha256": [a.digest]}}
    index = json.dumps({"packages": {package: {"versions": {"x": {"manifest": manifest}}}}}).encode()

    def listing(data: bytes) -> object:
        path = folder / "index-v2.json"
        path.write_bytes(data)
        return read_listing(Listing(path, package))

    yield "index", [index], listing
    owner = {"package": package, "signers": [a.digest]}
    device = {"sdk": 34, "abis": ["x86"], "permissions": {"p": owner}, "providers": {"a": package}, "instant": False}
    question = {"package": package, "candidate": "/c.apk", "device": device}
    yield "question", [json.dumps(question).encode()], decode_request
    yield from kept(folder, a, b)


def kept(folder: Path, *makers: AppKey) -> Iterator[tuple[str, list[bytes], Callable[[bytes], object]]]:
    """Yield what reads the guard's own memory back, with what the guard itself writes."""
    now, package = datetime(2026, 1, 2, tzinfo=UTC), AppPackage("org.example.chat")
    path = folder / "enrolled.apk"
    path.write_bytes(sign(build_apk(package, min_sdk=21), makers[0], lineage=make_lineage(list(makers[::-1]))))
    facts = read_facts(path, device_sdk=None)
    seen = (SeenVersion(facts.version_code, facts.sha256, now),)
    record = PackageRecord(facts, now, EnrolledBy.OWNER, label="Chat", versions=seen, offered=(facts,))

    def again(data: bytes) -> None:
        found = decode_record(data)
        assert decode_record(encode_record(found)) == found

    key = SigningKey(bytes(32)).verify_key
    hint = LossHint(package, now, 3, 20, conversations=2, newest=now, snapshot=SnapshotId("ab" * 32))
    yield "record", [encode_record(record)], again
    yield (
        "witness",
        [WitnessState("backupkit.local/a", 7, bytes(32), at).encode() for at in (None, now)],
        decode_witness,
    )
    yield "pins", [Pins("backupkit.local/a", key, key).encode()], decode_pins
    yield "given", [GivenConsent("ab" * 32, now).encode()], decode_given
    yield "hint", [hint.encode()], decode_hint


def read_block(data: bytes) -> object:
    """Read a JAR signature block with everything in it."""
    found = read_signed_data(data)
    for signer in found.signers:
        signer.certificate(found.certificates)
        if signer.signed_attributes is not None:
            with suppress(AttributeMalformed):
                attributes = read_attributes(signer.signed_attributes)
                _ = attributes.content_type, attributes.message_digest
    return found


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--minutes", type=float, default=30)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    arguments.add_argument("--corpus", type=Path)
    arguments.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    chosen = arguments.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY + (1 << 30), MOST_MEMORY + (1 << 30)))
    dice = random.Random(chosen.seed)
    every = list(targets(chosen.corpus))
    counts: Counter[str] = Counter()
    findings = 0
    end = time.monotonic() + 60 * chosen.minutes
    while time.monotonic() < end:
        # Half of the time goes to whole packages, where everything comes together.
        name, seeds, parse = every[0] if dice.random() < 0.5 else dice.choice(every)
        original = dice.choice(seeds)
        data = damaged_block(original, dice) if name == "package" and dice.random() < 0.5 else damaged(original, dice)
        started = time.process_time()
        try:
            parse(data)
            counts[f"{name}: read"] += 1
        except EXPECTED as error:
            if name in {"package", "container"} and not isinstance(error, (PackageNotGenuine, PackageUndecided)):
                findings += keep(chosen.keep, name, data)
            counts[f"{name}: refused"] += 1
        except Exception:  # noqa: BLE001  # whatever is not typed is what is looked for
            findings += keep(chosen.keep, name, data)
        if time.process_time() - started > MOST_SECONDS:
            print(f"slow: {time.process_time() - started:.1f} s")
            findings += keep(chosen.keep, f"{name}-slow", data)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"seed {chosen.seed}, {chosen.minutes:g} min, {sum(counts.values())} inputs, {findings} findings, peak {peak} MB"
    )
    for name, count in sorted(counts.items()):
        print(f"  {name:24} {count}")
    return 1 if findings else 0


def keep(folder: Path, name: str, data: bytes) -> int:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{time.time_ns()}"
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(traceback.format_exc())
    print(f"finding: {path}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
