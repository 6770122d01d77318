"""What a package says about itself in `AndroidManifest.xml`, as far as an update's fate depends on it.

Attributes are looked up by resource number, as Android does; names can lie. Sources: AOSP `ParsingPackageUtils`, `public-final.xml` (the numbers);
apksig `ApkUtils` for the API levels.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from backupkit.guard.apk.binary_xml import TYPE_STRING, Attribute, Element, XmlMalformed, read_elements
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.ids import AppPackage

_NAME = 0x01010003
_LABEL_AUTHORITIES = 0x01010018
_DEBUGGABLE = 0x0101000F
_SHARED_USER_ID = 0x0101000B
_SHARED_USER_MAX_SDK = 0x0101064D
_MIN_SDK = 0x0101020C
_VERSION_CODE = 0x0101021B
_TARGET_SDK = 0x01010270
_TEST_ONLY = 0x01010272
_ALLOW_BACKUP = 0x01010280
_TARGET_SANDBOX = 0x0101054C
_VERSION_CODE_MAJOR = 0x01010576
_HAS_FRAGILE_DATA = 0x0101059B
_VALUE = 0x01010024
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


@dataclass(frozen=True, slots=True)
class Manifest:
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
    permissions: tuple[str, ...] = ()
    """Permissions it declares, not those it asks for."""
    permission_groups: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    """Authorities of its content providers."""
    key_sets: dict[str, int] = field(default_factory=dict)
    """Names of declared key sets, with how many keys each has."""
    upgrade_key_sets: tuple[str, ...] = ()
    split: str | None = None
    """The split's name, or None for a base package."""


def read_manifest(data: bytes) -> Manifest:
    """Read a binary manifest.

    Raises:
        PackageNotGenuine: malformed, or without a package name: no phone installs it.
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
        self._target_sdk: int | None = None
        self._permissions: list[str] = []
        self._groups: list[str] = []
        self._providers: list[str] = []
        self._key_sets: dict[str, int] = {}
        self._upgrade: list[str] = []
        self._key_set = ""
        self._no_storage = False
        for element in elements:
            self._take(element)

    def manifest(self) -> Manifest:
        """Put together what was read."""
        root = self._root
        name = root.by_name("package") if root else None
        if root is None or name is None or not name.text:
            raise XmlMalformed
        split = root.by_name("split")
        low = _integer(root.by_resource(_VERSION_CODE), 0) & 0xFFFFFFFF
        high = _integer(root.by_resource(_VERSION_CODE_MAJOR), 0) & 0xFFFFFFFF
        shared = root.by_resource(_SHARED_USER_ID)
        shared_max = root.by_resource(_SHARED_USER_MAX_SDK)
        application = self._application
        backup = application.by_resource(_ALLOW_BACKUP) if application else None
        return Manifest(
            package=AppPackage(name.text),
            version_code=high << 32 | low,
            min_sdk=self._min_sdk,
            target_sdk=self._min_sdk if self._target_sdk is None else self._target_sdk,
            shared_user_id=shared.text if shared and shared.text else None,
            shared_user_max_sdk=shared_max.integer() if shared_max else None,
            debuggable=_is_true(application, _DEBUGGABLE),
            test_only=_is_true(application, _TEST_ONLY),
            allow_backup=backup.boolean() if backup else True,
            has_fragile_user_data=_is_true(application, _HAS_FRAGILE_DATA),
            no_app_data_storage=self._no_storage,
            target_sandbox_version=_integer(root.by_resource(_TARGET_SANDBOX), 1),
            permissions=tuple(self._permissions),
            permission_groups=tuple(self._groups),
            providers=tuple(self._providers),
            key_sets=self._key_sets,
            upgrade_key_sets=tuple(self._upgrade),
            split=split.text if split and split.text else None,
        )

    def _take(self, element: Element) -> None:
        match element.path:
            case ("manifest",):
                self._root = self._root or element
            case ("manifest", "uses-sdk"):
                self._take_sdk(element)
            case ("manifest", "application"):
                self._application = self._application or element
            case ("manifest", "permission"):
                self._permissions.append(_text(element, _NAME))
            case ("manifest", "permission-group"):
                self._groups.append(_text(element, _NAME))
            case ("manifest", "application", "provider"):
                authorities = _text(element, _LABEL_AUTHORITIES)
                self._providers.extend(part for part in authorities.split(";") if part)
            case ("manifest", "application", "property"):
                if _text(element, _NAME) == _NO_DATA_STORAGE and _is_true(element, _VALUE):
                    self._no_storage = True
            case ("manifest", "key-sets", "key-set"):
                self._key_set = _text(element, _NAME)
                self._key_sets.setdefault(self._key_set, 0)
            case ("manifest", "key-sets", "key-set", "public-key"):
                self._key_sets[self._key_set] = self._key_sets.get(self._key_set, 0) + 1
            case ("manifest", "key-sets", "upgrade-key-set"):
                self._upgrade.append(_text(element, _NAME))
            case _:
                pass

    def _take_sdk(self, element: Element) -> None:
        """Every `uses-sdk` must be satisfied, so the highest minimum counts; the first target that is named counts (apksig)."""
        minimum = element.by_resource(_MIN_SDK)
        self._min_sdk = max(self._min_sdk, 1 if minimum is None else _level(minimum))
        target = element.by_resource(_TARGET_SDK)
        if target is not None and self._target_sdk is None:
            self._target_sdk = _level(target)


def _level(attribute: Attribute) -> int:
    number = attribute.integer()
    if number is not None:
        return number
    name = attribute.text
    if attribute.kind != TYPE_STRING or not name:
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
    if attribute is None:
        return default
    number = attribute.integer()
    return default if number is None else number


def _is_true(element: Element | None, resource: int) -> bool:
    attribute = element.by_resource(resource) if element else None
    return bool(attribute and attribute.boolean())


def _text(element: Element, resource: int) -> str:
    attribute = element.by_resource(resource)
    return attribute.text or "" if attribute else ""
