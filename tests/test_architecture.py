"""The arrows of the house, as data. `A -> B` reads "A may import B"."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import backupkit

HOUSE = Path(backupkit.__file__).parent
LEAVES = {"errors", "ids", "clock", "home", "text"}

ALLOWED: dict[str, set[str]] = {
    "leaf": set(),
    "codec": {"leaf"},
    "crypto": {"leaf", "codec"},
    "capture": {"leaf", "codec"},
    "store": {"leaf", "codec", "crypto", "capture"},
    "proof": {"leaf", "codec", "crypto"},
    "chats": {"leaf", "codec"},
    "guard": {"leaf", "codec", "crypto", "proof"},
    "config": {"leaf"},
    "i18n": {"leaf"},
    "ops": {"leaf", "codec", "crypto", "capture", "store", "proof", "chats", "guard", "config", "i18n"},
    "ui": {"leaf", "i18n", "ops.events"},
    "watcher": {"leaf", "ops", "ops.events", "config", "ui"},
    "hooks": {"leaf", "codec", "crypto", "proof", "guard", "config"},
    "cli": {
        "leaf", "codec", "crypto", "capture", "store", "proof", "chats", "guard",
        "config", "i18n", "ops", "ops.events", "ui", "watcher",
    },
}  # fmt: skip

REASONS: dict[tuple[str, str], str] = {
    ("proof", "store"): "proofs work on digests, so that others can check them without a repository",
    ("chats", "store"): "a reader turns files into messages and must work on any folder",
    ("guard", "store"): "a verdict must not need a repository or a passphrase",
    ("guard", "chats"): "a verdict takes the loss in numbers; it never reads messages",
    ("hooks", "ops"): "the hook must start fast and needs no passphrase and no repository",
    ("hooks", "store"): "the hook must start fast and needs no passphrase and no repository",
    ("ui", "ops"): "printers know events, not use cases: import backupkit.ops.events only",
    ("cli", "hooks"): "the fast program stands alone",
}

# The rooms of the large layers, from the ground up: each may import those before it, and the files that lie in the layer itself.
ROOMS = {
    "ops": [
        "memory", "repository", "keys", "chats", "restoring", "exporting", "searching", "looking",
        "checking", "saving", "mending", "keeping", "guarding",
    ],
    "chats": [
        "carve", "texts", "records", "archives", "databases", "backups", "sources", "reading", "readers",
        "counting", "history", "losing", "search", "export",
    ],
    "store": ["backends", "objects", "packs", "parity", "domains", "trees", "upkeep"],
}  # fmt: skip

FORBIDDEN_NAMES = {"helpers", "utils", "util", "common", "misc", "manager"}
HEAVY_FOR_HOOKS = {"typer", "click", "rich", "watchdog", "zstandard", "pyfastcdc", "mnemonic"}


def modules() -> Iterator[Path]:
    yield from sorted(HOUSE.rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] != "backupkit" or len(parts) == 1:
        return None
    if parts[1] == "__main__":
        return "cli"
    if parts[1] in LEAVES:
        return "leaf"
    return "ops.events" if parts[1:3] == ["ops", "events"] else parts[1]


def room_in(layer: str, module: str) -> str | None:
    """Return the room of a layer that a module is in; "" for the files that all of them may use; None outside the layer."""
    parts = module.split(".")
    if parts[:2] != ["backupkit", layer]:
        return None
    return parts[2] if len(parts) > 3 or (HOUSE / layer / parts[-1]).is_dir() else ""


@cache
def known_modules() -> frozenset[str]:
    return frozenset(dotted(module) for module in modules())


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports_of(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """Every backupkit module that a file imports, `from package import module` resolved to the module."""
    tree, known = parsed(path), known_modules()
    nodes = _run_at_import(tree) if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


def _run_at_import(tree: ast.Module) -> Iterator[ast.AST]:
    for node in tree.body:
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            yield node


def test_imports_follow_the_arrows_of_the_house() -> None:
    strays = []
    for path in modules():
        own = layer_of(dotted(path))
        if own is None:
            continue
        home = "ops" if own == "ops.events" else own
        for imported in imports_of(path):
            layer = layer_of(imported)
            if layer is None or layer == own or (home == "ops" and layer == "ops.events"):
                continue
            if layer not in ALLOWED[home]:
                reason = REASONS.get((home, layer), f"{home} may import {sorted(ALLOWED[home])}")
                strays.append(f"{path.relative_to(HOUSE)} imports {imported}: {reason}")

    assert not strays, "\n".join(strays)


@pytest.mark.parametrize("layer", sorted(ROOMS))
def test_the_rooms_of_a_layer_stand_on_each_other_in_one_order(layer: str) -> None:
    rooms = ROOMS[layer]
    strays = []
    for path in modules():
        own = room_in(layer, dotted(path))
        if own is None:
            continue
        above = rooms[rooms.index(own) + 1 :] if own else rooms
        strays += [
            f"{path.relative_to(HOUSE)} imports {one}" for one in imports_of(path) if room_in(layer, one) in above
        ]

    assert not strays, "\n".join(strays)


def test_every_folder_is_a_room_of_the_house() -> None:
    rooms = {path.name for path in HOUSE.iterdir() if path.is_dir() and path.name != "__pycache__"}

    assert rooms == set(ALLOWED) - {"leaf"}


def test_no_command_stands_on_another() -> None:
    """What two commands share lies in `cli/`, where a third finds it."""
    strays = [
        f"{path.relative_to(HOUSE)} imports {imported}"
        for path in modules()
        if path.parent.name == "commands"
        for imported in imports_of(path)
        if imported.startswith("backupkit.cli.commands.")
    ]

    assert not strays, "\n".join(strays)


def test_no_import_goes_round_in_a_circle() -> None:
    graph = {
        dotted(path): {name for name in imports_of(path, top_level_only=True) if name.startswith("backupkit.")}
        for path in modules()
    }
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> None:
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module in done:
            return
        for imported in sorted(graph.get(module, ())):
            if imported != module:
                visit(imported, [*trail, module])
        done.add(module)

    for module in graph:
        visit(module, [])


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [path for path in modules() if path.stem in FORBIDDEN_NAMES]


def test_no_two_test_files_have_one_name() -> None:
    """pytest would collect one of them and refuse the other, only where both are asked for at once."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))

    assert [name for name, count in names.items() if count > 1] == []


def test_nothing_heavy_is_reachable_from_the_hook_by_import() -> None:
    reached: set[str] = set()
    queue = [dotted(path) for path in (HOUSE / "hooks").rglob("*.py")]
    by_name = {dotted(path): path for path in modules()}
    heavy = []
    while queue:
        module = queue.pop()
        if module in reached or module not in by_name:
            continue
        reached.add(module)
        for imported in imports_of(by_name[module]):
            if imported.split(".")[0] in HEAVY_FOR_HOOKS:
                heavy.append(f"{module} imports {imported}")
            queue.append(imported)

    assert not heavy


def test_only_the_edges_read_environment_arguments_and_terminal() -> None:
    strays = []
    for path in modules():
        if layer_of(dotted(path)) in {"cli", "hooks"}:
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                name = f"{node.value.id}.{node.attr}"
                if name in {"os.environ", "os.getenv", "sys.argv", "sys.stdin", "locale.getlocale"}:
                    strays.append(f"{path.relative_to(HOUSE)}:{node.lineno}: {name}")

    assert not strays, "\n".join(strays)
