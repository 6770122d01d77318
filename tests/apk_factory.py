"""Makes and signs Android packages for tests, written from the published rules and sharing no code with what it tests.

    key = make_key("ec", "A")
    apk = sign(build_apk(package="org.example.chat", version_code=2), key)
    rotated = sign(build_apk(version_code=3), make_key("ec", "B"), lineage=make_lineage([key, make_key("ec", "B")]))

A package is `bytes` all the way, so that a test can break any of them. `sign_v1` goes first: the newer schemes cover what it adds.
"""

import base64
import datetime as dt
import hashlib
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.x509.oid import NameOID

V2, V3, V31, V32 = 0x7109871A, 0xF05368C0, 0x1B93AD61, 0x70E1C89F
NEWEST = 0x7FFFFFFF
INSTALLED_DATA, SHARED_USER_ID, PERMISSION, ROLLBACK, AUTH = 1, 2, 4, 8, 16
DEFAULT_CAPABILITIES = INSTALLED_DATA | SHARED_USER_ID | PERMISSION | AUTH
_MAGIC = b"APK Sig Block 42"
_CHUNK = 1 << 20

Kind = Literal["ec", "ec-p384", "ec-p521", "rsa", "rsa-1024", "rsa-4096", "dsa"]
_DIGESTS = {0x0101: "sha256", 0x0102: "sha512", 0x0103: "sha256", 0x0104: "sha512", 0x0201: "sha256", 0x0202: "sha512"}
_DIGESTS |= {0x0301: "sha256", 0x0421: "verity", 0x0423: "verity", 0x0425: "verity"}


# Keys


@dataclass(frozen=True)
class AppKey:
    """A signer: its private key and its self-signed certificate in DER."""

    name: str
    kind: str
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey
    certificate: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the certificate in hex: the signer's identity."""
        return hashlib.sha256(self.certificate).hexdigest()

    @property
    def public_key_info(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def algorithm(self) -> int:
        """The algorithm number that this key signs with where a test names none."""
        return {"r": 0x0103, "e": 0x0201, "d": 0x0301}[self.kind[0]]

    def sign(self, data: bytes, algorithm: int | None = None) -> bytes:
        """Sign as the algorithm number says."""
        number = algorithm or self.algorithm
        chosen = hashes.SHA512() if number in {0x0102, 0x0104, 0x0202} else hashes.SHA256()
        if isinstance(self.private, rsa.RSAPrivateKey):
            if number in {0x0101, 0x0102}:
                pss = padding.PSS(padding.MGF1(chosen), chosen.digest_size)
                return self.private.sign(data, pss, chosen)
            return self.private.sign(data, padding.PKCS1v15(), chosen)
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.private.sign(data, ec.ECDSA(chosen))
        return self.private.sign(data, chosen)


@cache
def make_key(kind: Kind = "ec", name: str = "A", edition: int = 1) -> AppKey:
    """Return the key of this name; the same one each time. Another `edition` is the same key with a re-issued certificate."""
    if edition > 1:
        first = make_key(kind, name)
        return AppKey(name, kind, first.private, _certificate(first.private, f"{name} {edition}"))
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey
    if kind.startswith("rsa"):
        size = int(kind.partition("-")[2] or 2048)
        private = rsa.generate_private_key(65537, size)
    elif kind == "dsa":
        private = dsa.generate_private_key(1024)
    else:
        curves = {"ec": ec.SECP256R1(), "ec-p384": ec.SECP384R1(), "ec-p521": ec.SECP521R1()}
        private = ec.generate_private_key(curves[kind])
    return AppKey(name, kind, private, _certificate(private, name))


def _certificate(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey, name: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2011, 1, 21, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2036, 1, 21, tzinfo=dt.UTC))
    )
    return builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


# Lineage


@dataclass(frozen=True)
class FactoryLineage:
    """Signers from the first to the current one, with what is granted to each."""

    keys: tuple[AppKey, ...]
    capabilities: tuple[int, ...]

    def encode(self) -> bytes:
        """Write the proof of rotation as it lies in a signer's attribute."""
        nodes = []
        parent: AppKey | None = None
        for index, (key, flags) in enumerate(zip(self.keys, self.capabilities, strict=True)):
            parent_algorithm = parent.algorithm if parent else 0
            signed = sized(key.certificate) + u32(parent_algorithm)
            signature = parent.sign(signed) if parent else b""
            is_last = index == len(self.keys) - 1
            nodes.append(sized(signed) + u32(flags) + u32(0 if is_last else key.algorithm) + sized(signature))
            parent = key
        return u32(1) + sequence(nodes)

    def file(self) -> bytes:
        """Write the lineage as a file of its own."""
        return u32(0x3EFF39D1) + u32(1) + sized(self.encode())


def make_lineage(keys: Sequence[AppKey], capabilities: Sequence[int] | None = None) -> FactoryLineage:
    """Make a lineage, oldest key first. Without `capabilities` each signer is granted all but rollback."""
    flags = tuple(capabilities) if capabilities is not None else (DEFAULT_CAPABILITIES,) * len(keys)
    return FactoryLineage(tuple(keys), flags)


# Zip


@dataclass
class ZipEntry:
    """One entry, with a place to lie about anything."""

    name: bytes
    data: bytes
    method: int = 0
    local_name: bytes | None = None
    local_method: int | None = None
    declared_size: int | None = None
    flags: int = 0
    extra: bytes = b""

    def stored(self) -> bytes:
        if self.method == 0:
            return self.data
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflater.compress(self.data) + deflater.flush()


def make_zip(entries: Iterable[ZipEntry], comment: bytes = b"") -> bytes:
    """Write a zip with these entries in this order."""
    body, directory, count = bytearray(), bytearray(), 0
    for entry in entries:
        stored = entry.stored()
        size = len(entry.data) if entry.declared_size is None else entry.declared_size
        crc = zlib.crc32(entry.data)
        local_name = entry.name if entry.local_name is None else entry.local_name
        local_method = entry.method if entry.local_method is None else entry.local_method
        lengths = (crc, len(stored), size)
        offset = len(body)
        body += struct.pack(
            "<IHHHHHIIIHH",
            0x04034B50,
            20,
            entry.flags,
            local_method,
            0,
            0x21,
            *lengths,
            len(local_name),
            len(entry.extra),
        )
        body += local_name + entry.extra + stored
        fields = (20, 20, entry.flags, entry.method, 0, 0x21, *lengths, len(entry.name), 0, 0, 0, 0, 0, offset)
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, *fields) + entry.name
        count += 1
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(directory), len(body), len(comment))
    return bytes(body + directory + end + comment)


def build_apk(
    package: str = "org.example.chat",
    version_code: int = 1,
    min_sdk: int | str | None = 24,
    target_sdk: int | None = 34,
    *,
    shared_user_id: str | None = None,
    test_only: bool = False,
    debuggable: bool = False,
    allow_backup: bool | None = None,
    has_fragile_user_data: bool = False,
    no_app_data_storage: bool = False,
    target_sandbox_version: int | None = None,
    permissions: Sequence[str] = (),
    permission_groups: Sequence[str] = (),
    providers: Sequence[str] = (),
    key_sets: Mapping[str, int | Sequence[bytes]] | None = None,
    upgrade_key_sets: Sequence[str] = (),
    split: str | None = None,
    files: Mapping[str, bytes] | None = None,
    comment: bytes = b"",
    root_attributes: Mapping[str, str | int | bool] | None = None,
    application_attributes: Mapping[str, str | int | bool] | None = None,
    application_children: Sequence["Node"] = (),
) -> bytes:
    """Make an unsigned package with a real binary manifest, some code, and the files a test wants in it."""
    root = Node("manifest", {"package": package, "versionCode": version_code & 0xFFFFFFFF, **(root_attributes or {})})
    if version_code >> 32:
        root.attributes["versionCodeMajor"] = version_code >> 32
    _set(root, "sharedUserId", shared_user_id)
    _set(root, "targetSandboxVersion", target_sandbox_version)
    _set(root, "split", split)
    sdk = Node("uses-sdk", {})
    _set(sdk, "minSdkVersion", min_sdk)
    _set(sdk, "targetSdkVersion", target_sdk)
    application = Node("application", dict(application_attributes or {}), list(application_children))
    for name, value in (
        ("debuggable", debuggable or None),
        ("testOnly", test_only or None),
        ("allowBackup", allow_backup),
        ("hasFragileUserData", has_fragile_user_data or None),
    ):
        _set(application, name, value)
    if no_app_data_storage:
        named: dict[str, str | int | bool] = {"name": "android.internal.PROPERTY_NO_APP_DATA_STORAGE", "value": True}
        application.children.append(Node("property", named))
    application.children.extend(Node("provider", {"name": ".Provider", "authorities": one}) for one in providers)
    root.children = [sdk]
    for one in permissions:
        name, _, group = one.partition("@")
        root.children.append(Node("permission", {"name": name, **({"permissionGroup": group} if group else {})}))
    root.children += [Node("permission-group", {"name": one}) for one in permission_groups]
    if key_sets or upgrade_key_sets:
        sets = [Node("key-set", {"name": name}, _public_keys(name, keys)) for name, keys in (key_sets or {}).items()]
        root.children.append(
            Node("key-sets", {}, [*sets, *(Node("upgrade-key-set", {"name": one}) for one in upgrade_key_sets)])
        )
    root.children.append(application)
    entries = [
        ZipEntry(b"AndroidManifest.xml", make_binary_xml(root), method=8),
        ZipEntry(b"classes.dex", b"dex\n035\0" + bytes(56)),
    ]
    entries += [ZipEntry(name.encode(), data, method=8) for name, data in (files or {}).items()]
    return make_zip(entries, comment)


def _public_keys(name: str, keys: int | Sequence[bytes]) -> list["Node"]:
    """Write so many empty keys, or these."""
    if isinstance(keys, int):
        return [Node("public-key", {}) for _ in range(keys)]
    return [
        Node("public-key", {"name": f"{name}{number}", "value": base64.b64encode(key).decode()})
        for number, key in enumerate(keys)
    ]


# Binary XML

_RESOURCES = {
    "name": 0x01010003,
    "sharedUserId": 0x0101000B,
    "debuggable": 0x0101000F,
    "authorities": 0x01010018,
    "value": 0x01010024,
    "minSdkVersion": 0x0101020C,
    "versionCode": 0x0101021B,
    "targetSdkVersion": 0x01010270,
    "testOnly": 0x01010272,
    "hasCode": 0x0101000C,
    "allowBackup": 0x01010280,
    "targetSandboxVersion": 0x0101054C,
    "versionCodeMajor": 0x01010576,
    "hasFragileUserData": 0x0101059B,
    "permissionGroup": 0x0101000A,
    "multiArch": 0x0101048E,
    "fullBackupContent": 0x010104EB,
    "dataExtractionRules": 0x0101063E,
    "isFeatureSplit": 0x0101055B,
    "isSplitRequired": 0x01010591,
    "requiredSplitTypes": 0x0101064E,
    "splitTypes": 0x0101064F,
    "sharedUserMaxSdkVersion": 0x0101064D,
    "revisionCode": 0x010104D5,
}


class Reference(int):
    """The number of a resource that holds the value of an attribute."""


@dataclass
class Node:
    """One element of a manifest."""

    name: str
    attributes: dict[str, str | int | bool]
    children: list["Node"] = field(default_factory=list)


def _set(node: Node, name: str, value: str | int | bool | None) -> None:
    if value is not None:
        node.attributes[name] = value


def make_binary_xml(root: Node) -> bytes:
    """Write elements as Android's binary XML: string pool in UTF-16, resource map, elements."""
    strings: list[str] = list(_RESOURCES)

    def index(text: str) -> int:
        if text not in strings:
            strings.append(text)
        return strings.index(text)

    def element(node: Node) -> bytes:
        attributes = b""
        for name, value in sorted(node.attributes.items(), key=lambda item: _RESOURCES.get(item[0], 0)):
            if isinstance(value, str):
                raw = kind_value = index(value)
                kind = 0x03
            else:
                raw, kind_value, kind = 0xFFFFFFFF, int(value) & 0xFFFFFFFF, 0x12 if isinstance(value, bool) else 0x10
                if value is True:
                    kind_value = 0xFFFFFFFF
                if isinstance(value, Reference):
                    kind = 0x01
            attributes += struct.pack("<IIIHBBI", 0xFFFFFFFF, index(name), raw, 8, 0, kind, kind_value)
        count = len(node.attributes)
        head = struct.pack("<IIIIHHHHHH", 1, 0xFFFFFFFF, 0xFFFFFFFF, index(node.name), 20, 20, count, 0, 0, 0)
        start = _chunk(0x0102, 16, head + attributes)
        end = _chunk(0x0103, 16, struct.pack("<IIII", 1, 0xFFFFFFFF, 0xFFFFFFFF, index(node.name)))
        return start + b"".join(map(element, node.children)) + end

    elements = element(root)
    resources = _chunk(0x0180, 8, struct.pack(f"<{len(_RESOURCES)}I", *_RESOURCES.values()))
    offsets, data = [], b""
    for text in strings:
        offsets.append(len(data))
        encoded = text.encode("utf-16-le")
        data += struct.pack("<H", len(encoded) // 2) + encoded + b"\0\0"
    data += bytes(-len(data) % 4)
    start = 28 + 4 * len(strings)
    pool = _chunk(
        0x0001,
        28,
        struct.pack("<IIIII", len(strings), 0, 0, start, 0) + struct.pack(f"<{len(strings)}I", *offsets) + data,
    )
    return _chunk(0x0003, 8, pool + resources + elements)


def _chunk(kind: int, header: int, content: bytes) -> bytes:
    return struct.pack("<HHI", kind, header, 8 + len(content)) + content


# Signing


def sign(
    apk: bytes,
    *keys: AppKey,
    lineage: FactoryLineage | None = None,
    schemes: Sequence[str] = ("v1", "v2", "v3"),
    rotation_min_sdk: int | None = None,
    targets_dev_release: bool = False,
) -> bytes:
    """Sign as the usual tool would: by every scheme named, older ones with the lineage's first key.

    With `rotation_min_sdk` the rotated key signs v3.1 from that level on, and v3 keeps the first key below it. Several keys sign v1 and v2 only.
    """
    first = (lineage.keys[0],) if lineage else keys
    if len(keys) > 1:
        schemes = [scheme for scheme in schemes if scheme != "v3"]
    newer = ", ".join(scheme[1:] for scheme in schemes if scheme in {"v2", "v3"})
    if "v1" in schemes:
        apk = sign_v1(apk, *first, schemes=newer or None)
    if "v2" in schemes:
        apk = sign_v2(apk, *first, names_v3="v3" in schemes)
    if "v3" in schemes and rotation_min_sdk is None:
        apk = sign_v3(apk, keys[0], lineage)
    elif "v3" in schemes and rotation_min_sdk is not None:
        apk = sign_v3(apk, first[0], max_sdk=rotation_min_sdk - 1, rotation_min_sdk=rotation_min_sdk)
        apk = sign_v31(apk, keys[0], lineage, min_sdk=rotation_min_sdk, targets_dev_release=targets_dev_release)
    return apk


def sign_v2(
    apk: bytes,
    *keys: AppKey,
    names_v3: bool = False,
    algorithms: Sequence[int] | None = None,
    attributes: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """Add a v2 signature by one or more keys. `names_v3` writes the protection against cutting v3 off."""
    extra = [*attributes, *([(0xBEEFF00D, u32(3))] if names_v3 else [])]
    signers = [make_signer(apk, key, algorithms=algorithms, attributes=extra) for key in keys]
    return add_pair(apk, V2, sized(sequence(signers)))


def sign_v3(
    apk: bytes,
    key: AppKey,
    lineage: FactoryLineage | None = None,
    *,
    min_sdk: int = 24,
    max_sdk: int = NEWEST,
    rotation_min_sdk: int | None = None,
    algorithms: Sequence[int] | None = None,
    attributes: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """Add a v3 signature. `rotation_min_sdk` writes the protection against cutting v3.1 off."""
    extra = [*attributes]
    if lineage is not None:
        extra.append((0x3BA06F8C, lineage.encode()))
    if rotation_min_sdk is not None:
        extra.append((0x559F8B02, u32(rotation_min_sdk)))
    signer = make_signer(apk, key, sdks=(min_sdk, max_sdk), algorithms=algorithms, attributes=extra)
    return add_pair(apk, V3, sized(sequence([signer])))


def sign_v31(
    apk: bytes,
    key: AppKey,
    lineage: FactoryLineage | None = None,
    *,
    min_sdk: int = 33,
    max_sdk: int = NEWEST,
    targets_dev_release: bool = False,
    attributes: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """Add a v3.1 signature for API levels from `min_sdk` on."""
    extra = [*attributes]
    if lineage is not None:
        extra.append((0x3BA06F8C, lineage.encode()))
    if targets_dev_release:
        extra.append((0xC2A6B3BA, b""))
    signer = make_signer(apk, key, sdks=(min_sdk, max_sdk), attributes=extra)
    return add_pair(apk, V31, sized(sequence([signer])))


def make_signer(
    apk: bytes,
    key: AppKey,
    *,
    sdks: tuple[int, int] | None = None,
    outer_sdks: tuple[int, int] | None = None,
    algorithms: Sequence[int] | None = None,
    digest_algorithms: Sequence[int] | None = None,
    attributes: Sequence[tuple[int, bytes]] = (),
    certificate: bytes | None = None,
    public_key_info: bytes | None = None,
) -> bytes:
    """Write one signer of scheme 2 or (with `sdks`) 3. The odd parameters are for breaking one rule at a time."""
    numbers = list(algorithms or [key.algorithm])
    digests = [(number, content_digest(apk, _DIGESTS.get(number, "sha256"))) for number in digest_algorithms or numbers]
    levels = b"" if sdks is None else u32(sdks[0]) + u32(sdks[1])
    outer = levels if outer_sdks is None else u32(outer_sdks[0]) + u32(outer_sdks[1])
    signed = sized(sequence([u32(number) + sized(digest) for number, digest in digests]))
    signed += sized(sequence([certificate or key.certificate])) + levels
    signed += sized(sequence([u32(number) + value for number, value in attributes]))
    signatures = [u32(number) + sized(key.sign(signed, number)) for number in numbers]
    return sized(signed) + outer + sized(sequence(signatures)) + sized(public_key_info or key.public_key_info)


def make_idsig(
    apk: bytes,
    key: AppKey,
    *,
    package_digest: bytes | None = None,
    salt: bytes = b"",
    more: Sequence[tuple[int, AppKey, bytes]] = (),
    certificate: bytes | None = None,
) -> bytes:
    """Write the v4 signature of a signed package; `more` are further signers by block id, each with its package digest."""
    root, tree = fs_verity(apk, salt)

    def info(signer: AppKey, digest: bytes) -> bytes:
        own = certificate or signer.certificate
        body = struct.pack("<QIB", len(apk), 1, 12) + sequence([salt, root, digest, own, b""])
        signature = signer.sign(u32(len(body) + 4) + body)
        return sequence([digest, own, b"", signer.public_key_info]) + u32(signer.algorithm) + sized(signature)

    signing = info(key, content_digest(apk, "sha256") if package_digest is None else package_digest)
    signing += b"".join(u32(block) + sized(info(signer, digest)) for block, signer, digest in more)
    return u32(2) + sized(u32(1) + bytes((12,)) + sized(salt) + sized(root)) + sized(signing) + sized(tree)


def fs_verity(data: bytes, salt: bytes = b"") -> tuple[bytes, bytes]:
    """The root of the kernel's hash tree over a file and the tree: pages of 4 KiB, the salt filled up to a block of SHA-256."""
    prefix = salt.ljust(-(-len(salt) // 64) * 64, b"\0")
    level, tree = data, b""
    while True:
        level += bytes(-len(level) % 4096)
        level = b"".join(hashlib.sha256(prefix + level[at : at + 4096]).digest() for at in range(0, len(level), 4096))
        if len(level) == 32:
            return level, tree
        tree = level + bytes(-len(level) % 4096) + tree


def content_digest(apk: bytes, kind: str) -> bytes:
    """Digest all but the signing block: `sha256`, `sha512` (1 MiB chunks) or `verity` (4 KiB pages)."""
    begin, directory, end = sections(apk)
    tail = bytearray(apk[end:])
    struct.pack_into("<I", tail, 16, begin)
    parts = [apk[:begin], apk[directory:end], bytes(tail)]
    if kind == "verity":
        data = b"".join(parts)
        level = data
        while True:
            level += bytes(-len(level) % 4096)
            level = b"".join(
                hashlib.sha256(bytes(8) + level[at : at + 4096]).digest() for at in range(0, len(level), 4096)
            )
            if len(level) <= 4096:
                break
        return hashlib.sha256(bytes(8) + level.ljust(4096, b"\0")).digest() + struct.pack("<Q", len(data))
    chunks = [
        hashlib.new(kind, b"\xa5" + u32(len(part[at : at + _CHUNK])) + part[at : at + _CHUNK]).digest()
        for part in parts
        for at in range(0, len(part), _CHUNK)
    ]
    return hashlib.new(kind, b"\x5a" + u32(len(chunks)) + b"".join(chunks)).digest()


def sections(apk: bytes) -> tuple[int, int, int]:
    """Return where the signing block (or, without one, the directory), the directory and the end record begin."""
    end = apk.rindex(b"PK\x05\x06")
    (directory,) = struct.unpack_from("<I", apk, end + 16)
    if apk[directory - 16 : directory] != _MAGIC:
        return directory, directory, end
    (size,) = struct.unpack_from("<Q", apk, directory - 24)
    return directory - size - 8, directory, end


def pairs(apk: bytes) -> list[tuple[int, bytes]]:
    """Return the pairs of the signing block in their order."""
    begin, directory, _ = sections(apk)
    found, at = [], begin + 8
    while at < directory - 24:
        size, number = struct.unpack_from("<QI", apk, at)
        found.append((number, apk[at + 12 : at + 8 + size]))
        at += 8 + size
    return found


def with_pairs(apk: bytes, new: Sequence[tuple[int, bytes]], *, align: bool = False) -> bytes:
    """Replace the signing block by one with these pairs; with `align` it is filled to whole pages, as verity asks."""
    begin, directory, end = sections(apk)
    front = apk[:begin]
    body = b"".join(struct.pack("<QI", 4 + len(value), number) + value for number, value in new)
    if align:
        assert len(front) % 4096 == 0, "pad the content first"
        room = -(len(body) + 32 + 12) % 4096
        body += struct.pack("<QI", 4 + room, 0x42726577) + bytes(room)
    size = len(body) + 24
    block = struct.pack("<Q", size) + body + struct.pack("<Q", size) + _MAGIC if new else b""
    tail = bytearray(apk[end:])
    struct.pack_into("<I", tail, 16, len(front) + len(block))
    return front + block + apk[directory:end] + bytes(tail)


def add_pair(apk: bytes, number: int, value: bytes) -> bytes:
    """Add a pair to the signing block, making one if there is none."""
    return with_pairs(apk, [*pairs(apk), (number, value)])


def without_pair(apk: bytes, number: int) -> bytes:
    """Cut one scheme out, as an attacker would."""
    return with_pairs(apk, [pair for pair in pairs(apk) if pair[0] != number])


def sign_v1(
    apk: bytes,
    *keys: AppKey,
    schemes: str | None = None,
    digests: Sequence[str] = ("SHA-256",),
    signed_attributes: bool = False,
) -> bytes:
    """Add a JAR signature by one or more keys. `schemes` is the protection against cutting newer ones off, such as "2, 3"."""
    entries = read_zip(apk)
    body: list[bytes] = []
    for entry in entries:
        if entry.name.startswith(b"META-INF/") or entry.name.endswith(b"/"):
            continue
        body.append(wrapped(b"Name: " + entry.name) + _digest_lines(entry.data, "-Digest", digests) + b"\r\n")
    main = b"Manifest-Version: 1.0\r\n\r\n"
    manifest = main + b"".join(body)
    added = [ZipEntry(b"META-INF/MANIFEST.MF", manifest, method=8)]
    for index, key in enumerate(keys):
        head = b"Signature-Version: 1.0\r\n" + (f"X-Android-APK-Signed: {schemes}\r\n".encode() if schemes else b"")
        head += _digest_lines(manifest, "-Digest-Manifest", digests) + b"\r\n"
        names = [section.split(b"\r\nSHA")[0] + b"\r\n" for section in body]
        file = head + b"".join(
            name + _digest_lines(section, "-Digest", digests) + b"\r\n"
            for name, section in zip(names, body, strict=True)
        )
        base = f"META-INF/CERT{index or ''}"
        ending = {"r": "RSA", "e": "EC", "d": "DSA"}[key.kind[0]]
        block = make_cms(key, file, signed_attributes=signed_attributes)
        added += [
            ZipEntry(f"{base}.SF".encode(), file, method=8),
            ZipEntry(f"{base}.{ending}".encode(), block, method=8),
        ]
    end = apk.rindex(b"PK\x05\x06")
    return make_zip([*entries, *added], apk[end + 22 :])


def read_zip(apk: bytes) -> list[ZipEntry]:
    """Read a package's entries back, as `make_zip` wrote them."""
    _, at, end = sections(apk)
    found = []
    while at < end:
        fields = struct.unpack_from("<IHHHHHHIIIHHHHHII", apk, at)
        name = apk[at + 46 : at + 46 + fields[10]]
        offset = fields[16]
        name_size, extra_size = struct.unpack_from("<HH", apk, offset + 26)
        start = offset + 30 + name_size + extra_size
        raw = apk[start : start + fields[8]]
        found.append(ZipEntry(name, zlib.decompress(raw, -15) if fields[4] else raw, method=fields[4]))
        at += 46 + fields[10] + fields[11] + fields[12]
    return found


def _digest_lines(data: bytes, suffix: str, digests: Sequence[str]) -> bytes:
    lines = b""
    for name in digests:
        value = base64.b64encode(hashlib.new(name.replace("-", "").lower(), data).digest())
        lines += f"{name}{suffix}: ".encode() + value + b"\r\n"
    return lines


def wrapped(line: bytes) -> bytes:
    """Break a line after 70 bytes, as the JAR rules ask."""
    parts = [line[:70]]
    parts += [b" " + line[at : at + 69] for at in range(70, len(line), 69)]
    return b"\r\n".join(parts) + b"\r\n"


def make_cms(
    key: AppKey, file: bytes, *, signed_attributes: bool = False, certificates: Sequence[bytes] | None = None
) -> bytes:
    """Write PKCS#7 SignedData over a signature file, with SHA-256."""
    certificate = x509.load_der_x509_certificate(key.certificate)
    digest = der(0x30, oid("2.16.840.1.101.3.4.2.1") + der(0x05, b""))
    number = {"r": "1.2.840.113549.1.1.1", "e": "1.2.840.10045.4.3.2", "d": "2.16.840.1.101.3.4.3.2"}[key.kind[0]]
    attributes = b""
    if signed_attributes:
        content_type = der(0x30, oid("1.2.840.113549.1.9.3") + der(0x31, oid("1.2.840.113549.1.7.1")))
        message = der(0x30, oid("1.2.840.113549.1.9.4") + der(0x31, der(0x04, hashlib.sha256(file).digest())))
        attributes = content_type + message
    signed = der(0x31, attributes) if signed_attributes else file
    serial = certificate.serial_number
    sid = der(0x30, certificate.issuer.public_bytes() + der(0x02, serial.to_bytes(serial.bit_length() // 8 + 1, "big")))
    info = der(0x02, b"\1") + sid + digest + (der(0xA0, attributes) if signed_attributes else b"")
    info += der(0x30, oid(number)) + der(0x04, key.sign(signed))
    content = der(0x02, b"\1") + der(0x31, digest) + der(0x30, oid("1.2.840.113549.1.7.1"))
    content += der(0xA0, b"".join(certificates or [key.certificate])) + der(0x31, der(0x30, info))
    return der(0x30, oid("1.2.840.113549.1.7.2") + der(0xA0, der(0x30, content)))


# Encodings


def u32(number: int) -> bytes:
    return struct.pack("<I", number & 0xFFFFFFFF)


def sized(data: bytes) -> bytes:
    """A field after its length."""
    return u32(len(data)) + data


def sequence(parts: Iterable[bytes]) -> bytes:
    """Fields, each after its length, without a length of the whole."""
    return b"".join(map(sized, parts))


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 128 + len(length))) + length + content


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = b""
    for number in (40 * first + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        content += bytes(reversed(digits))
    return der(0x06, content)
