"""From the text of `config.toml` to settings, strictly: a key that is not known is an error, never a silent default.

A misspelt `max-bakup-age` that is ignored would leave somebody unguarded who believes otherwise.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backupkit.config.failures import (
    ConfigMissingKey,
    ConfigNewerVersion,
    ConfigNotToml,
    ConfigSourceTwice,
    ConfigUnknownKey,
    ConfigWrongValue,
    ProfileNotFound,
)
from backupkit.config.keys import KEYS, TABLES, VERSION, Key, Value
from backupkit.config.lines import line_of
from backupkit.config.settings import (
    GuardSettings,
    KeepSettings,
    RepositorySettings,
    Settings,
    SourceSettings,
    VerifySettings,
    WatchSettings,
)

NONE = "–"
"""What stands where nothing is to be listed, in every language."""

_AT = re.compile(r"at line (\d+), column (\d+)")


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file, or one profile of a file, says: values by dotted key, and the sources if it lists any."""

    origin: str
    values: Mapping[str, Value] = field(default_factory=dict)
    sources: tuple[SourceSettings, ...] = ()
    profiles: Mapping[str, "Layer"] = field(default_factory=dict)


def load_config(text: str, origin: str, *, home: Path | None = None, profile: str | None = None) -> Settings:
    """Read one file of settings. `origin` is its path, for messages and for relative paths in it.

    Raises:
        ConfigProblem: something in it cannot be used.
    """
    return settle([read_layer(text, origin, home=home)], profile=profile)


def settle(layers: Sequence[Layer], *, profile: str | None = None) -> Settings:
    """Put layers over one another, the first one on top, with the profile above all, and fill in the defaults.

    Raises:
        ProfileNotFound: no layer has the profile.
    """
    if profile is not None:
        chosen = [layer.profiles[profile] for layer in layers if profile in layer.profiles]
        if not chosen:
            known = _nearest(profile, [name for layer in layers for name in layer.profiles])
            raise ProfileNotFound(name=profile, nearest=known or NONE)
        layers = [*chosen, *layers]
    values: dict[str, Any] = {key.dotted: None if key.default is None else key.parse(key.default) for key in KEYS}
    for layer in reversed(layers):
        values.update(layer.values)
    return Settings(
        RepositorySettings(
            values["repository.path"], values["repository.passphrase-command"], values["repository.passphrase-file"]
        ),
        next((layer.sources for layer in layers if layer.sources), ()),
        KeepSettings(
            values["keep.last"],
            values["keep.daily"],
            values["keep.weekly"],
            values["keep.monthly"],
            values["keep.yearly"],
        ),
        VerifySettings(values["verify.after-snapshot"], values["verify.drill"]),
        GuardSettings(
            values["guard.max-backup-age"],
            values["guard.needs"],
            values["guard.needs-second-copy"],
            values["guard.needs-challenge"],
            values["guard.consent-from"],
            values["guard.when-unsure"],
        ),
        WatchSettings(values["watch.settle"]),
        tuple(dict.fromkeys(layer.origin for layer in layers)),
    )


def read_layer(text: str, origin: str, *, home: Path | None = None) -> Layer:
    """Read the text of one file.

    Raises:
        ConfigProblem: something in it cannot be used.
    """
    import tomllib  # noqa: PLC0415  -- most runs have no file of settings, and start sooner without

    try:
        tree = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        # `tomllib` lets through what `int` says of a number with thousands of digits, which is a ValueError too.
        at = _AT.search(str(problem))
        lines = text.count("\n") + 1
        raise ConfigNotToml(file=origin, line=int(at[1]) if at else lines, column=int(at[2]) if at else 1) from problem
    return _Reader(text, origin, home).layer(tree)


class _Reader:
    def __init__(self, text: str, origin: str, home: Path | None) -> None:
        self._text = text
        self._origin = origin
        self._home = home

    def layer(self, tree: dict[str, Any]) -> Layer:
        self._check_version(tree)
        profiles = self._table(tree.pop("profile", {}), ("profile",))
        values, sources = self._tables(tree, ())
        return Layer(
            self._origin,
            values,
            sources,
            {
                name: Layer(self._origin, *self._tables(self._table(below, ("profile", name)), ("profile", name)))
                for name, below in profiles.items()
            },
        )

    def _check_version(self, tree: dict[str, Any]) -> None:
        version = tree.pop("version", VERSION)
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise self._wrong(("version",), version, str(VERSION))
        if version > VERSION:
            raise ConfigNewerVersion(file=self._origin, line=self._line(("version",)), version=version, known=VERSION)

    def _tables(
        self, tree: Mapping[str, Any], above: tuple[str, ...]
    ) -> tuple[dict[str, Value], tuple[SourceSettings, ...]]:
        values: dict[str, Value] = {}
        sources: tuple[SourceSettings, ...] = ()
        for table, below in tree.items():
            where = (*above, table)
            if table == "source":
                sources = tuple(self._sources(below, where))
            elif table in TABLES:
                for key, value in self._keys(self._table(below, where), where, TABLES[table]):
                    values[key.dotted] = value
            else:
                known = [*TABLES, *(() if above else ("version", "profile"))]
                raise self._unknown(where, known)
        return values, sources

    def _sources(self, entries: object, where: tuple[str, ...]) -> Iterator[SourceSettings]:
        if not isinstance(entries, list):
            raise self._wrong(where, entries, "[[source]]")
        names: set[str] = set()
        for place, entry in enumerate(entries):
            here = (*where, str(place))
            found = {key.name: value for key, value in self._keys(self._table(entry, here), here, TABLES["source"])}
            for key in TABLES["source"].values():
                if key.required and key.name not in found:
                    raise ConfigMissingKey(file=self._origin, line=self._line(here), key=key.dotted)
            name, path = str(found["name"]), found["path"]
            assert isinstance(path, Path)
            if name in names:
                raise ConfigSourceTwice(file=self._origin, line=self._line((*here, "name")), name=name)
            names.add(name)
            app, package, key_file = found.get("app"), found.get("package"), found.get("chat-key-file")
            assert key_file is None or isinstance(key_file, Path)
            yield SourceSettings(
                name, path, None if app in {None, "auto"} else str(app), None if package is None else str(package), key_file
            )  # fmt: skip

    def _keys(
        self, table: Mapping[str, Any], where: tuple[str, ...], known: Mapping[str, Key]
    ) -> Iterator[tuple[Key, Any]]:
        for name, found in table.items():
            key = known.get(name)
            if key is None:
                raise self._unknown((*where, name), list(known))
            try:
                value = key.parse(found)
            except ValueError:
                raise self._wrong((*where, name), found, key.expected) from None
            yield key, self._path(str(value)) if key.kind == "path" else value

    def _path(self, text: str) -> Path:
        if self._home is not None and (text == "~" or text.startswith("~/")):
            return self._home / text[2:]
        # A relative path is meant from the file it stands in, or it would depend on where the watcher was started.
        return Path(self._origin).parent / text

    def _table(self, found: object, where: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise self._wrong(where, found, f"[{'.'.join(where)}]")
        return found

    def _unknown(self, where: tuple[str, ...], known: Sequence[str]) -> ConfigUnknownKey:
        nearest = _nearest(where[-1], known)
        return ConfigUnknownKey(file=self._origin, line=self._line(where), key=_dotted(where), nearest=nearest)

    def _wrong(self, where: tuple[str, ...], found: object, expected: str) -> ConfigWrongValue:
        shown = str(found) if isinstance(found, str | int | float) else type(found).__name__
        return ConfigWrongValue(
            file=self._origin, line=self._line(where), key=_dotted(where), found=shown[:80], expected=expected
        )

    def _line(self, where: tuple[str, ...]) -> int:
        return line_of(self._text, where)


def _dotted(where: tuple[str, ...]) -> str:
    return ".".join(part for part in where if not part.isdigit())


def _nearest(name: str, known: Sequence[str]) -> str:
    import difflib  # noqa: PLC0415  -- only needed when something is wrong

    return ", ".join(difflib.get_close_matches(name, known, n=1, cutoff=0.5) or known)
