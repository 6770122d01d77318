"""Which pairs of digest and signature algorithm a JAR signer may use, and on which API levels.

Source: apksig `V1SchemeVerifier.getSigAlgSupportedApiLevels` (`OidConstants`), which records what each Android release accepted. The rule
behind its table: the natural pairs came and went with the providers, and on levels 21 to 23 every mixture passed too.
"""

from backupkit.guard.apk.public_keys import (
    DsaKey,
    EcKey,
    KeyMalformed,
    RsaKey,
    is_dsa_signature,
    is_ecdsa_signature,
    is_rsa_pkcs1_signature,
    read_public_key,
)

DIGESTS = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}

# Signature algorithm -> (kind of key, hash it names or None where the digest algorithm says).
_SIGNATURES: dict[str, tuple[str, str | None]] = {
    "1.2.840.113549.1.1.1": ("rsa", None),
    "1.2.840.113549.1.1.4": ("rsa", "md5"),
    "1.2.840.113549.1.1.5": ("rsa", "sha1"),
    "1.2.840.113549.1.1.14": ("rsa", "sha224"),
    "1.2.840.113549.1.1.11": ("rsa", "sha256"),
    "1.2.840.113549.1.1.12": ("rsa", "sha384"),
    "1.2.840.113549.1.1.13": ("rsa", "sha512"),
    "1.2.840.10040.4.1": ("dsa", None),
    "1.2.840.10040.4.3": ("dsa", "sha1"),
    "2.16.840.1.101.3.4.3.1": ("dsa", "sha224"),
    "2.16.840.1.101.3.4.3.2": ("dsa", "sha256"),
    "1.2.840.10045.2.1": ("ec", None),
    "1.2.840.10045.4.1": ("ec", "sha1"),
    "1.2.840.10045.4.3.1": ("ec", "sha224"),
    "1.2.840.10045.4.3.2": ("ec", "sha256"),
    "1.2.840.10045.4.3.3": ("ec", "sha384"),
    "1.2.840.10045.4.3.4": ("ec", "sha512"),
}

_ALWAYS = ((0, None),)
_GONE_9_TO_17 = ((0, 8), (18, None))
_GONE_9_TO_20 = ((0, 8), (21, None))
_SINCE_9, _SINCE_18, _SINCE_21, _SINCE_22 = (((level, None),) for level in (9, 18, 21, 22))
_MIXED = ((21, 23),)

# (kind, digest, whether the signature algorithm names the hash itself) -> ranges of levels, the last open.
_NATURAL: dict[tuple[str, str, bool], tuple[tuple[int, int | None], ...]] = {
    ("rsa", "md5", False): _ALWAYS,
    ("rsa", "md5", True): _GONE_9_TO_20,
    ("rsa", "sha1", False): _ALWAYS,
    ("rsa", "sha1", True): _ALWAYS,
    ("rsa", "sha224", False): _GONE_9_TO_20,
    ("rsa", "sha224", True): _GONE_9_TO_20,
    ("rsa", "sha256", False): _GONE_9_TO_17,
    ("rsa", "sha256", True): _GONE_9_TO_17,
    ("rsa", "sha384", False): _SINCE_18,
    ("rsa", "sha384", True): _SINCE_21,
    ("rsa", "sha512", False): _SINCE_18,
    ("rsa", "sha512", True): _SINCE_21,
    ("dsa", "sha1", False): _ALWAYS,
    ("dsa", "sha1", True): _SINCE_9,
    ("dsa", "sha224", False): _SINCE_22,
    ("dsa", "sha224", True): _SINCE_21,
    ("dsa", "sha256", False): _SINCE_22,
    ("dsa", "sha256", True): _SINCE_21,
    ("ec", "sha1", False): _SINCE_18,
    ("ec", "sha1", True): _SINCE_18,
    ("ec", "sha224", False): _SINCE_21,
    ("ec", "sha224", True): _SINCE_21,
    ("ec", "sha256", False): _SINCE_18,
    ("ec", "sha256", True): _SINCE_21,
    ("ec", "sha384", False): _SINCE_18,
    ("ec", "sha384", True): _SINCE_21,
    ("ec", "sha512", False): _SINCE_18,
    ("ec", "sha512", True): _SINCE_21,
}
# Three mixtures that one release alone let pass.
_ONLY_21 = {("sha224", "sha256"), ("sha256", "sha1"), ("sha512", "sha384")}


def is_accepted(digest_oid: str, signature_oid: str, level: int) -> bool:
    """Whether a device of this level accepts the pair."""
    digest, signature = DIGESTS.get(digest_oid), _SIGNATURES.get(signature_oid)
    if digest is None or signature is None:
        return False
    kind, named = signature
    if named is None or named == digest:
        ranges = _NATURAL.get((kind, digest, named is not None), ())
    elif kind == "rsa" and (digest, named) in _ONLY_21:
        ranges = ((21, 21),)
    else:
        ranges = _MIXED
    return any(first <= level and (last is None or level <= last) for first, last in ranges)


def is_signature(public_key_info: bytes, digest_oid: str, signature_oid: str, data: bytes, signature: bytes) -> bool:
    """Whether the signature over `data` is this key's. The pair must be one that `is_accepted` knows.

    Raises:
        KeyMalformed: no key, or one of another kind than the algorithm asks for.
    """
    kind, named = _SIGNATURES[signature_oid]
    hash_name = named or DIGESTS[digest_oid]
    key = read_public_key(public_key_info)
    if kind == "rsa" and isinstance(key, RsaKey):
        return is_rsa_pkcs1_signature(key, hash_name, data, signature)
    if kind == "dsa" and isinstance(key, DsaKey):
        return is_dsa_signature(key, hash_name, data, signature)
    if kind == "ec" and isinstance(key, EcKey):
        return is_ecdsa_signature(key, hash_name, data, signature)
    raise KeyMalformed
