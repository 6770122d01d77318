"""Links in the documents lead somewhere, and both languages have the same pages with the same parts."""

import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

import backupkit

ROOT = Path(backupkit.__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(p for p in (*ROOT.glob("*.md"), *DOCS.rglob("*.md")) if p.is_file())
# Pages for those who change the code. What a user must know of them is said in the pages that have a twin.
ENGLISH_ONLY = {
    "explanation/capture.md": "how bytes are copied out of live databases, with file offsets",
}
TWINNED = [
    page
    for folder in ("tutorial", "how-to", "reference", "explanation")
    for page in sorted((DOCS / folder).glob("*.md"))
    if not page.name.endswith(".zh-CN.md") and page.relative_to(DOCS).as_posix() not in ENGLISH_ONLY
]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_page_and_its_part(page: Path) -> None:
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, part = unquote(link).partition("#")
        target = (page.parent / file) if file else page
        if not target.exists() or (part and target.suffix == ".md" and part not in anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", TWINNED, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_a_page_and_its_twin_have_the_same_parts(page: Path) -> None:
    twin = page.with_name(page.name.removesuffix(".md") + ".zh-CN.md")
    assert twin.exists()

    texts = [one.read_text("utf-8") for one in (page, twin)]

    assert len(FENCE.findall(texts[0])) == len(FENCE.findall(texts[1]))
    levels = [re.findall(r"^(#+) ", FENCE.sub("", text), re.MULTILINE) for text in texts]
    assert levels[0] == levels[1]


def test_no_twin_is_without_its_page_and_no_exception_is_out_of_date() -> None:
    twins = [page for page in DOCS.rglob("*.zh-CN.md") if page.is_file()]

    assert [t for t in twins if not t.with_name(t.name.replace(".zh-CN.md", ".md")).exists()] == []
    assert [name for name in ENGLISH_ONLY if not (DOCS / name).exists()] == []
    assert [name for name in ENGLISH_ONLY if (DOCS / name.replace(".md", ".zh-CN.md")).exists()] == []


@pytest.mark.parametrize("index", ["README.md", "README.zh-CN.md"])
def test_the_index_names_every_page(index: str) -> None:
    ending = index.removeprefix("README")
    named = {(DOCS / link).resolve() for link in LINK.findall((DOCS / index).read_text("utf-8"))}
    pages = (*(one.with_name(one.stem + ending) for one in TWINNED), *(DOCS / "format").glob("*.md"))

    assert [one.name for one in pages if one.resolve() not in named] == []


def test_every_decision_has_a_number_of_its_own_and_a_date() -> None:
    decisions = sorted((DOCS / "adr").glob("*.md"))

    numbers = [one.name[:4] for one in decisions]
    assert [one for one in numbers if not one.isdecimal() or numbers.count(one) > 1] == []
    heads = {one.name: one.read_text("utf-8").split("\n")[:3] for one in decisions}
    assert [name for name, head in heads.items() if not head[0].startswith(f"# {name[:4]}: ")] == []
    assert [name for name, head in heads.items() if not re.match(r"Status: .*\d{4}-\d{2}-\d{2}", head[2])] == []


@pytest.mark.parametrize("page", ["dependencies.md", "dependencies.zh-CN.md"])
def test_every_dependency_has_its_reason_and_its_version(page: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = (project["dependencies"], *project["optional-dependencies"].values())
    names = sorted({re.split(r"[\[<>=]", one)[0] for group in groups for one in group})
    reasons = (DOCS / "explanation" / page).read_text("utf-8")
    versions = (ROOT / "scripts/constraints.txt").read_text("utf-8")

    assert [one for one in names if one.removeprefix("pytest-") not in reasons] == []
    assert [one for one in names if not re.search(rf"(?m)^{re.escape(one)}==", versions)] == []
