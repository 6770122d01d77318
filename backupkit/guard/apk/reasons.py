"""Why a package is not genuine, or why that cannot be told.

Each reason names one rule. `apksig_issues` says which issues Android's own tool, apksig, reports for the same rule (class
`ApkVerifier.Issue`), so that the two can be compared row by row.
"""

from enum import StrEnum

from backupkit.errors import BackupkitError, ExitCode


class Reason(StrEnum):
    """The rule that a package breaks."""

    # The container.
    NOT_A_ZIP = "not-a-zip"
    PREFIXED = "bytes-before-first-entry"
    ZIP_MALFORMED = "zip-malformed"
    DUPLICATE_ENTRY = "duplicate-entry"
    ENTRY_NAME_UNSAFE = "entry-name-unsafe"
    ENTRY_MALFORMED = "entry-malformed"
    ENTRY_TOO_LARGE = "entry-too-large"
    TOO_MANY_ENTRIES = "too-many-entries"
    MANIFEST_MISSING = "manifest-missing"
    MANIFEST_MALFORMED = "manifest-malformed"
    # Signature schemes 2 and 3.
    SIGNERS_MALFORMED = "signers-malformed"
    NO_SIGNERS = "no-signers"
    TOO_MANY_SIGNERS = "too-many-signers"
    SIGNER_MALFORMED = "signer-malformed"
    NO_SIGNATURES = "no-signatures"
    NO_SUPPORTED_ALGORITHM = "no-supported-algorithm"
    PUBLIC_KEY_MALFORMED = "public-key-malformed"
    SIGNATURE_WRONG = "signature-wrong"
    CERTIFICATE_MALFORMED = "certificate-malformed"
    NO_CERTIFICATES = "no-certificates"
    PUBLIC_KEY_MISMATCH = "public-key-mismatch"
    ALGORITHMS_DIFFER = "algorithms-differ"
    ATTRIBUTE_MALFORMED = "attribute-malformed"
    CONTENT_CHANGED = "content-changed"
    VERITY_UNALIGNED = "verity-unaligned"
    STRIPPED = "newer-signature-stripped"
    SDK_RANGE_INVALID = "sdk-range-invalid"
    SDK_RANGE_MISMATCH = "sdk-range-mismatch"
    SDK_RANGE_MISSING = "no-signer-for-level"
    SDK_RANGES_INCONSISTENT = "sdk-ranges-inconsistent"
    SEVERAL_SIGNERS = "several-signers-for-level"
    LINEAGE_MALFORMED = "lineage-malformed"
    LINEAGE_SIGNATURE_WRONG = "lineage-signature-wrong"
    LINEAGE_END_MISMATCH = "lineage-end-mismatch"
    LINEAGE_REPEATS = "lineage-repeats-certificate"
    LINEAGES_INCONSISTENT = "lineages-inconsistent"
    V31_STRIPPED = "rotation-stripped"
    V31_RANGE_MISMATCH = "rotation-range-mismatch"
    V31_WITHOUT_V3 = "rotation-without-base-signature"
    # Signature scheme 1 (JAR).
    UNSIGNED = "unsigned"
    UNSIGNED_FOR_LEVEL = "unsigned-for-level"
    V1_NO_SIGNATURES = "jar-no-signatures"
    V1_BLOCK_MALFORMED = "jar-block-malformed"
    V1_NO_SIGNER_INFO = "jar-no-signer-info"
    V1_ALGORITHM_UNSUPPORTED = "jar-algorithm-unsupported"
    V1_SIGNER_UNACCEPTABLE = "jar-signer-unacceptable"
    V1_SIGNATURE_WRONG = "jar-signature-wrong"
    V1_SECTION_UNNAMED = "jar-section-unnamed"
    V1_SECTION_DUPLICATE = "jar-section-duplicate"
    V1_ENTRY_MISSING = "jar-entry-missing"
    V1_VERSION_MISSING = "jar-signature-version-missing"
    V1_MANIFEST_CHANGED = "jar-manifest-changed"
    V1_DIGEST_MISSING = "jar-digest-missing"
    V1_ENTRY_UNSIGNED = "jar-entry-unsigned"
    V1_SIGNERS_DIFFER = "jar-signers-differ"
    V1_ENTRY_CHANGED = "jar-entry-changed"
    # Across schemes.
    SCHEME_TOO_OLD_FOR_SANDBOX = "scheme-too-old-for-sandbox"
    SCHEME_TOO_OLD_FOR_TARGET = "scheme-too-old-for-target"
    SCHEMES_DISAGREE = "schemes-disagree"
    # Across the packages of one set.
    BASE_MISSING = "base-missing"
    SPLIT_OF_ANOTHER_APP = "split-of-another-app"
    SPLIT_VERSION_DIFFERS = "split-version-differs"
    SPLIT_REPEATED = "split-repeated"
    SPLIT_SIGNERS_DIFFER = "split-signers-differ"
    IDSIG_MISMATCH = "idsig-mismatch"


class Doubt(StrEnum):
    """Why it cannot be told whether a package is genuine. The guard then holds."""

    NEWER_SCHEME = "newer-signature-scheme"
    LEVEL_UNKNOWN = "device-level-unknown"
    LEVEL_NOT_JUDGED = "level-not-judged"
    CHANGED_WHILE_READ = "changed-while-read"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too-large"
    NO_PACKAGE = "no-package-there"
    ZIP64 = "zip64"


class PackageNotGenuine(BackupkitError):
    """The package is damaged, altered, or not signed as Android demands.

    Facts: `reason` (a `Reason`), `scheme` (v1, v2, v3, v3.1 or None), `level` (the device API level, or None for every level), `entry` (the name of
    the entry inside the package, or None).
    """

    code = "package-not-genuine"
    exit_code = ExitCode.DENY

    def __init__(
        self, reason: Reason, *, scheme: str | None = None, level: int | None = None, entry: str | None = None
    ) -> None:
        super().__init__(reason=reason.value, scheme=scheme, level=level, entry=entry)
        self.reason = reason
        self.scheme = scheme
        self.level = level
        self.entry = entry

    def at(self, level: int) -> "PackageNotGenuine":
        """Return the same rejection with the device level it holds for."""
        return PackageNotGenuine(self.reason, scheme=self.scheme, level=level, entry=self.entry)

    def within(self, member: str) -> "PackageNotGenuine":
        """Return the same rejection with the name of the package inside a set that it is about."""
        entry = member if self.entry is None else f"{member}: {self.entry}"
        return PackageNotGenuine(self.reason, scheme=self.scheme, level=self.level, entry=entry)


class PackageUndecided(BackupkitError):
    """Whether the package is genuine cannot be told here.

    Facts: `reason` (a `Doubt`), `level` (the device API level, or None).
    """

    code = "package-undecided"
    exit_code = ExitCode.UNDECIDED

    def __init__(self, reason: Doubt, *, level: int | None = None) -> None:
        super().__init__(reason=reason.value, level=level)
        self.reason = reason
        self.level = level


_FORMAT = frozenset({"ApkFormatException"})

_ANY_SCHEME: dict[Reason, frozenset[str]] = {
    Reason.NOT_A_ZIP: _FORMAT,
    Reason.PREFIXED: frozenset(),  # apksig lets these through; Android does not
    Reason.ZIP_MALFORMED: _FORMAT,
    Reason.ENTRY_MALFORMED: _FORMAT,
    Reason.ENTRY_NAME_UNSAFE: frozenset(),
    Reason.ENTRY_TOO_LARGE: _FORMAT,
    Reason.TOO_MANY_ENTRIES: frozenset(),
    Reason.MANIFEST_MISSING: _FORMAT,
    Reason.MANIFEST_MALFORMED: _FORMAT,
    Reason.DUPLICATE_ENTRY: frozenset({"JAR_SIG_DUPLICATE_ZIP_ENTRY"}),
    Reason.UNSIGNED: frozenset({"JAR_SIG_NO_MANIFEST"}),
    Reason.UNSIGNED_FOR_LEVEL: frozenset({"JAR_SIG_NO_MANIFEST"}),
    Reason.V1_NO_SIGNATURES: frozenset({"JAR_SIG_NO_SIGNATURES"}),
    Reason.V1_BLOCK_MALFORMED: frozenset({"JAR_SIG_PARSE_EXCEPTION"}),
    Reason.V1_NO_SIGNER_INFO: frozenset({"JAR_SIG_NO_SIGNERS"}),
    Reason.V1_ALGORITHM_UNSUPPORTED: frozenset({"JAR_SIG_UNSUPPORTED_SIG_ALG"}),
    Reason.V1_SIGNER_UNACCEPTABLE: frozenset({"JAR_SIG_VERIFY_EXCEPTION"}),
    Reason.V1_SIGNATURE_WRONG: frozenset({"JAR_SIG_DID_NOT_VERIFY", "JAR_SIG_VERIFY_EXCEPTION"}),
    Reason.V1_SECTION_UNNAMED: frozenset({"JAR_SIG_UNNNAMED_MANIFEST_SECTION", "JAR_SIG_UNNNAMED_SIG_FILE_SECTION"}),
    Reason.V1_SECTION_DUPLICATE: frozenset(
        {"JAR_SIG_DUPLICATE_MANIFEST_SECTION", "JAR_SIG_DUPLICATE_SIG_FILE_SECTION"}
    ),
    Reason.V1_ENTRY_MISSING: frozenset({"JAR_SIG_MISSING_ZIP_ENTRY_REFERENCED_IN_MANIFEST"}),
    Reason.V1_VERSION_MISSING: frozenset({"JAR_SIG_MISSING_VERSION_ATTR_IN_SIG_FILE", "JAR_SIG_NO_SIGNATURES"}),
    Reason.V1_MANIFEST_CHANGED: frozenset(
        {
            "JAR_SIG_MANIFEST_MAIN_SECTION_DIGEST_DID_NOT_VERIFY",
            "JAR_SIG_MANIFEST_SECTION_DIGEST_DID_NOT_VERIFY",
        }
    ),
    Reason.V1_DIGEST_MISSING: frozenset(
        {
            "JAR_SIG_NO_ZIP_ENTRY_DIGEST_IN_MANIFEST",
            "JAR_SIG_NO_ZIP_ENTRY_DIGEST_IN_SIG_FILE",
        }
    ),
    Reason.V1_ENTRY_UNSIGNED: frozenset({"JAR_SIG_ZIP_ENTRY_NOT_SIGNED", "JAR_SIG_NO_SIGNED_ZIP_ENTRIES"}),
    Reason.V1_SIGNERS_DIFFER: frozenset({"JAR_SIG_ZIP_ENTRY_SIGNERS_MISMATCH"}),
    Reason.V1_ENTRY_CHANGED: frozenset({"JAR_SIG_ZIP_ENTRY_DIGEST_DID_NOT_VERIFY"}),
    Reason.SCHEME_TOO_OLD_FOR_SANDBOX: frozenset({"NO_SIG_FOR_TARGET_SANDBOX_VERSION"}),
    Reason.SCHEME_TOO_OLD_FOR_TARGET: frozenset({"MIN_SIG_SCHEME_FOR_TARGET_SDK_NOT_MET"}),
    Reason.SCHEMES_DISAGREE: frozenset(
        {
            "V2_SIG_MISSING",
            "JAR_SIG_MISSING",
            "V3_SIG_PAST_SIGNERS_MISMATCH",
            "V3_SIG_MULTIPLE_PAST_SIGNERS",
            "V3_SIG_MULTIPLE_SIGNERS",
        }
    ),
    # apksig judges one package at a time.
    Reason.BASE_MISSING: frozenset(),
    Reason.SPLIT_OF_ANOTHER_APP: frozenset(),
    Reason.SPLIT_VERSION_DIFFERS: frozenset(),
    Reason.SPLIT_REPEATED: frozenset(),
    Reason.SPLIT_SIGNERS_DIFFER: frozenset(),
    Reason.IDSIG_MISMATCH: frozenset({"V4_SIG_APK_DIGESTS_DO_NOT_MATCH", "V4_SIG_V2_V3_SIGNERS_MISMATCH"}),
    Reason.V31_STRIPPED: frozenset({"V31_BLOCK_MISSING"}),
    Reason.V31_RANGE_MISMATCH: frozenset({"V31_ROTATION_MIN_SDK_MISMATCH"}),
    Reason.V31_WITHOUT_V3: frozenset({"V31_BLOCK_FOUND_WITHOUT_V3_BLOCK"}),
    Reason.SDK_RANGE_INVALID: frozenset({"V3_SIG_INVALID_SDK_VERSIONS"}),
    Reason.SDK_RANGE_MISMATCH: frozenset(
        {
            "V3_MIN_SDK_VERSION_MISMATCH_BETWEEN_SIGNER_AND_SIGNED_DATA_RECORD",
            "V3_MAX_SDK_VERSION_MISMATCH_BETWEEN_SIGNER_AND_SIGNED_DATA_RECORD",
        }
    ),
    Reason.SDK_RANGE_MISSING: frozenset({"V3_MISSING_SDK_VERSIONS"}),
    Reason.SDK_RANGES_INCONSISTENT: frozenset({"V3_INCONSISTENT_SDK_VERSIONS"}),
    Reason.SEVERAL_SIGNERS: frozenset({"V3_INCONSISTENT_SDK_VERSIONS", "V3_SIG_MULTIPLE_SIGNERS"}),
    # One of a version that apksig does not know is a mismatch to it, one that comes back to a certificate a wrong signature.
    Reason.LINEAGE_MALFORMED: frozenset({"V3_SIG_MALFORMED_LINEAGE", "V3_SIG_POR_CERT_MISMATCH"}),
    Reason.LINEAGE_SIGNATURE_WRONG: frozenset({"V3_SIG_POR_DID_NOT_VERIFY"}),
    Reason.LINEAGE_END_MISMATCH: frozenset({"V3_SIG_POR_CERT_MISMATCH"}),
    Reason.LINEAGE_REPEATS: frozenset({"V3_SIG_MALFORMED_LINEAGE", "V3_SIG_POR_DID_NOT_VERIFY"}),
    Reason.LINEAGES_INCONSISTENT: frozenset({"V3_INCONSISTENT_LINEAGES"}),
}

_BY_SCHEME: dict[Reason, tuple[str, ...]] = {
    Reason.SIGNERS_MALFORMED: ("SIG_MALFORMED_SIGNERS",),
    Reason.NO_SIGNERS: ("SIG_NO_SIGNERS",),
    Reason.TOO_MANY_SIGNERS: ("SIG_MAX_SIGNATURES_EXCEEDED",),
    Reason.SIGNER_MALFORMED: ("SIG_MALFORMED_SIGNER", "SIG_MALFORMED_SIGNATURE", "SIG_MALFORMED_DIGEST"),
    Reason.NO_SIGNATURES: ("SIG_NO_SIGNATURES",),
    Reason.NO_SUPPORTED_ALGORITHM: ("SIG_NO_SUPPORTED_SIGNATURES",),
    Reason.PUBLIC_KEY_MALFORMED: ("SIG_MALFORMED_PUBLIC_KEY",),
    # Whether a wrong signature is an exception or a plain no depends on the Java provider, so the two are one family.
    Reason.SIGNATURE_WRONG: ("SIG_DID_NOT_VERIFY", "SIG_VERIFY_EXCEPTION"),
    Reason.CERTIFICATE_MALFORMED: ("SIG_MALFORMED_CERTIFICATE",),
    Reason.NO_CERTIFICATES: ("SIG_NO_CERTIFICATES",),
    Reason.PUBLIC_KEY_MISMATCH: ("SIG_PUBLIC_KEY_MISMATCH_BETWEEN_CERTIFICATE_AND_SIGNATURES_RECORD",),
    Reason.ALGORITHMS_DIFFER: ("SIG_SIG_ALG_MISMATCH_BETWEEN_SIGNATURES_AND_DIGESTS_RECORDS",),
    Reason.ATTRIBUTE_MALFORMED: ("SIG_MALFORMED_ADDITIONAL_ATTRIBUTE",),
    Reason.CONTENT_CHANGED: ("SIG_APK_DIGEST_DID_NOT_VERIFY",),
    Reason.VERITY_UNALIGNED: ("SIG_APK_DIGEST_DID_NOT_VERIFY",),
    Reason.STRIPPED: ("SIG_MISSING_APK_SIG_REFERENCED",),
}

_PREFIX = {"v1": "JAR_", "v2": "V2_", "v3": "V3_", "v3.1": "V3_", None: ""}


def apksig_issues(reason: Reason, scheme: str | None) -> frozenset[str]:
    """Name the issues that apksig reports for the rule; empty where apksig has no such rule."""
    if reason in _BY_SCHEME:
        return frozenset(f"{_PREFIX[scheme]}{issue}" for issue in _BY_SCHEME[reason])
    return _ANY_SCHEME[reason]
