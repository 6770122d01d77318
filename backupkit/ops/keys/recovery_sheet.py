"""The recovery sheet: one page of paper that opens the chats when the passphrase is lost.

A file that prints on A4 and Letter alike, asks nothing of the network, and does not say where the repository lies: who
finds the paper must not find the backup with it.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape

from backupkit.i18n.en import sheet as english
from backupkit.i18n.zh_cn import sheet as chinese

RESTORE_COMMAND = "backupkit restore latest --to chats --repo DIR"


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """What one sheet says. The words are the same 256 bits in both languages, word for word; `fingerprint` is 16 hex digits."""

    origin: str
    words_en: tuple[str, ...] = field(repr=False)
    words_zh: tuple[str, ...] = field(repr=False)
    fingerprint: str
    created: datetime


def sheet_texts(language: str) -> Mapping[str, str]:
    """Return the sentences of the sheet: Chinese for `zh-CN`, English otherwise."""
    return chinese.MESSAGES if language == "zh-CN" else english.MESSAGES


def render_sheet(facts: SheetFacts, language: str) -> str:
    """Return the sheet as one HTML page with the words of its language.

    Beside each Chinese word stands the English one: many a printer and many a rescue system has no Chinese letters, and
    prints boxes that open nothing.
    """
    in_chinese = language == "zh-CN"
    texts = {name.removeprefix("sheet."): escape(text) for name, text in sheet_texts(language).items()}
    return _PAGE.format(
        lang="zh-CN" if in_chinese else "en",
        style=_STYLE,
        # The page's own style and nothing else: no script, no picture, no font, no request.
        style_hash=base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode(),
        title=texts["title"],
        subtitle=texts["subtitle"],
        words_title=texts["words"],
        words="\n".join(f"<li>{word}</li>" for word in (_in_both(facts) if in_chinese else _in_english(facts))),
        either=_either() if in_chinese else "",
        facts="\n".join(
            f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>"
            for name, value in (
                (texts["store"], facts.origin),
                (texts["fingerprint"], _in_fours(facts.fingerprint)),
                (texts["created"], facts.created.date().isoformat()),
            )
        ),
        steps_title=texts["steps"],
        steps="\n".join(f"<li>{texts[f'step.{step}']}</li>" for step in ("keep", "use", "guard")).format(
            command=f"<code>{escape(RESTORE_COMMAND)}</code>"
        ),
        place=texts["place"],
        place_hint=texts["place.hint"],
    )


def _in_english(facts: SheetFacts) -> list[str]:
    return [f"<span>{escape(word)}</span>" for word in facts.words_en]


def _in_both(facts: SheetFacts) -> list[str]:
    pairs = zip(facts.words_zh, facts.words_en, strict=True)
    return [f'<span>{escape(chinese_word)}</span> <b lang="en">{escape(word)}</b>' for chinese_word, word in pairs]


def _either() -> str:
    """Return a paragraph that says so in both languages: the English half is all that is left where the other prints as boxes."""
    here, in_english = (escape(texts["sheet.either"]) for texts in (chinese.MESSAGES, english.MESSAGES))
    return f'<p class="either">{here}<br><span lang="en">{in_english}</span></p>\n'


def _in_fours(digits: str) -> str:
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


_STYLE = """
@page { margin: 16mm 18mm; }
* { box-sizing: border-box; margin: 0; padding: 0; }
html { background: #e9e7e2; color: #111; font: 11pt/1.5 system-ui, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
main { max-width: 178mm; margin: 12mm auto; padding: 14mm; background: #fff; border: 1px solid #c9c5bb; }
header { display: flex; justify-content: space-between; align-items: baseline; border-bottom: 2pt solid #111; padding-bottom: 2mm; }
h1 { font-size: 22pt; line-height: 1.2; font-weight: 700; }
header p { font-size: 10pt; letter-spacing: .04em; }
.subtitle { margin: 4mm 0 7mm; font-size: 12.5pt; }
h2 { font-size: 10pt; font-weight: 600; color: #444; margin-bottom: 2mm; }
ol.words { list-style: none; counter-reset: word; display: grid; grid: repeat(6, auto) / auto-flow 1fr; border: 1pt solid #111; }
ol.words li { counter-increment: word; display: flex; align-items: baseline; padding: 2.1mm 2mm; border-bottom: .5pt solid #bbb; border-right: .5pt solid #bbb; break-inside: avoid; }
ol.words li:nth-child(6n) { border-bottom: 0; }
ol.words li:nth-child(n + 19) { border-right: 0; }
ol.words li::before { content: counter(word); width: 5mm; margin-right: 2.5mm; flex: none; text-align: right; color: #666; font-size: 9pt; font-variant-numeric: tabular-nums; }
ol.words span { font: 600 13pt/1.3 ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
:lang(zh) ol.words span { font: 600 18pt/1.25 "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
ol.words b { margin-left: auto; font: 10pt/1.25 ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.either { margin-top: 2mm; font-size: 9.5pt; line-height: 1.4; }
dl { margin: 6mm 0 7mm; }
dl div { display: flex; align-items: baseline; gap: 4mm; padding: .6mm 0; }
dt { width: 28mm; flex: none; color: #444; }
dd { font: 10.5pt/1.5 ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
ol.steps { padding-left: 6mm; margin-bottom: 8mm; }
ol.steps li { padding-left: 1mm; margin-bottom: 1.2mm; }
code { font: .95em ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: nowrap; }
.place { display: flex; align-items: flex-end; gap: 4mm; }
.place span { flex: none; }
.place i { flex: 1; border-bottom: .75pt solid #111; height: 11mm; }
.hint { font-size: 9pt; color: #444; margin-top: 1mm; }
@media (max-width: 150mm) {
  main { margin: 0; padding: 6mm; border: 0; }
  ol.words { grid: repeat(12, auto) / auto-flow 1fr; }
  ol.words li:nth-child(6n) { border-bottom: .5pt solid #bbb; }
  ol.words li:nth-child(12n) { border-bottom: 0; }
  ol.words li:nth-child(n + 13) { border-right: 0; }
  code { white-space: normal; }
}
@media print {
  html { background: none; }
  main { max-width: none; margin: 0; padding: 0; border: 0; }
}
"""

# Translating the page would send the words to a translator, so browsers are asked not to offer it.
_PAGE = """<!DOCTYPE html>
<html lang="{lang}" translate="no">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{style_hash}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="google" content="notranslate">
<meta name="robots" content="noindex">
<meta name="referrer" content="no-referrer">
<title>{title} · backupkit</title>
<style>{style}</style>
</head>
<body>
<main>
<header><h1>{title}</h1><p>backupkit</p></header>
<p class="subtitle">{subtitle}</p>
<h2>{words_title}</h2>
<ol class="words">
{words}
</ol>
{either}<dl>
{facts}
</dl>
<h2>{steps_title}</h2>
<ol class="steps">
{steps}
</ol>
<p class="place"><span>{place}</span><i></i></p>
<p class="hint">{place_hint}</p>
</main>
</body>
</html>
"""
