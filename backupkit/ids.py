"""Names for the things that have identities, so that no bare string crosses a seam.

Hex is always lower case. What each id is computed from is specified in `docs/format/`.
"""

from typing import NewType

RepositoryId = NewType("RepositoryId", bytes)
"""16 random bytes, drawn when the repository is made."""

DomainId = NewType("DomainId", bytes)
"""16 random bytes, drawn when an erasure domain is made."""

ChunkId = NewType("ChunkId", bytes)
"""32 bytes: HMAC-SHA-256 under the domain's id key of the chunk type and the SHA-256 of its plain bytes."""

PackName = NewType("PackName", str)
"""64 hex digits: SHA-256 of the pack file, so that `sha256sum` checks it without a key."""

SnapshotId = NewType("SnapshotId", str)
"""64 hex digits: SHA-256 of the signed snapshot statement."""

CertificateDigest = NewType("CertificateDigest", str)
"""64 hex digits: SHA-256 of a signing certificate's bytes exactly as they lie in the package."""

AppPackage = NewType("AppPackage", str)
"""An app's package name as Android knows it, such as `com.tencent.mm`. Case matters."""
