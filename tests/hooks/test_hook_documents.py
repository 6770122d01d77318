"""The documents say what the program does: every field, every reason, every example."""

import json
import re
from pathlib import Path
from typing import Any

from schema_check import problems

from backupkit.guard.request import RequestMalformed, decode_request
from backupkit.guard.verdict import Verdict
from backupkit.i18n.en.guard_reasons import MESSAGES

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "docs" / "reference" / "hook-protocol.md").read_text("utf-8")
SCHEMAS = ROOT / "backupkit" / "hooks" / "schemas"


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{name}-1.json").read_text("utf-8"))
    return loaded


def example(name: str) -> Any:
    found = re.search(rf"```json {name}\n(.*?)```", PROTOCOL, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_examples_fit_the_schemas() -> None:
    assert problems(example("hook-request"), schema("hook-request")) == []
    assert problems(example("verdict"), schema("verdict")) == []


def test_the_example_of_a_question_is_understood() -> None:
    assert decode_request(json.dumps(example("hook-request")).encode()).store == "example store"


def test_every_field_of_the_schemas_is_described() -> None:
    named = set(re.findall(r"`([a-z_0-9]+)`", PROTOCOL))

    assert set(schema("hook-request")["properties"]) <= named
    assert set(schema("verdict")["properties"]) <= named


def test_the_reasons_in_the_document_are_those_of_the_catalogue() -> None:
    section = PROTOCOL.partition("## Reasons")[2].partition("## The ledger")[0]
    described = set(re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)*)`", section))
    known = {key.split(".")[1] for key in MESSAGES if key.startswith("reason.")}

    assert described == known


def test_the_schema_of_a_verdict_knows_exactly_its_fields() -> None:
    assert "try" in schema("verdict")["required"]
    assert list(schema("verdict")["properties"]) == schema("verdict")["required"]
    assert set(Verdict._fields) - {"suggestions", "judged", "facts"} <= set(schema("verdict")["properties"])


def test_the_schema_of_a_question_refuses_what_the_program_refuses() -> None:
    good = example("hook-request")
    for name, value in [("v", 2), ("action", "x"), ("package", "../x"), ("candidate", "x"), ("challenge", "00")]:
        wrong = {**good, name: value}
        assert problems(wrong, schema("hook-request"))
        try:
            decode_request(json.dumps(wrong).encode())
        except RequestMalformed:
            continue
        raise AssertionError(name)
