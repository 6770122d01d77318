"""Packages with odd signing blocks and odd zips, each signed by whoever made it odd where that is possible."""

import struct
from collections.abc import Callable, Iterable, Sequence

from apk_factory import (
    NEWEST,
    V2,
    V3,
    AppKey,
    ZipEntry,
    add_pair,
    build_apk,
    content_digest,
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
    sign_v3,
    sized,
    u32,
    with_pairs,
    without_pair,
)

Variants = dict[str, Callable[[], bytes]]

A, B, C = make_key("rsa", "A"), make_key("rsa", "B"), make_key("ec", "E")
NEW = build_apk(min_sdk=24, target_sdk=34, files={"a.txt": b"hello" * 9})
OLD = build_apk(min_sdk=21, target_sdk=29, files={"a.txt": b"hello" * 9, "b.txt": b"yy" * 40})


def v2_variants() -> Variants:
    """One rule of scheme 2 bent at a time."""
    found: Variants = {}
    for key, numbers in _ALGORITHMS:
        found[f"algorithms {key.kind} {[hex(one) for one in numbers]}"] = lambda k=key, n=numbers: _v2(  # type: ignore[misc]
            make_signer(NEW, k, algorithms=n)
        )
    signers: dict[str, Callable[[], bytes]] = {
        "digests in another order": lambda: make_signer(
            NEW, A, algorithms=[0x103, 0x104], digest_algorithms=[0x104, 0x103]
        ),
        "a digest missing": lambda: make_signer(NEW, A, algorithms=[0x103, 0x104], digest_algorithms=[0x103]),
        "a digest too many": lambda: make_signer(NEW, A, algorithms=[0x103], digest_algorithms=[0x103, 0x9999]),
        "another certificate": lambda: make_signer(NEW, A, certificate=B.certificate),
        "another key": lambda: make_signer(NEW, A, public_key_info=B.public_key_info),
        "no key": lambda: make_signer(NEW, A, public_key_info=b"xx"),
        "no certificate": lambda: make_signer(NEW, A, certificate=b"xx"),
        "bytes behind the certificate": lambda: make_signer(NEW, A, certificate=A.certificate + b"xx"),
        "no certificates": lambda: _signer(certificates=[]),
        "two certificates": lambda: _signer(certificates=[A.certificate, B.certificate]),
        "second certificate junk": lambda: _signer(certificates=[A.certificate, b"xx"]),
        "no digests": lambda: _signer(digests=[]),
        "short digest": lambda: _signer(digests=[u32(0x103) + sized(b"x" * 8)]),
        "digest cut": lambda: _signer(digests=[u32(0x103) + u32(99)]),
        "bytes behind a digest": lambda: _signer(digests=[u32(0x103) + sized(content_digest(NEW, "sha256")) + b"zz"]),
        "attributes junk": lambda: _signer(attributes=b"xxxx"),
        "attribute short": lambda: _signer(attributes=sized(b"xx")),
        "unknown attribute twice": lambda: _signer(attributes=sized(u32(7) + b"hi") * 2),
        "names v3": lambda: _signer(attributes=sized(u32(0xBEEFF00D) + u32(3))),
        "names a scheme of later": lambda: _signer(attributes=sized(u32(0xBEEFF00D) + u32(9))),
        "names a scheme in one byte": lambda: _signer(attributes=sized(u32(0xBEEFF00D) + b"\3")),
        "names v3 and more": lambda: _signer(attributes=sized(u32(0xBEEFF00D) + u32(3) + b"zz")),
        "bytes behind the signed data": lambda: _signer(behind_signed=b"zzzz"),
        "bytes behind the signer": lambda: _signer() + b"zzzz",
        "no signatures": lambda: _signer(signatures=[]),
        "signature junk": lambda: _signer(signatures=[b"xx"]),
        "signature of zeros": lambda: _signer(signatures=[u32(0x103) + sized(bytes(256))]),
        "signature empty": lambda: _signer(signatures=[u32(0x103) + sized(b"")]),
        "signer empty": lambda: b"",
    }
    found |= {label: lambda m=make: _v2(m()) for label, make in signers.items()}  # type: ignore[misc]
    right = _signer()
    value = sized(sequence([right]))
    pair = _pair(V2, value)
    found |= {
        "right": lambda: _v2(right),
        "two signers": lambda: _v2(right, _signer(B)),
        "one signer twice": lambda: _v2(right, right),
        "ten signers": lambda: _v2(*[right] * 10),
        "bytes behind the signers": lambda: add_pair(NEW, V2, value + b"zz"),
        "bytes among the signers": lambda: add_pair(NEW, V2, sized(sequence([right]) + b"zz")),
        "id twice, right first": lambda: with_pairs(NEW, [(V2, value), (V2, b"xx")]),
        "unknown id first": lambda: with_pairs(NEW, [(0x123, b"xx"), (V2, value)]),
        "block: first size wrong": lambda: _with_block(pair, first=77),
        "block: last size wrong": lambda: _with_block(pair, last=77),
        "block: magic wrong": lambda: _with_block(pair, magic=b"APK Sig Block 43"),
        "block: three bytes behind": lambda: _with_block(pair + b"abc"),
        "block: zeros behind": lambda: _with_block(pair + bytes(8)),
        "block: pair without length first": lambda: _with_block(struct.pack("<Q", 0) + pair),
        "block: pair too short first": lambda: _with_block(struct.pack("<QI", 3, 1) + pair),
        "block: pair too long behind": lambda: _with_block(pair + struct.pack("<QI", 1 << 40, 1)),
        "block: pair too long first": lambda: _with_block(struct.pack("<QI", 1 << 63, 1) + pair),
        "block: empty": lambda: _with_block(b""),
    }
    return found


_ALGORITHMS: list[tuple[AppKey, list[int]]] = [
    *((A, numbers) for numbers in ([0x103], [0x104], [0x103, 0x104], [0x104, 0x103], [0x103, 0x9999])),
    *((A, numbers) for numbers in ([0x9999], [0x9999, 0x103], [0x103, 0x103], [0x201])),
    *((key, [number]) for key in (C, make_key("ec-p384", "P"), make_key("ec-p521", "Q")) for number in (0x201, 0x202)),
    (make_key("dsa", "D"), [0x301]),
    (make_key("rsa-1024", "R"), [0x103]),
    (make_key("rsa-1024", "R"), [0x104]),
]


def v3_variants() -> Variants:
    """Ranges of levels, lineages, and what schemes say of one another."""
    found: Variants = {}
    for label, ranges in _RANGES.items():
        signers = [(key, first, last) for key, first, last in ranges]
        found[f"v3 for {label}"] = lambda s=signers: _v3(*(_signer(k, sdks=(lo, hi)) for k, lo, hi in s))  # type: ignore[misc]
    one: dict[str, Callable[[], bytes]] = {
        "first level differs outside": lambda: _signer(sdks=(24, NEWEST), outer=(25, NEWEST)),
        "last level differs outside": lambda: _signer(sdks=(24, NEWEST), outer=(24, NEWEST - 1)),
        "two certificates": lambda: _signer(sdks=(24, NEWEST), certificates=[A.certificate, B.certificate]),
        "no certificates": lambda: _signer(sdks=(24, NEWEST), certificates=[]),
        "lineage": lambda: _signer(B, sdks=(24, NEWEST), attributes=_history(A, B)),
        "lineage of one": lambda: _signer(A, sdks=(24, NEWEST), attributes=_history(A)),
        "lineage with a repeat": lambda: _signer(A, sdks=(24, NEWEST), attributes=_history(A, B, A)),
        "lineage of another": lambda: _signer(A, sdks=(24, NEWEST), attributes=_history(A, B)),
        "lineage junk": lambda: _signer(B, sdks=(24, NEWEST), attributes=sized(u32(0x3BA06F8C) + b"xx")),
        "lineage without a node": lambda: _signer(B, sdks=(24, NEWEST), attributes=sized(u32(0x3BA06F8C) + u32(1))),
        "lineage of version 2": lambda: _signer(
            B,
            sdks=(24, NEWEST),
            attributes=sized(u32(0x3BA06F8C) + u32(2) + make_lineage([A, B]).encode()[4:]),
        ),
        "lineage broken": lambda: _signer(
            B,
            sdks=(24, NEWEST),
            attributes=sized(u32(0x3BA06F8C) + make_lineage([A, B]).encode()[:-3] + b"abc"),
        ),
    }
    found |= {f"v3 {label}": lambda m=make: _v3(m()) for label, make in one.items()}  # type: ignore[misc]
    two = {
        "longer later": ((B, _history(A, B, C, nodes=2)), (C, _history(A, B, C))),
        "longer later, with other grants": ((B, _history(A, B, C, nodes=2, grants=7)), (C, _history(A, B, C))),
        "shorter later": ((C, _history(A, B, C)), (B, _history(A, B))),
        "diverging": ((B, _history(A, B)), (C, _history(A, C))),
        "a part": ((B, _history(A, B)), (C, _history(B, C))),
        "none, then of another": ((B, b""), (C, _history(A, C))),
    }
    for label, ((first, early), (last, late)) in two.items():
        found[f"v3 two lineages, {label}"] = lambda f=first, e=early, la=last, lt=late: _v3(  # type: ignore[misc]
            _signer(f, sdks=(28, 30), attributes=e), _signer(la, sdks=(31, NEWEST), attributes=lt)
        )
    for schemes in (["v1"], ["v2"], ["v3"], ["v1", "v2"], ["v1", "v3"], ["v2", "v3"], ["v1", "v2", "v3"]):
        found[f"signed by {schemes}"] = lambda s=schemes: sign(OLD, A, schemes=s)  # type: ignore[misc]
        found[f"rotated, signed by {schemes}"] = lambda s=schemes: sign(OLD, B, lineage=make_lineage([A, B]), schemes=s)  # type: ignore[misc]
    found |= {
        "v2 by the first key": lambda: _add_v3(
            _v2(_signer()), _signer(B, sdks=(28, NEWEST), attributes=_history(A, B))
        ),
        "v2 by the last key": lambda: _add_v3(
            _v2(_signer(B)), _signer(B, sdks=(28, NEWEST), attributes=_history(A, B))
        ),
        "v2 by a stranger": lambda: _add_v3(_v2(_signer()), _signer(B, sdks=(28, NEWEST))),
        "v1 cut": lambda: without_pair(sign(OLD, A, schemes=["v1", "v2"]), V2),
        "v3 cut": lambda: without_pair(sign(NEW, A, schemes=["v2", "v3"]), V3),
        "v2 cut": lambda: without_pair(sign(NEW, A, schemes=["v2", "v3"]), V2),
        "v1 and v2 by different keys": lambda: sign_v2(sign_v1(OLD, A), B),
        "v1 by one, v2 by two": lambda: sign_v2(sign_v1(OLD, A), A, B),
        "v1 and v2 by two in another order": lambda: sign_v2(sign_v1(OLD, A, B), B, A),
        "v1 by two, v3 by one": lambda: sign_v3(sign_v1(OLD, A, B), A),
    }
    for sandbox in (1, 2):
        found[f"sandbox {sandbox}, v1 only"] = lambda s=sandbox: sign_v1(  # type: ignore[misc]
            build_apk(min_sdk=21, target_sdk=29, target_sandbox_version=s), A
        )
    for target in (29, 30):
        found[f"target {target}, v1 only"] = lambda t=target: sign_v1(build_apk(min_sdk=21, target_sdk=t), A)  # type: ignore[misc]
    for name in ("S", "T", "R", "Q", "L", "xx", "26"):
        found[f"release {name}"] = lambda n=name: sign(build_apk(min_sdk=n), A, schemes=["v2", "v3"])  # type: ignore[misc]
    return found


_RANGES: dict[str, list[tuple[AppKey, int, int]]] = {
    "24 on": [(A, 24, NEWEST)],
    "28 on": [(A, 28, NEWEST)],
    "30 on": [(A, 30, NEWEST)],
    "28 to 30": [(A, 28, 30)],
    "28 to 99": [(A, 28, 99)],
    "two ranges to 99": [(A, 28, 30), (A, 31, 99)],
    "two ranges of one signer": [(A, 28, 30), (A, 31, NEWEST)],
    "two ranges, the later first": [(A, 31, NEWEST), (A, 28, 30)],
    "0 on": [(A, 0, NEWEST)],
    "ranges with a hole": [(A, 28, 30), (B, 32, NEWEST)],
    "ranges that overlap": [(A, 28, 31), (B, 31, NEWEST)],
    "a range backwards": [(A, 30, 28)],
    "a negative level": [(A, 0x80000000, NEWEST)],
    "a negative end": [(A, 24, 0xFFFFFFFF)],
}


def zip_variants() -> Variants:
    """Each field of a header, a directory record and the end record, bent; and odd names, orders and gaps."""
    base = sign_v1(OLD, A, digests=["SHA1"])
    found: Variants = {}
    for name in (b"a.txt", b"classes.dex", b"AndroidManifest.xml", b"META-INF/CERT.SF"):
        for place, fields in (("directory", _DIRECTORY), ("header", _HEADER)):
            for field, (offset, size, values) in fields.items():
                for value in values:
                    label = f"{place} of {name.decode()}: {field} {value:#x}"
                    found[label] = lambda p=place, n=name, o=offset, s=size, v=value: _bent(base, p, n, o, s, v)  # type: ignore[misc]
                    if name == b"a.txt":
                        found[f"v2, {label}"] = lambda p=place, n=name, o=offset, s=size, v=value: sign_v2(  # type: ignore[misc]
                            _bent(OLD, p, n, o, s, v), A
                        )
    end = sections(base)[2]
    count, directory_size, directory = struct.unpack_from("<10xHII", base, end)
    ends = [(4, 2, 1), (6, 2, 1), (8, 2, 0), (8, 2, count + 1), (20, 2, 1), (10, 2, 0), (10, 2, count + 1)]
    ends += [(12, 4, directory_size + one) for one in (-1, 1)] + [(16, 4, directory + one) for one in (-1, 1)]
    for offset, size, value in ends:
        found[f"end record: {value} at {offset}"] = lambda o=offset, s=size, v=value: _with_end(base, o, s, v)  # type: ignore[misc]
    for label, name in _NAMES.items():
        found[f"name {label}"] = lambda n=name: sign_v1(
            make_zip([*read_zip(OLD), ZipEntry(n, b"x")]), A, digests=["SHA1"]
        )  # type: ignore[misc]
        found[f"added unsigned, name {label}"] = lambda n=name: make_zip([*read_zip(base), ZipEntry(n, b"x")])  # type: ignore[misc]
    for name in (b"a.txt", b"META-INF/MANIFEST.MF", b"META-INF/CERT.SF", b"META-INF/CERT.RSA"):
        found[f"{name.decode()} twice"] = lambda n=name: make_zip([*read_zip(base), ZipEntry(n, b"evil", 8)])  # type: ignore[misc]
    found |= {
        "comment": lambda: sign_v1(_commented(OLD, b"a comment"), A, digests=["SHA1"]),
        "comment added": lambda: _commented(base, b"a comment"),
        "comment added behind v2": lambda: _commented(sign_v2(OLD, A), b"a comment"),
        "bytes behind": lambda: base + b"xx",
        "gap before the end record": lambda: _joined(base, gap=b"gap!"),
        "gap before the end record, v2": lambda: _joined(sign_v2(OLD, A), gap=b"gap!"),
        "gap before the directory": lambda: _joined(base, before=b"gap!"),
        "locator of zip64, v2": lambda: _joined(sign_v2(OLD, A), gap=struct.pack("<IIQI", 0x07064B50, 0, 0, 1)),
        "directory backwards": lambda: _joined(base, directory=b"".join(reversed(list(_records(base))))),
        "extra fields": lambda: _with_extra(b"\x35\xd9\6\0\4\0\0\0\0\0"),
        "extra fields of junk": lambda: _with_extra(b"zzz"),
        "no code": lambda: sign_v1(make_zip([one for one in read_zip(OLD) if one.name != b"classes.dex"]), A),
        "no manifest": lambda: sign_v1(make_zip([one for one in read_zip(OLD) if b"Android" not in one.name]), A),
        "all stored": lambda: sign_v1(make_zip([ZipEntry(one.name, one.data) for one in read_zip(OLD)]), A),
        "3,000 entries": lambda: sign_v2(
            make_zip([*read_zip(OLD), *(ZipEntry(b"f%d" % number, b"") for number in range(3000))]), A
        ),
    }
    for has_mark in (True, False):
        for is_right in (True, False):
            found[f"data descriptor {has_mark} {is_right}"] = lambda m=has_mark, r=is_right: _described(base, m, r)  # type: ignore[misc]
    return found


_WORDS: tuple[int, ...] = (0, 1, 0xFFFFFFFF)
_DIRECTORY: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "mark": (0, 4, (0x12345678,)),
    "version": (6, 2, (99,)),
    "flags": (8, 2, (1, 2, 8, 0x20, 0x40, 0x800, 0x2000)),
    "method": (10, 2, (0, 1, 5, 8, 99)),
    "time": (12, 2, (9,)),
    "crc": (16, 4, (0, 5)),
    "compressed size": (20, 4, _WORDS),
    "size": (24, 4, (*_WORDS, 100_000)),
    "length of the name": (28, 2, (0, 1, 60_000)),
    "length of the extra field": (30, 2, (1, 60_000)),
    "length of the comment": (32, 2, (1, 60_000)),
    "disk": (34, 2, (1,)),
    "offset": (42, 4, (*_WORDS, 5)),
}
_HEADER: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "mark": (0, 4, (0x12345678,)),
    "version": (4, 2, (99,)),
    "flags": (6, 2, (1, 2, 8, 0x20, 0x40, 0x800, 0x2000)),
    "method": (8, 2, (0, 1, 5, 8, 99)),
    "crc": (14, 4, (0, 5)),
    "compressed size": (18, 4, _WORDS),
    "size": (22, 4, _WORDS),
    "length of the name": (26, 2, (0, 1, 60_000)),
    "length of the extra field": (28, 2, (1, 60_000)),
}
_NAMES = {
    "in upper case": b"A.TXT",
    "with a backslash": b"a\\b.txt",
    "that climbs": b"../b.txt",
    "from the root": b"/b.txt",
    "with a colon": b"a: b",
    "with a space behind": b"ab ",
    "with a space in front": b" ab",
    "with a line end": b"a\nb",
    "in Chinese": "微信.txt".encode(),
    "long in Chinese": ("微信" * 30).encode(),
    "of a file beside the signature": b"META-INF/evil.txt",
    "almost beside the signature": b"meta-inf/evil.txt",
    "of the signature's folder, as a file": b"META-INF",
    "out of the signature's folder": b"META-INF/../x",
    "of a folder": b"folder/",
}


def _signer(
    key: AppKey = A,
    *,
    sdks: tuple[int, int] | None = None,
    outer: tuple[int, int] | None = None,
    digests: Sequence[bytes] | None = None,
    certificates: Sequence[bytes] | None = None,
    attributes: bytes = b"",
    behind_signed: bytes = b"",
    signatures: Sequence[bytes] | None = None,
) -> bytes:
    """Write a signer whose every part a test may replace before it is signed."""
    number = key.algorithm
    digests = [u32(number) + sized(content_digest(NEW, "sha256"))] if digests is None else digests
    levels = b"" if sdks is None else u32(sdks[0]) + u32(sdks[1])
    signed = sized(sequence(digests)) + sized(sequence([key.certificate] if certificates is None else certificates))
    signed += levels + sized(attributes) + behind_signed
    signatures = [u32(number) + sized(key.sign(signed, number))] if signatures is None else signatures
    outside = levels if outer is None else u32(outer[0]) + u32(outer[1])
    return sized(signed) + outside + sized(sequence(signatures)) + sized(key.public_key_info)


def _v2(*signers: bytes) -> bytes:
    return add_pair(NEW, V2, sized(sequence(signers)))


def _v3(*signers: bytes) -> bytes:
    return _add_v3(NEW, *signers)


def _add_v3(apk: bytes, *signers: bytes) -> bytes:
    return add_pair(apk, V3, sized(sequence(signers)))


def _history(*keys: AppKey, nodes: int | None = None, grants: int = 23) -> bytes:
    """Write the attribute for a lineage, or for the beginning of one, as the tool keeps it."""
    encoded = make_lineage(keys, [grants] * len(keys)).encode()
    parts, at = [], 4
    while at < len(encoded):
        size = 4 + struct.unpack_from("<I", encoded, at)[0]
        parts.append(encoded[at : at + size])
        at += size
    return sized(u32(0x3BA06F8C) + encoded[:4] + b"".join(parts[:nodes]))


def _pair(number: int, value: bytes) -> bytes:
    return struct.pack("<QI", 4 + len(value), number) + value


def _with_block(
    pairs: bytes, *, first: int | None = None, last: int | None = None, magic: bytes = b"APK Sig Block 42"
) -> bytes:
    size = len(pairs) + 24
    block = (
        struct.pack("<Q", size if first is None else first) + pairs + struct.pack("<Q", size if last is None else last)
    )
    return _joined(NEW, before=block + magic)


def _joined(apk: bytes, *, before: bytes = b"", directory: bytes | None = None, gap: bytes = b"") -> bytes:
    """Put a package together again: something in front of its directory, another directory, something behind it."""
    _, start, end = sections(apk)
    directory = apk[start:end] if directory is None else directory
    tail = bytearray(apk[end:])
    struct.pack_into("<II", tail, 12, len(directory), start + len(before))
    return apk[:start] + before + directory + gap + bytes(tail)


def _records(apk: bytes) -> Iterable[bytes]:
    _, at, end = sections(apk)
    while at < end:
        size = 46 + sum(struct.unpack_from("<HHH", apk, at + 28))
        yield apk[at : at + size]
        at += size


def _bent(apk: bytes, place: str, name: bytes, offset: int, size: int, value: int) -> bytes:
    """Set one field of one entry, in the directory or in its own header."""
    changed, at = bytearray(apk), sections(apk)[1]
    for record in _records(apk):
        if record[46 : 46 + len(name)] == name and struct.unpack_from("<H", record, 28) == (len(name),):
            start = at if place == "directory" else struct.unpack_from("<I", record, 42)[0]
            changed[start + offset : start + offset + size] = value.to_bytes(size, "little")
        at += len(record)
    return bytes(changed)


def _with_end(apk: bytes, offset: int, size: int, value: int) -> bytes:
    at = sections(apk)[2] + offset
    return apk[:at] + value.to_bytes(size, "little") + apk[at + size :]


def _commented(apk: bytes, comment: bytes) -> bytes:
    return apk[:-2] + struct.pack("<H", len(comment)) + comment


def _with_extra(extra: bytes) -> bytes:
    entries = read_zip(OLD)
    for entry in entries:
        entry.extra = extra
    return sign_v1(make_zip(entries), A, digests=["SHA1"])


def _described(apk: bytes, has_mark: bool, is_right: bool) -> bytes:
    """Write the first entry's sizes behind its data."""
    start, directory = sections(apk)[1], list(_records(apk))
    first = bytearray(directory[0])
    (offset,) = struct.unpack_from("<I", first, 42)
    assert offset == 0
    header = bytearray(apk[:start])
    (size,) = struct.unpack_from("<I", first, 20)
    data_end = 30 + sum(struct.unpack_from("<HH", header, 26)) + size
    struct.pack_into("<H", first, 8, 8)
    struct.pack_into("<HHHIII", header, 6, 8, *struct.unpack_from("<HH", header, 8), 0, 0, 0)
    written = (b"PK\7\x08" if has_mark else b"") + (bytes(first[16:28]) if is_right else bytes(12))
    records = [bytes(first)]
    for record in directory[1:]:
        moved = bytearray(record)
        struct.pack_into("<I", moved, 42, struct.unpack_from("<I", record, 42)[0] + len(written))
        records.append(bytes(moved))
    tail = bytearray(apk[sections(apk)[2] :])
    struct.pack_into("<II", tail, 12, len(b"".join(records)), start + len(written))
    return bytes(header[:data_end]) + written + bytes(header[data_end:]) + b"".join(records) + bytes(tail)
