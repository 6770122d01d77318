"""The JSON Schema of `config.toml`, for editors. Made from the table of keys."""

from backupkit.config.keys import KEYS, TABLES, VERSION, Key

SCHEMA_ID = "https://backupkit.local/schemas/config-1.json"


def config_schema() -> dict[str, object]:
    """Return the schema as JSON values."""
    tables: dict[str, object] = {
        table: {"$ref": f"#/$defs/{table}"} if table != "source" else {"type": "array", "items": {"$ref": "#/$defs/source"}}
        for table in TABLES
    }  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "version": {"const": VERSION},
            **tables,
            "profile": {
                "type": "object",
                "additionalProperties": {"type": "object", "additionalProperties": False, "properties": tables},
            },
        },
        "$defs": {table: _table(list(keys.values())) for table, keys in TABLES.items()},
    }


def _table(keys: list[Key]) -> dict[str, object]:
    table: dict[str, object] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: _value(key) for key in keys},
    }
    required = [key.name for key in keys if key.required]
    return {**table, "required": required} if required else table


def _value(key: Key) -> dict[str, object]:
    kinds = {"count": "integer", "flag": "boolean"}
    value: dict[str, object] = {"type": kinds.get(key.kind, "string")}
    if key.kind == "count":
        value["minimum"] = 0
    elif key.choices:
        value["enum"] = list(key.choices)
    elif key.kind == "span":
        value["pattern"] = "^[1-9][0-9]{0,5}[smhdw]$"
    elif key.kind == "text":
        value["pattern"] = f"^{key.pattern}$"
    if key.default is not None:
        value["default"] = key.default
    return value


def template() -> str:
    """Return a file of settings to start from: every key with an example, commented out."""
    lines = [f"#:schema {SCHEMA_ID}", f"version = {VERSION}"]
    for table in TABLES:
        heading = f"[[{table}]]" if table == "source" else f"[{table}]"
        lines += ["", f"# {heading}"]
        lines += [f"# {key.name} = {key.example}" for key in KEYS if key.table == table]
    return "\n".join(lines) + "\n"
