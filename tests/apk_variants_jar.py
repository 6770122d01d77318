"""Packages with odd JAR signatures: each is signed after it was made odd, so that only the oddity can be what is wrong with it."""

import base64
import datetime as dt
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from apk_factory import AppKey, ZipEntry, build_apk, der, make_cms, make_key, make_zip, oid, read_zip, sign_v1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.x509.oid import NameOID

Variants = dict[str, Callable[[], bytes]]
Block = Callable[[bytes], bytes]

_DIGEST_OIDS = {
    "md5": "1.2.840.113549.2.5",
    "sha1": "1.3.14.3.2.26",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
# By the kind of key: the oid without a hash, then those that name one.
_SIGNATURE_OIDS: Mapping[str, Mapping[str | None, str]] = {
    "r": {
        None: "1.2.840.113549.1.1.1",
        "md5": "1.2.840.113549.1.1.4",
        "sha1": "1.2.840.113549.1.1.5",
        "sha224": "1.2.840.113549.1.1.14",
        "sha256": "1.2.840.113549.1.1.11",
        "sha384": "1.2.840.113549.1.1.12",
        "sha512": "1.2.840.113549.1.1.13",
    },
    "e": {
        None: "1.2.840.10045.2.1",
        "sha1": "1.2.840.10045.4.1",
        "sha224": "1.2.840.10045.4.3.1",
        "sha256": "1.2.840.10045.4.3.2",
        "sha384": "1.2.840.10045.4.3.3",
        "sha512": "1.2.840.10045.4.3.4",
    },
    "d": {
        None: "1.2.840.10040.4.1",
        "sha1": "1.2.840.10040.4.3",
        "sha224": "2.16.840.1.101.3.4.3.1",
        "sha256": "2.16.840.1.101.3.4.3.2",
    },
}
_CONTENT_TYPE, _MESSAGE_DIGEST, _TIME = (f"1.2.840.113549.1.9.{number}" for number in (3, 4, 5))
_DATA = "1.2.840.113549.1.7.1"


def algorithm_variants() -> Variants:
    """Every pair of digest and signature algorithm, with every kind of key."""
    found: Variants = {}
    for kind in ("rsa", "ec", "dsa"):
        key = make_key(kind, "A")
        for digest in _DIGEST_OIDS:
            for named in _SIGNATURE_OIDS[kind[0]]:
                found[f"{kind}, {digest}, signature {named}"] = _jar(
                    lambda file, k=key, d=digest, n=named: _block([_info(k, file, d, n)], [k.certificate], d)  # type: ignore[misc]
                )
    return found


def digest_variants() -> Variants:
    """Manifest and signature file with the digests that are named for each; one may be wrong. Every level takes the signature, which is over SHA-1."""
    both = ("SHA1", "SHA-256")
    found: Variants = {
        f"{'+'.join(one)} and {'+'.join(two)}": partial(_digested, one, two)
        for one in (both, both[:1], both[1:])
        for two in (both, both[:1], both[1:])
    }
    for name in both:
        found[f"{name} wrong in the manifest"] = partial(_digested, both, both, wrong_in_manifest=name)
        found[f"{name} wrong in the file"] = partial(_digested, both, both, wrong_in_file=name)
    return found


def _digested(
    manifest_names: Sequence[str], file_names: Sequence[str], *, wrong_in_manifest: str = "", wrong_in_file: str = ""
) -> bytes:
    def lines(data: bytes, suffix: str, names: Sequence[str], wrong: str) -> bytes:
        found = b""
        for name in names:
            hashed = hashlib.new(name.replace("-", "").lower(), data + b"!" * (name == wrong)).digest()
            found += f"{name}{suffix}: ".encode() + base64.b64encode(hashed) + b"\r\n"
        return found

    key, entries = make_key("rsa", "A"), read_zip(build_apk(min_sdk=4, target_sdk=29))
    named = [b"Name: " + entry.name + b"\r\n" for entry in entries]
    sections = [
        name + lines(entry.data, "-Digest", manifest_names, wrong_in_manifest) + b"\r\n"
        for name, entry in zip(named, entries, strict=True)
    ]
    manifest = b"Manifest-Version: 1.0\r\n\r\n" + b"".join(sections)
    file = b"Signature-Version: 1.0\r\n" + lines(manifest, "-Digest-Manifest", file_names, wrong_in_file) + b"\r\n"
    for name, section in zip(named, sections, strict=True):
        file += name + lines(section, "-Digest", file_names, wrong_in_file) + b"\r\n"
    block = _block([_info(key, file, "sha1")], [key.certificate], "sha1")
    added = {"MANIFEST.MF": manifest, "CERT.SF": file, "CERT.RSA": block}
    return make_zip([*entries, *(ZipEntry(f"META-INF/{name}".encode(), data, 8) for name, data in added.items())])


def block_variants() -> Variants:
    """PKCS#7 blocks of odd structure."""
    a, b = make_key("rsa", "A"), make_key("rsa", "B")
    blocks: dict[str, Block] = {}
    for kinds in _ATTRIBUTES:
        blocks[f"attributes {'+'.join(kinds)}"] = lambda file, k=kinds: _block(  # type: ignore[misc]
            [_info(a, file, attributes=k)], [a.certificate]
        )
    infos: dict[str, Callable[[bytes], Sequence[bytes]]] = {
        "none": lambda _: [],
        "first wrong": lambda file: [_info(a, file + b"!"), _info(a, file)],
        "second wrong": lambda file: [_info(a, file), _info(a, file + b"!")],
        "of two signers": lambda file: [_info(a, file), _info(b, file)],
        "of two signers, the other first": lambda file: [_info(b, file), _info(a, file)],
        "second of unknown algorithm": lambda file: [
            _info(a, file),
            _info(a, file, signature_oid="1.2.840.113549.1.1.10"),
        ],
        "second without content type": lambda file: [_info(a, file), _info(a, file, attributes=["digest"])],
        "digest wrong, second right": lambda file: [
            _info(a, file, attributes=["type", "wrong digest"]),
            _info(a, file),
        ],
        "type wrong, second right": lambda file: [
            _info(a, file, attributes=["wrong type", "digest"]),
            _info(a, file),
        ],
        "type wrong, second of another": lambda file: [
            _info(a, file, attributes=["wrong type", "digest"]),
            _info(b, file),
        ],
        "version 3": lambda file: [_info(a, file, version=3)],
        "version no number": lambda file: [_info(a, file)[:4] + b"\4" + _info(a, file)[5:]],
        "unsigned attributes": lambda file: [
            _info(a, file, more=der(0xA1, der(0x30, oid("1.2.3.4") + der(0x31, der(5, b"")))))
        ],
        "one more field": lambda file: [_info(a, file, more=der(0xA5, b""))],
        "signature in pieces": lambda file: [_info(a, file, in_pieces=True)],
        "without a signature": lambda file: [_info(a, file, attributes=["type", "digest"], has_signature=False)],
        "digest without parameters": lambda file: [_info(a, file, parameters=b"")],
        "named by subject key": lambda file: [_info(a, file, sid=der(0x80, b"12345678901234567890"))],
    }
    for label, make in infos.items():
        blocks[f"infos: {label}"] = lambda file, m=make: _block(m(file), [a.certificate, b.certificate])  # type: ignore[misc]
    for label, bag in _bags(a, b).items():
        blocks[f"bag: {label}"] = lambda file, c=bag: _block([_info(a, file)], c)  # type: ignore[misc]
    for label, name in _NAMES.items():
        blocks[f"issuer: {label}"] = lambda file, n=name: _block([_info(a, file, issuer=n)], [a.certificate])  # type: ignore[misc]
    for label, serial in {"with zeros in front": b"\0\0" + _serial(a), "wrong": b"\1"}.items():
        blocks[f"serial {label}"] = lambda file, s=serial: _block([_info(a, file, serial=s)], [a.certificate])  # type: ignore[misc]
    for use in ("digital_signature", "content_commitment", "key_encipherment", "key_cert_sign"):
        for is_critical in (True, False):
            key = _with_usage(a, use, is_critical=is_critical)
            blocks[f"key usage {use} {is_critical}"] = lambda file, k=key: _block([_info(k, file)], [k.certificate])  # type: ignore[misc]
    blocks |= {
        "indefinite lengths": lambda file: _block([_info(a, file)], [a.certificate], wrap=_indefinite),
        "bytes behind": lambda file: _block([_info(a, file)], [a.certificate]) + b"behind",
        "content inside": lambda file: _block([_info(a, file)], [a.certificate], inside=der(0xA0, der(4, file))),
        "other content inside": lambda file: _block([_info(a, file)], [a.certificate], inside=der(0xA0, der(4, b"x"))),
        "of another kind": lambda file: _block([_info(a, file)], [a.certificate], kind="1.2.840.113549.1.7.4"),
        "odd content type": lambda file: _block([_info(a, file)], [a.certificate], content_type="1.2.3.4"),
        "version no number": lambda file: _block([_info(a, file)], [a.certificate], version=der(4, b"\1")),
        "digest named in no sequence": lambda file: _block([_info(a, file)], [a.certificate], named=der(2, b"\1")),
        "digest named without its number": lambda file: _block([_info(a, file)], [a.certificate], named=der(0x30, b"")),
        "digest named by no number": lambda file: _block(
            [_info(a, file)], [a.certificate], named=der(0x30, der(4, b"sha256"))
        ),
        "no digests named": lambda file: _block([_info(a, file)], [a.certificate], named=b""),
        "revocations": lambda file: _block([_info(a, file)], [a.certificate], revocations=der(0xA1, b"")),
        "no block": lambda _: b"",
        "no ASN.1": lambda _: b"no block",
    }
    return {label: _jar(block) for label, block in blocks.items()}


_ATTRIBUTES = [
    ["type", "digest"],
    ["digest", "type"],
    ["digest"],
    ["type"],
    ["wrong type", "digest"],
    ["two types", "digest"],
    ["no type", "digest"],
    ["type", "wrong digest"],
    ["type", "two digests"],
    ["type", "no digest"],
    ["type", "digest", "time"],
    ["type", "type", "digest"],
    ["type", "digest", "digest"],
    ["type", "digest", "unknown"],
    ["type", "digest", "unknown", "unknown"],
    ["type", "digest", "no sequence"],
    ["type", "digest", "three fields"],
]


def _bags(a: AppKey, b: AppKey) -> dict[str, Sequence[bytes] | None]:
    lookalike = _certificate(b, "A", serial=x509.load_der_x509_certificate(a.certificate).serial_number)
    return {
        "missing": None,
        "empty": [],
        "of another": [b.certificate],
        "another first": [b.certificate, a.certificate],
        "twice": [a.certificate, a.certificate],
        "with junk": [a.certificate, der(0x30, b"")],
        "lookalike first": [lookalike, a.certificate],
        "lookalike last": [a.certificate, lookalike],
    }


def _name(tag: int, text: bytes, kind: str = "2.5.4.3") -> bytes:
    return der(0x30, der(0x31, der(0x30, oid(kind) + der(tag, text))))


_NAMES = {
    "printable": _name(0x13, b"A"),
    "lower case": _name(0x0C, b"a"),
    "with spaces": _name(0x13, b" A "),
    "two bytes a letter": _name(0x1E, b"\0A"),
    "ia5": _name(0x16, b"A"),
    "t61": _name(0x14, b"A"),
    "another": _name(0x0C, b"B"),
    "of another kind": _name(0x0C, b"A", "2.5.4.10"),
    "in no sequence": b"\x34" + _name(0x0C, b"A")[1:],
}


def text_variants(count: int, seed: int) -> Variants:
    """Manifests and signature files with at most two oddities each, drawn by chance."""
    return {f"text {seed}/{number}": lambda n=number: _Texts(seed, n).package() for number in range(count)}  # type: ignore[misc]


class _Texts:
    """Draws one package."""

    def __init__(self, seed: int, number: int) -> None:
        self._dice = random.Random(f"{seed}/{number}")
        self._left = self._dice.choice([0, 1, 1, 1, 2])
        self._digests = self._dice.choice([["SHA1"], ["SHA-256"], ["SHA-256", "SHA1"], ["SHA1", "SHA-256"]])

    def _oddly(self, chance: float) -> bool:
        if self._left and self._dice.random() < chance:
            self._left -= 1
            return True
        return False

    def _end(self) -> bytes:
        return self._dice.choice([b"\r\n"] * 14 + [b"\n"] * 5 + [b"\r"])

    def _digest_lines(self, data: bytes, suffix: str) -> list[bytes]:
        names = self._digests
        if self._oddly(0.1):
            odd = [["SHA-512"], ["MD5"], ["SHA-1"], ["SHA", "SHA-256"], ["sha-256"], ["SHA-224"], ["SHA1", "SHA1"], []]
            names = self._dice.choice(odd)
        lines = []
        for name in names:
            hash_name = {"sha": "sha1"}.get(name.lower().replace("-", ""), name.lower().replace("-", ""))
            value = base64.b64encode(hashlib.new(hash_name, data).digest())
            if self._oddly(0.06):
                value = self._dice.choice(
                    [value.rstrip(b"="), b" " + value, value + b" ", b"", value[:8], value + b"="]
                )
            colon = b": " if not self._oddly(0.03) else self._dice.choice([b":", b" : ", b":  ", b":\t"])
            lines.append(f"{name}{suffix}".encode() + colon + value)
        if self._oddly(0.06):
            listed = self._dice.choice(
                [b"SHA1", b"SHA-256 SHA1", b"SHA-256", b"MD5 SHA1", b"FOO SHA1", b"SHA1,SHA-256"]
            )
            lines.insert(0, b"Digest-Algorithms: " + listed)
        return lines

    def _section(self, lines: Sequence[bytes], end: bytes) -> bytes:
        text = b""
        for line in lines:
            at = min(len(line), 70)
            if len(line) > 4 and self._oddly(0.06):
                at = self._dice.randrange(1, len(line))
            parts = [line[:at], line[at:]] if at < len(line) else [line]
            text += (end + b" ").join(parts) + (end if not self._oddly(0.02) else self._dice.choice([b"\r", b"\n"]))
        return text

    def package(self) -> bytes:
        files = {
            "a.txt": b"hello" * 9,
            "res/" + "n" * 70 + ".txt": b"x",
            "a b .txt": b"q",
            "META-INF/free.txt": b"free",
        }
        apk = build_apk(min_sdk=self._dice.choice([4, 18, 21]), target_sdk=29, files=files)
        entries, end = read_zip(apk), self._end()
        body = []
        for entry in entries:
            if entry.name.startswith(b"META-INF/") or self._oddly(0.02):
                continue
            name = (
                b"Name: " if not self._oddly(0.02) else self._dice.choice([b"name: ", b"NAME: ", b"Name:  ", b"Name:"])
            )
            lines = [name + entry.name, *self._digest_lines(entry.data, "-Digest")]
            if self._oddly(0.02):
                lines = lines[1:] + lines[:1]
            body.append((entry.name, self._section(lines, end) + end * (2 if self._oddly(0.03) else 1)))
        if self._oddly(0.05):
            body.append((b"ghost", self._section([b"Name: ghost", *self._digest_lines(b"", "-Digest")], end) + end))
        if self._oddly(0.05):
            body.append(body[0])
        if self._oddly(0.1):
            self._dice.shuffle(body)
        main = b"" if self._oddly(0.05) else self._section([b"Manifest-Version: 1.0"], end) + end
        manifest = (end if self._oddly(0.03) else b"") + main + b"".join(text for _, text in body)
        if self._oddly(0.08):
            manifest = self._dice.choice([manifest.rstrip(b"\r\n"), manifest + b"\0", manifest + b"Foo: bar" + end])
        signers = self._dice.choice([("rsa", "A"), ("rsa", "A"), ("ec", "E"), ("dsa", "D"), ("rsa", "A", "ec", "E")])
        keys = [make_key(kind, name) for kind, name in zip(signers[::2], signers[1::2], strict=True)]
        added = [ZipEntry(b"META-INF/MANIFEST.MF", manifest, method=8)]
        for number, key in enumerate(keys):
            added += self._signature(number, key, manifest, main, body)
        return make_zip([*entries, *added])

    def _signature(
        self, number: int, key: AppKey, manifest: bytes, main: bytes, body: Sequence[tuple[bytes, bytes]]
    ) -> list[ZipEntry]:
        end = self._end()
        head = [b"Signature-Version: 1.0"]
        if self._oddly(0.06):
            head = self._dice.choice([[], [b"Signature-Version: 2.0"], [b"signature-version: 1.0"]])
        if self._oddly(0.06):
            head.append(b"Created-By: 1.0 (signtool)")
        if self._oddly(0.15):
            named = [
                b"2",
                b"2, 3",
                b"3",
                b"x, 2",
                b"9",
                b" 2",
                b"2,3",
                b"-1",
                b"2 3",
                b"99999999999",
                b"+2",
                b"0000000002",
            ]
            head.append(b"X-Android-APK-Signed: " + self._dice.choice(named))
        head += self._digest_lines(manifest + (b"x" if self._oddly(0.2) else b""), "-Digest-Manifest")
        if self._oddly(0.1):
            wrong = b"x" if self._oddly(0.5) else b""
            head += self._digest_lines(main + wrong, "-Digest-Manifest-Main-Attributes")
        file = self._section(head, end) + end
        for name, text in body:
            if self._oddly(0.02):
                continue
            changed = text + (b"x" if self._oddly(0.03) else b"")
            file += self._section([b"Name: " + name, *self._digest_lines(changed, "-Digest")], end) + end
        if self._oddly(0.06):
            odd = self._dice.choice([b"Name: other", b"Foo: other", b"Name: a.txt"])
            file += self._section([odd, *self._digest_lines(b"", "-Digest")], end) + end
        base = f"META-INF/CERT{number or ''}" if not self._oddly(0.04) else "META-INF/sub/CERT"
        ending = {"r": "RSA", "e": "EC", "d": "DSA"}[key.kind[0]]
        if self._oddly(0.06):
            ending = self._dice.choice(["RSA", "EC", "DSA", "rsa"])
        block = make_cms(key, file)
        added = [ZipEntry(f"{base}.SF".encode(), file, 8), ZipEntry(f"{base}.{ending}".encode(), block, 8)]
        if self._oddly(0.06):
            added.append(
                self._dice.choice([ZipEntry(b"META-INF/X.RSA", block, 8), ZipEntry(b"META-INF/X.SF", file, 8)])
            )
        return added


def _jar(block: Block) -> Callable[[], bytes]:
    def make() -> bytes:
        entries = read_zip(
            sign_v1(build_apk(min_sdk=4, target_sdk=29), make_key("rsa", "A"), digests=("SHA1", "SHA-256"))
        )
        file = next(entry.data for entry in entries if entry.name.endswith(b"CERT.SF"))
        others = [entry for entry in entries if not entry.name.endswith(b"CERT.RSA")]
        return make_zip([*others, ZipEntry(b"META-INF/CERT.RSA", block(file), 8)])

    return make


def _signed(key: AppKey, data: bytes, digest: str) -> bytes:
    chosen = _HASHES[digest]
    if isinstance(key.private, rsa.RSAPrivateKey):
        return key.private.sign(data, padding.PKCS1v15(), chosen)
    if isinstance(key.private, ec.EllipticCurvePrivateKey):
        return key.private.sign(data, ec.ECDSA(chosen))
    assert isinstance(key.private, dsa.DSAPrivateKey)
    return key.private.sign(data, chosen)


def _attribute(kind: str, file: bytes, digest: str) -> bytes:
    def values(name: str, *found: bytes) -> bytes:
        return der(0x30, oid(name) + der(0x31, b"".join(found)))

    right = der(4, hashlib.new(digest, file).digest())
    return {
        "type": values(_CONTENT_TYPE, oid(_DATA)),
        "wrong type": values(_CONTENT_TYPE, oid("1.2.840.113549.1.7.2")),
        "two types": values(_CONTENT_TYPE, oid(_DATA), oid(_DATA)),
        "no type": values(_CONTENT_TYPE),
        "digest": values(_MESSAGE_DIGEST, right),
        "wrong digest": values(_MESSAGE_DIGEST, der(4, hashlib.new(digest, file + b"!").digest())),
        "two digests": values(_MESSAGE_DIGEST, right, right),
        "no digest": values(_MESSAGE_DIGEST),
        "time": values(_TIME, der(0x17, b"200101000000Z")),
        "unknown": values("1.3.6.1.4.1.99999.1", der(0x0C, b"hello")),
        "no sequence": der(2, b"\1"),
        "three fields": der(0x30, oid("1.3.6.1.4.1.99999.2") + der(0x31, der(0x0C, b"hello")) + der(2, b"\1")),
    }[kind]


def _info(
    key: AppKey,
    file: bytes,
    digest: str = "sha256",
    named: str | None = None,
    *,
    attributes: Sequence[str] | None = None,
    sid: bytes | None = None,
    issuer: bytes | None = None,
    serial: bytes | None = None,
    version: int = 1,
    more: bytes = b"",
    in_pieces: bool = False,
    has_signature: bool = True,
    parameters: bytes = der(5, b""),
    signature_oid: str | None = None,
) -> bytes:
    """Write one SignerInfo over a signature file."""
    certificate = x509.load_der_x509_certificate(key.certificate)
    sid = sid or der(
        0x30, (issuer or certificate.issuer.public_bytes()) + der(2, _serial(key) if serial is None else serial)
    )
    signed, field = file, b""
    if attributes is not None:
        content = b"".join(_attribute(kind, file, digest) for kind in attributes)
        signed, field = der(0x31, content), der(0xA0, content)
    signature = _signed(key, signed, named or digest)
    number = signature_oid or _SIGNATURE_OIDS[key.kind[0]][named]
    body = der(2, bytes([version])) + sid + der(0x30, oid(_DIGEST_OIDS[digest]) + parameters) + field
    body += der(0x30, oid(number) + der(5, b""))
    if has_signature:
        body += _indefinite(0x24, der(4, signature[:9]) + der(4, signature[9:])) if in_pieces else der(4, signature)
    return der(0x30, body + more)


def _block(
    infos: Sequence[bytes],
    bag: Sequence[bytes] | None,
    digest: str = "sha256",
    *,
    wrap: Callable[[int, bytes], bytes] = der,
    inside: bytes = b"",
    kind: str = "1.2.840.113549.1.7.2",
    content_type: str = _DATA,
    named: bytes | None = None,
    revocations: bytes = b"",
    version: bytes = der(2, b"\1"),
) -> bytes:
    """Write SignedData."""
    named = der(0x30, oid(_DIGEST_OIDS[digest]) + der(5, b"")) if named is None else named
    content = version + der(0x31, named) + wrap(0x30, oid(content_type) + inside)
    content += b"" if bag is None else wrap(0xA0, b"".join(bag))
    content += revocations + wrap(0x31, b"".join(infos))
    return wrap(0x30, oid(kind) + wrap(0xA0, wrap(0x30, content)))


def _indefinite(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x80)) + content + b"\0\0"


def _serial(key: AppKey) -> bytes:
    number = x509.load_der_x509_certificate(key.certificate).serial_number
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


_USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
    "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def _with_usage(key: AppKey, use: str, *, is_critical: bool) -> AppKey:
    usage = x509.KeyUsage(**{name: name == use for name in _USES})
    return AppKey("U", key.kind, key.private, _certificate(key, "U", serial=77, extension=(usage, is_critical)))


def _certificate(
    key: AppKey, name: str, *, serial: int, extension: tuple[x509.ExtensionType, bool] | None = None
) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.private.public_key())
        .serial_number(serial)
        .not_valid_before(dt.datetime(2001, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2002, 1, 1, tzinfo=dt.UTC))
    )
    if extension is not None:
        builder = builder.add_extension(extension[0], critical=extension[1])
    return builder.sign(key.private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
