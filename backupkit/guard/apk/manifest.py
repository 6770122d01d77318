"""What a package says about itself in `AndroidManifest.xml`, as far as an update's fate depends on it.

Attributes are looked up by resource number, as Android does; names can lie. Sources: AOSP `ParsingPackageUtils`, `public-final.xml` (the numbers);
apksig `ApkUtils` for the API levels.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from backupkit.guard.apk.binary_xml import TYPE_STRING, Attribute, Element, XmlMalformed, read_elements
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.guard.package_name import is_package_name
from backupkit.ids import AppPackage

_NAME = 0x01010003
_LABEL_AUTHORITIES = 0x01010018
_DEBUGGABLE = 0x0101000F
_HAS_CODE = 0x0101000C
_SHARED_USER_ID = 0x0101000B
_SHARED_USER_MAX_SDK = 0x0101064D
_MIN_SDK = 0x0101020C
_VERSION_CODE = 0x0101021B
_REVISION_CODE = 0x010104D5
_TARGET_SDK = 0x01010270
_TEST_ONLY = 0x01010272
_ALLOW_BACKUP = 0x01010280
_TARGET_SANDBOX = 0x0101054C
_VERSION_CODE_MAJOR = 0x01010576
_HAS_FRAGILE_DATA = 0x0101059B
_PERMISSION_GROUP = 0x0101000A
_MULTI_ARCH = 0x0101048E
_FULL_BACKUP_CONTENT = 0x010104EB
_DATA_EXTRACTION_RULES = 0x0101063E
_IS_FEATURE_SPLIT = 0x0101055B
_IS_SPLIT_REQUIRED = 0x01010591
_REQUIRED_SPLIT_TYPES = 0x0101064E
_SPLIT_TYPES = 0x0101064F
_VALUE = 0x01010024
_MOST_KEYS = 64
_NO_DATA_STORAGE = "android.internal.PROPERTY_NO_APP_DATA_STORAGE"

# A development release is called by a letter before it has a number. apksig takes the number of the release before, so that nothing is
# taken for supported too early (ApkUtils.getMinSdkVersionForCodename); each further letter is one more.
_CODENAMES = {"Baklava": 34, "CinnamonBun": 35, "CANARY": 9999}
_LETTERS = {
    "C": 2,
    "D": 3,
    "E": 4,
    "F": 7,
    "G": 8,
    "H": 10,
    "I": 13,
    "J": 15,
    "K": 18,
    "L": 20,
    "M": 22,
    "N": 23,
    "O": 25,
}


class Manifest(NamedTuple):
    """The facts of a manifest. What it does not say has Android's default."""

    package: AppPackage
    version_code: int
    min_sdk: int
    target_sdk: int
    shared_user_id: str | None = None
    shared_user_max_sdk: int | None = None
    debuggable: bool = False
    test_only: bool = False
    allow_backup: bool | None = True
    """None: a resource decides it, which differs from phone to phone."""
    has_fragile_user_data: bool = False
    no_app_data_storage: bool = False
    target_sandbox_version: int = 1
    has_extraction_rules: bool = False
    """Whether rules of its maker say what a cloud backup or a transfer to a new phone takes along."""
    has_backup_rules: bool = False
    """The same for Android 11 and older (`fullBackupContent`)."""
    permissions: tuple[str, ...] = ()
    """Permissions it declares, not those it asks for."""
    permissions_in: tuple[tuple[str, str], ...] = ()
    """The declared permissions that name a group, each with it."""
    permission_groups: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    """Authorities of its content providers."""
    key_sets: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """Names of declared key sets, with the SHA-256 of each of their public keys; empty where a key cannot be read."""
    upgrade_key_sets: tuple[str, ...] = ()
    split: str | None = None
    """The split's name, or None for a base package."""
    is_feature_split: bool = False
    config_for: str | None = None
    """The name of the split that a configuration split belongs to; empty for the base."""
    needs_splits: bool = False
    """Whether the base alone is refused: it says that splits must come with it."""
    required_split_types: frozenset[str] = frozenset()
    split_types: frozenset[str] = frozenset()
    static_library: str | None = None
    is_multi_arch: bool = False
    has_code: bool | None = True
    """Whether it says that it runs code of its own. None: a resource decides it."""
    is_for_development: bool = False
    """Whether it names a release in development as its minimum or target: no released Android installs it."""
    by_resource: frozenset[str] = frozenset()
    """Facts that a resource decides, by their names here: what they are called above is a guess."""
    revision_code: int = 0
    """Which of two packages of one version is newer; each split has its own."""


def read_manifest(data: bytes) -> Manifest:
    """Read a binary manifest.

    Raises:
        PackageNotGenuine: malformed, or without a name that a package can have: no phone installs it.
    """
    try:
        return _Reading(read_elements(data)).manifest()
    except XmlMalformed as error:
        raise PackageNotGenuine(Reason.MANIFEST_MALFORMED) from error


class _Reading:
    """One pass over the elements."""

    def __init__(self, elements: Iterable[Element]) -> None:
        self._root: Element | None = None
        self._application: Element | None = None
        self._min_sdk = 1
        self._target: Attribute | None = None
        self._permissions: list[str] = []
        self._groups: list[str] = []
        self._providers: list[str] = []
        self._grouped: list[tuple[str, str]] = []
        self._static_library: str | None = None
        self._key_sets: dict[str, tuple[str, ...]] = {}
        self._public_keys: dict[str, str] = {}
        self._upgrade: list[str] = []
        self._key_set = ""
        self._no_storage = False
        self._is_for_development = False
        for element in elements:
            self._take(element)

    def manifest(self) -> Manifest:
        """Put together what was read."""
        root = self._root
        name = root.by_name("package") if root else None
        # The name becomes that of a file in the guard's memory: one that leads elsewhere must not come any further.
        if root is None or name is None or not name.text or not is_package_name(name.text):
            raise XmlMalformed
        split, config_for = root.by_name("split"), root.by_name("configForSplit")
        low = _integer(root.by_resource(_VERSION_CODE), 0) & 0xFFFFFFFF
        high = _integer(root.by_resource(_VERSION_CODE_MAJOR), 0) & 0xFFFFFFFF
        shared = root.by_resource(_SHARED_USER_ID)
        shared_max = root.by_resource(_SHARED_USER_MAX_SDK)
        application = self._application
        backup = application.by_resource(_ALLOW_BACKUP) if application else None
        code = application.by_resource(_HAS_CODE) if application else None
        return Manifest(
            package=AppPackage(name.text),
            version_code=_as_long(high << 32 | low),
            min_sdk=self._min_sdk,
            # A target that is no number is none: the minimum counts (apksig `getTargetSdkVersionFromBinaryAndroidManifest`).
            target_sdk=_integer(self._target, self._min_sdk),
            shared_user_id=shared.text if shared and shared.text else None,
            shared_user_max_sdk=shared_max.integer() if shared_max else None,
            debuggable=_is_true(application, _DEBUGGABLE),
            test_only=_is_true(application, _TEST_ONLY),
            allow_backup=backup.boolean() if backup else True,
            has_fragile_user_data=_is_true(application, _HAS_FRAGILE_DATA),
            has_extraction_rules=bool(application and application.by_resource(_DATA_EXTRACTION_RULES)),
            has_backup_rules=bool(application and application.by_resource(_FULL_BACKUP_CONTENT)),
            no_app_data_storage=self._no_storage,
            target_sandbox_version=_integer(root.by_resource(_TARGET_SANDBOX), 1),
            permissions=tuple(self._permissions),
            permissions_in=tuple(self._grouped),
            permission_groups=tuple(self._groups),
            providers=tuple(self._providers),
            key_sets=self._key_sets,
            upgrade_key_sets=tuple(self._upgrade),
            split=split.text if split and split.text else None,
            is_feature_split=_is_true(root, _IS_FEATURE_SPLIT),
            config_for=config_for.text if config_for else None,
            needs_splits=_is_true(root, _IS_SPLIT_REQUIRED) or _is_true(application, _IS_SPLIT_REQUIRED),
            required_split_types=_names(root, _REQUIRED_SPLIT_TYPES),
            split_types=_names(root, _SPLIT_TYPES),
            static_library=self._static_library,
            is_multi_arch=_is_true(application, _MULTI_ARCH),
            has_code=code.boolean() if code else True,
            is_for_development=self._is_for_development,
            by_resource=frozenset(self._unknown(root)),
            revision_code=_integer(root.by_resource(_REVISION_CODE), 0),
        )

    def _unknown(self, root: Element) -> Iterator[str]:
        """Name what Android looks up among the resources, which are not read here (`TypedArray`)."""
        versions = (root.by_resource(_VERSION_CODE), root.by_resource(_VERSION_CODE_MAJOR))
        if any(version is not None and not version.is_number for version in versions):
            yield "version_code"
        revision = root.by_resource(_REVISION_CODE)
        if revision is not None and not revision.is_number:
            yield "revision_code"
        shared = root.by_resource(_SHARED_USER_ID)
        if shared is not None and shared.kind != TYPE_STRING:
            yield "shared_user_id"
        if self._target is not None and not self._target.is_number and self._target.kind != TYPE_STRING:
            yield "target_sdk"
        test_only = self._application.by_resource(_TEST_ONLY) if self._application else None
        if test_only is not None and test_only.boolean() is None:
            yield "test_only"

    def _take(self, element: Element) -> None:
        match element.path:
            case (_,) if self._root is not None or element.path != ("manifest",):
                # The phone reads one manifest and stops; readers that go on, or begin elsewhere, would see another.
                raise XmlMalformed
            case ("manifest",):
                self._root = element
            case ("manifest", "uses-sdk"):
                self._take_sdk(element)
            case ("manifest", "application"):
                self._application = self._application or element
            case ("manifest", "permission"):
                self._permissions.append(_text(element, _NAME))
                if group := _text(element, _PERMISSION_GROUP):
                    self._grouped.append((self._permissions[-1], group))
            case ("manifest", "permission-group"):
                self._groups.append(_text(element, _NAME))
            case ("manifest", "application", "provider"):
                authorities = _text(element, _LABEL_AUTHORITIES)
                self._providers.extend(part for part in authorities.split(";") if part)
            case ("manifest", "application", "static-library"):
                self._static_library = self._static_library or _text(element, _NAME)
            case ("manifest", "application", "property"):
                if _text(element, _NAME) == _NO_DATA_STORAGE and _is_true(element, _VALUE):
                    self._no_storage = True
            case ("manifest", "key-sets", "key-set"):
                self._key_set = _text(element, _NAME)
                self._key_sets.setdefault(self._key_set, ())
            case ("manifest", "key-sets", "key-set", "public-key"):
                self._take_key(element)
            case ("manifest", "key-sets", "upgrade-key-set"):
                self._upgrade.append(_text(element, _NAME))
            case _:
                pass

    def _take_key(self, element: Element) -> None:
        """A key has a name and a value; a later one may give the name alone (AOSP `ParsingPackageUtils.parseKeySets`)."""
        name, value = _text(element, _NAME), _text(element, _VALUE)
        if value:
            try:
                key = hashlib.sha256(base64.b64decode(value)).hexdigest()
            except ValueError:
                key = ""
            self._public_keys.setdefault(name, key)
        known = self._key_sets.get(self._key_set, ())
        if len(known) < _MOST_KEYS:
            self._key_sets[self._key_set] = (*known, self._public_keys.get(name, ""))

    def _take_sdk(self, element: Element) -> None:
        """Every `uses-sdk` must be satisfied, so the highest minimum counts; the first target that is named counts (apksig)."""
        minimum, target = element.by_resource(_MIN_SDK), element.by_resource(_TARGET_SDK)
        self._min_sdk = max(self._min_sdk, 1 if minimum is None else _level(minimum))
        if any(one is not None and one.kind == TYPE_STRING for one in (minimum, target)):
            self._is_for_development = True
        if self._target is None:
            self._target = target


def _level(attribute: Attribute) -> int:
    if attribute.kind != TYPE_STRING:
        number = attribute.integer()
        if number is None or not attribute.is_number:
            raise XmlMalformed
        return number
    # A text is the name of a release, also where it looks like a number (AOSP `FrameworkParsingPackageUtils`).
    name = attribute.text
    if not name:
        raise XmlMalformed
    if name in _CODENAMES:
        return _CODENAMES[name]
    letter = name[0]
    if not "A" <= letter <= "Z":
        raise XmlMalformed
    if letter < "C":
        return 1
    nearest = max(known for known in _LETTERS if known <= letter)
    return _LETTERS[nearest] + ord(letter) - ord(nearest)


def _integer(attribute: Attribute | None, default: int) -> int:
    number = attribute.integer() if attribute is not None and attribute.is_number else None
    return default if number is None else number


def _as_long(bits: int) -> int:
    # Android compares versions as signed numbers (`PackageInfo.composeLongVersionCode`): with the topmost bit set, one is older than all others.
    return bits - (1 << 64) if bits >> 63 else bits


def _is_true(element: Element | None, resource: int) -> bool:
    attribute = element.by_resource(resource) if element else None
    return bool(attribute and attribute.boolean())


def _names(element: Element, resource: int) -> frozenset[str]:
    return frozenset(part.strip() for part in _text(element, resource).split(",") if part.strip())


def _text(element: Element, resource: int) -> str:
    attribute = element.by_resource(resource)
    return attribute.text or "" if attribute else ""
