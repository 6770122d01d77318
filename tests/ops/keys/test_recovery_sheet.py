import base64
import hashlib
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from backupkit.crypto.recovery import RecoveryCode
from backupkit.ops.keys.recovery_sheet import SheetFacts, render_sheet, sheet_texts

CODE = RecoveryCode(bytes(range(32)))
FACTS = SheetFacts(
    origin="backupkit.local/store/aaaqeayeaudaocajbifqydiob4",
    words_en=tuple(CODE.words("en")),
    words_zh=tuple(CODE.words("zh-CN")),
    fingerprint=CODE.fingerprint,
    created=datetime(2018, 6, 1, 8, 30, tzinfo=UTC),
)
LANGUAGES = ["en", "zh-CN"]


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] != "style" and data.strip():
            self.texts.append(data.strip())

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_stand_on_the_sheet_in_order_and_open_what_they_should(language: str) -> None:
    page = Page(render_sheet(FACTS, language))
    words = FACTS.words_en if language == "en" else FACTS.words_zh
    first = page.texts.index(words[0])
    listed = page.texts[first : first + (24 if language == "en" else 48)]

    assert tuple(listed[:: len(listed) // 24]) == words
    assert RecoveryCode.from_words(" ".join(listed)) == CODE
    assert page.attributes("html") == [{"lang": language, "translate": "no"}]


def test_a_chinese_sheet_printed_where_no_chinese_letters_are_still_opens_the_chats() -> None:
    printed = [re.sub(r"[^\x00-\x7f]+", "▯", text) for text in Page(render_sheet(FACTS, "zh-CN")).texts]
    words = [text for text in printed if text in FACTS.words_en]

    assert RecoveryCode.from_words(" ".join(words)) == CODE
    in_english = printed.index(sheet_texts("en")["sheet.either"])
    assert "backupkit restore latest --to chats --repo DIR" in printed[in_english:]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sheet_names_the_store_the_code_and_the_day(language: str) -> None:
    texts = Page(render_sheet(FACTS, language)).texts

    spaced = " ".join(re.findall("....", CODE.fingerprint))
    assert {FACTS.origin, spaced, "2018-06-01"} <= set(texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sheet_asks_nothing_of_the_network(language: str) -> None:
    html = render_sheet(FACTS, language)
    page = Page(html)

    assert {tag for tag, _ in page.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "p", "ol", "li"),
        *("span", "b", "br", "dl", "div", "dt", "dd", "code", "i"),
    }
    assert not {"src", "href", "style", "onload"} & {name for _, attributes in page.tags for name in attributes}
    assert "url(" not in html
    assert "@import" not in html
    assert "http:" not in html
    assert "https:" not in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_policy_of_the_page_allows_its_own_style_and_nothing_else(language: str) -> None:
    html = render_sheet(FACTS, language)
    style = html.split("<style>")[1].split("</style>")[0]

    policies = [a["content"] for a in Page(html).attributes("meta") if a.get("http-equiv")]

    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_facts_are_shown_and_not_obeyed(language: str) -> None:
    hostile = "<script>alert('x')</script>&amp;{lang}\"'"
    facts = SheetFacts(hostile, (hostile,) * 24, (hostile,) * 24, hostile, FACTS.created)

    page = Page(render_sheet(facts, language))

    assert not page.attributes("script")
    assert page.texts.count(hostile) == (25 if language == "en" else 49)


def test_both_languages_have_the_same_sentences() -> None:
    assert sheet_texts("en").keys() == sheet_texts("zh-CN").keys()
    assert sheet_texts("en") is not sheet_texts("zh-CN")


def test_another_language_gets_the_english_sheet() -> None:
    assert render_sheet(FACTS, "fr") == render_sheet(FACTS, "en")


def test_the_facts_do_not_print_the_words() -> None:
    assert FACTS.words_en[1] not in repr(FACTS)
    assert FACTS.words_zh[1] not in repr(FACTS)
