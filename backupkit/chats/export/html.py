"""Conversations as pages that any browser reads, today and in twenty years, without a server and without a network.

A conversation is cut into pages of some hundred messages, so that a chat of ten years opens as fast as one of a day. Every
page stands alone: its style and its few lines of script lie in it, and its content policy lets nothing else run and
nothing be fetched from anywhere. What other people wrote is text and never markup.
"""

import html
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache, lru_cache
from hashlib import sha256
from importlib import resources
from itertools import groupby

from backupkit.chats.export.marks import marks_of
from backupkit.chats.export.moments import Say, clock_time, day_in_words, local_time
from backupkit.chats.export.record import (
    ConversationRecord,
    MediaRecord,
    MessageRecord,
    is_own,
    owners_of,
    sender_of,
    title_of,
)
from backupkit.chats.export.shown import (
    FILMS,
    IMAGES,
    SOUNDS,
    as_html,
    as_html_with_links,
    ending_of,
    language_of,
    shown,
    shown_line,
)

PAGE_MESSAGES = 500
_NO_DAY = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The message that another one answers, where it is in the export."""

    number: int
    message: MessageRecord


@dataclass(frozen=True, slots=True)
class PageDays:
    """The first and the last day on a page; empty where it has none."""

    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Pages:
    """Writes the pages of one export in one language. `zone` None is this computer's own."""

    say: Say
    language: str
    zone: tzinfo | None = None

    def day_of(self, message: MessageRecord) -> str:
        """Return the day of a message as `2024-03-04`, empty where it has none."""
        moment = local_time(message, self.zone)
        return "" if moment is None else moment.date().isoformat()

    def message_page(
        self,
        conversation: ConversationRecord,
        messages: Iterable[MessageRecord],
        *,
        number: int,
        days: Sequence[PageDays],
        answered: Callable[[str], Answered | None],
    ) -> str:
        """Write one page of a conversation, the `number`th from 1, of as many as there are `days`."""
        say = self.say
        title = shown_line(title_of(conversation))
        starts = {"days": [one.first for one in days], "ends": [one.last for one in days], "here": number - 1}
        links = self._page_links(number, len(days))
        body = [
            f'<a class="skip" href="#messages">{self._word("export.skip")}</a>',
            '<header class="top"><div class="wide">',
            f'<h1 dir="auto">{html.escape(title)}</h1>',
            f'<a href="../../index.html">{self._word("export.all-chats")}</a>',
            f'<a href="dates.html">{self._word("export.dates")}</a>',
            f'<a href="search.html" id="search">{self._word("export.search")}</a>',
            f'<label id="tools" class="tools" hidden><span class="word">{self._word("export.go-to")}</span>',
            f'<input type="date" id="date" aria-label="{self._word("export.go-to")}"></label>',
            "</div></header>",
            '<div class="wide">',
            f'<p class="about">{self._about(conversation)}</p>',
            links,
            f'<main id="messages" aria-label="{self._word("export.messages")}">',
            *self._days(conversation, messages, answered),
            "</main>",
            links,
            "</div>",
            _data("starts", starts),
            _script("page.js"),
        ]
        place = say("export.page-of", page=number, pages=len(days))
        return self._document(f"{title} · {place}", body, "page.js")

    def index_page(
        self,
        conversations: Sequence[tuple[ConversationRecord, str]],
        *,
        created: datetime,
        snapshot: str,
        notes: Sequence[str] = (),
    ) -> str:
        """Write the list of conversations, each with the name of its first page."""
        rows = []
        titles = Counter(title_of(conversation) for conversation, _ in conversations)
        for conversation, page in conversations:
            title = html.escape(shown_line(title_of(conversation)))
            # Two chats with one title, as of two phones, are told apart by where they were saved from.
            source = conversation["source"] if titles[title_of(conversation)] > 1 else ""
            parts = [self._app(conversation), source or "", self._span(conversation)]
            what = " · ".join(shown_line(part) for part in parts if part)
            count = self.say("export.count", messages=conversation["messages"])
            rows.append(
                f'<li><a class="row" href="{page}"><strong dir="auto">{title}</strong>'
                f'<span class="num">{html.escape(count)}</span><small>{html.escape(what)}</small></a></li>'
            )
        total = sum(conversation["messages"] for conversation, _ in conversations)
        heading = self.say("export.heading")
        about = self.say(
            "export.about", conversations=len(conversations), messages=total, created=f"{created:%Y-%m-%d}", id=snapshot
        )
        body = [
            f'<header class="top"><div class="wide"><h1>{html.escape(heading)}</h1></div></header>',
            f'<main class="wide"><p class="about">{html.escape(about)}</p>',
            *(f'<p class="gone">{html.escape(shown(note))}</p>' for note in notes),
            f'<ol class="list">{"".join(rows)}</ol></main>',
        ]
        return self._document(heading, body)

    def _app(self, conversation: ConversationRecord) -> str:
        """Return what people call the app; where that is not known, the name of the format."""
        key = f"app.{conversation['app']}"
        named = self.say(key)
        return named if named != key else conversation["app"] or conversation["format"]

    def dates_page(self, conversation: ConversationRecord, days: Sequence[tuple[str, int, int]]) -> str:
        """Write every day that has messages, with how many and the page on which it begins."""
        title = shown_line(title_of(conversation))
        body = [
            self._small_top(conversation),
            f'<main class="wide"><p class="about">{self._about(conversation)}</p>',
        ]
        for year, of_year in groupby(days, key=lambda day: day[0][:4]):
            body.append(f"<h2>{html.escape(self.say('export.year', year=int(year)))}</h2>")
            for month, of_month in groupby(of_year, key=lambda day: day[0][5:7]):
                body.append(f"<h3>{html.escape(self.say(f'export.month.{int(month)}'))}</h3>")
                links = [self._day_link(*day) for day in of_month]
                body.append(f'<div class="days">{"".join(links)}</div>')
        body.append("</main>")
        return self._document(f"{title} · {self.say('export.dates')}", body)

    def search_page(self, conversation: ConversationRecord, messages: Iterable[MessageRecord]) -> Iterator[str]:
        """Write the page that searches a whole conversation, in pieces: it holds every word of it once."""
        title = shown_line(title_of(conversation))
        people: dict[str, int] = {}
        yield self._head(f"{title} · {self.say('export.search')}", "search.js")
        yield "\n".join(
            [
                self._small_top(conversation),
                '<main class="wide">',
                f"<noscript><p>{self._word('export.needs-script')}</p></noscript>",
                '<form class="find" id="find" role="search" hidden>',
                f'<label class="hidden" for="q">{self._word("export.search")}</label>',
                f'<input type="search" id="q" placeholder="{self._word("export.search-for")}" autocomplete="off">',
                f'<label>{self._word("export.who")} <select id="who"><option value="">{self._word("export.anybody")}</option></select></label>',
                f'<label>{self._word("export.from")} <input type="date" id="from"></label>',
                f'<label>{self._word("export.until")} <input type="date" id="until"></label>',
                '</form><p class="about" id="told" role="status" aria-live="polite"></p>',
                f'<ol id="hits" aria-label="{self._word("export.messages")}"></ol>',
                f'<p><button type="button" id="more" hidden>{self._word("export.more")}</button></p></main>',
                '<script type="application/json" id="data">{"messages":[',
            ]
        )
        comma = ""
        for message in messages:
            moment = local_time(message, self.zone)
            person = people.setdefault(shown_line(sender_of(message), 80), len(people))
            row = [self._searched_text(message), person, self.day_of(message), clock_time(message, moment)]
            yield comma + _json(row)
            comma = ",\n"
        words = {"found": self.say("export.found", count=0)}
        yield f'],"people":{_json(list(people))},"size":{PAGE_MESSAGES},"words":{_json(words)}}}</script>\n'
        yield _script("search.js") + "</body></html>\n"

    def _searched_text(self, message: MessageRecord) -> str:
        names = [shown_line(media["name"].rpartition("/")[2]) for media in message["media"]]
        return "\n".join(filter(None, [shown(message["text"]), *names]))

    def _days(
        self,
        conversation: ConversationRecord,
        messages: Iterable[MessageRecord],
        answered: Callable[[str], Answered | None],
    ) -> Iterator[str]:
        owners = owners_of(conversation)
        last = _NO_DAY

        def day(message: MessageRecord) -> str:
            # A message without a time stands where the export has it, below the day before it.
            nonlocal last
            last = self.day_of(message) or last
            return last

        for key, of_day in groupby(messages, key=day):
            if key:
                name = html.escape(day_in_words(key, self.say))
                yield f'<section class="day" aria-labelledby="d{key}"><h2 id="d{key}" tabindex="-1"><span>{name}</span></h2><ol>'
            else:
                yield f'<section class="day" aria-label="{self._word("export.no-date")}"><ol>'
            before = None
            for message in of_day:
                who = sender_of(message)
                yield self._message(message, owners, named=who != before, answered=answered)
                before = who
            yield "</ol></section>"

    def _message(
        self,
        message: MessageRecord,
        owners: frozenset[str],
        *,
        named: bool,
        answered: Callable[[str], Answered | None],
    ) -> str:
        own = is_own(message, owners)
        is_system = message["direction"] == "system"
        side = "sys" if is_system else "out" if own else "in"
        who = html.escape(shown_line(sender_of(message), 80))
        pieces = [f'<li class="m {side}" id="m{message["number"]}">']
        if own and not is_system:
            pieces.append(f'<p class="who hidden">{who or self._word("export.you")}</p>')
        elif who and not is_system:
            hidden = "" if named else " hidden"
            pieces.append(f'<p class="who{hidden}" dir="auto">{who}</p>')
        pieces.append('<div class="b">')
        pieces += self._above(message, answered)
        pieces += [self._media(media) for media in message["media"]]
        if text := self._text(message):
            pieces.append(text)
        pieces += self._below(message)
        pieces.append(f"</div>{self._at(message)}</li>")
        return "".join(pieces)

    def _above(self, message: MessageRecord, answered: Callable[[str], Answered | None]) -> Iterator[str]:
        if message["forward_of"]:
            source = html.escape(shown_line(message["forward_of"], 80))
            yield f'<span class="re">{self._word("export.forwarded")} <bdi>{source}</bdi></span>'
        if message["reply_to"] is None:
            return
        found = answered(message["reply_to"])
        if found is None:
            yield f'<span class="re">{self._word("export.answers-unknown")}</span>'
            return
        said = shown_line(found.message["text"] or " ".join(one["name"] for one in found.message["media"]), 120)
        page = (found.number - 1) // PAGE_MESSAGES + 1
        who = shown_line(sender_of(found.message), 60)
        yield (
            f'<a class="re" href="{page_name(page)}#m{found.number}"><span class="hidden">{self._word("export.answers")} '
            f"</span><strong><bdi>{html.escape(who)}</bdi></strong> <bdi>{html.escape(said)}</bdi></a>"
        )

    def _text(self, message: MessageRecord) -> str:
        text = message["text"]
        if not text:
            if message["media"]:
                return ""
            pieces = [
                sender_of(message) if message["direction"] == "system" else "",
                self.say(f"export.kind.{message['kind']}"),
                message["native_kind"],
            ]
            return f'<p class="t"><i>{html.escape(" · ".join(shown_line(one, 80) for one in pieces if one))}</i></p>'
        language = language_of(text)
        tag = f' lang="{language}"' if language and not self.language.startswith(language) else ""
        return f'<p class="t" dir="auto"{tag}>{as_html_with_links(text)}</p>'

    def _below(self, message: MessageRecord) -> Iterator[str]:
        earlier = [edit["text"] for edit in message["edits"] if edit["text"]]
        if earlier:
            texts = "".join(f'<p class="t" dir="auto">{as_html(str(text))}</p>' for text in earlier)
            yield f"<details><summary>{self._word('export.earlier')}</summary>{texts}</details>"
        if message["reactions"]:
            items = []
            for reaction in message["reactions"]:
                count = f" {reaction['count']}" if reaction["count"] != 1 else ""
                sender = (
                    f" <bdi>{html.escape(shown_line(str(reaction['sender']), 60))}</bdi>" if reaction["sender"] else ""
                )
                items.append(f"<li>{html.escape(shown_line(str(reaction['symbol']), 20))}{count}{sender}</li>")
            yield f'<ul class="r" aria-label="{self._word("export.reactions")}">{"".join(items)}</ul>'

    def _at(self, message: MessageRecord) -> str:
        moment = local_time(message, self.zone)
        marks = list(map(html.escape, marks_of(message, self.say)))
        clock = clock_time(message, moment)
        stamp = ""
        if clock and moment is not None:
            whole = html.escape(message["time"] or "")
            stamp = f'<a href="#m{message["number"]}"><time datetime="{whole}" title="{moment.isoformat(" ", "seconds")[:19]}">{clock}</time></a>'
        inside = " · ".join([stamp, *marks] if stamp else marks)
        return f'<p class="at">{inside}</p>' if inside else ""

    def _media(self, media: MediaRecord) -> str:
        name = html.escape(shown_line(media["name"].rpartition("/")[2], 120))
        kind = self._word(f"export.kind.{media['role']}")
        if media["file"] is None:
            why = self._word(
                f"export.media.{media['state']}" if media["state"] != "present" else "export.media.left-out"
            )
            return f'<div class="gone">{kind}: {why}<small><bdi>{name}</bdi></small></div>'
        path = html.escape(f"../../{media['file']}")
        ending = ending_of(media["file"])
        if ending in IMAGES:
            shown_as = f'<a href="{path}"><img src="{path}" alt="{kind}: {name}" loading="lazy" decoding="async"></a>'
        elif ending in SOUNDS:
            shown_as = f'<audio controls preload="none" src="{path}" aria-label="{kind}: {name}"></audio>'
        elif ending in FILMS:
            shown_as = f'<video controls preload="none" src="{path}" aria-label="{kind}: {name}"></video>'
        else:
            shown_as = f'<a href="{path}" download>{kind}: <bdi>{name}</bdi></a>'
        return f'<div class="f">{shown_as}</div>'

    def _day_link(self, day: str, count: int, page: int) -> str:
        label = html.escape(f"{day_in_words(day, self.say)}: {self.say('export.count', messages=count)}")
        return f'<a href="{page_name(page)}#d{day}" aria-label="{label}">{int(day[8:])}<small>{count}</small></a>'

    def _about(self, conversation: ConversationRecord) -> str:
        pieces = [self.say("export.count", messages=conversation["messages"]), self._span(conversation)]
        pieces.append(self.say(f"export.conversation.{conversation['kind']}"))
        return html.escape(" · ".join(filter(None, pieces)))

    def _span(self, conversation: ConversationRecord) -> str:
        if conversation["oldest"] is None or conversation["newest"] is None:
            return ""
        return self.say("export.span", oldest=conversation["oldest"][:10], newest=conversation["newest"][:10])

    def _small_top(self, conversation: ConversationRecord) -> str:
        title = html.escape(shown_line(title_of(conversation)))
        return (
            f'<header class="top"><div class="wide"><h1 dir="auto">{title}</h1><a href="0001.html">{self._word("export.back")}</a>'
            f'<a href="../../index.html">{self._word("export.all-chats")}</a></div></header>'
        )

    def _page_links(self, number: int, count: int) -> str:
        if count < 2:
            return ""
        links = []
        for rel, target, key in (
            ("first", 1, "export.first"),
            ("prev", number - 1, "export.earlier-page"),
            ("", 0, ""),
            ("next", number + 1, "export.later-page"),
            ("last", count, "export.last"),
        ):
            if not rel:
                links.append(
                    f'<span class="here">{html.escape(self.say("export.page-of", page=number, pages=count))}</span>'
                )
            elif 1 <= target <= count and target != number:
                links.append(f'<a rel="{rel}" href="{page_name(target)}">{self._word(key)}</a>')
            else:
                links.append(f'<span aria-hidden="true">{self._word(key)}</span>')
        return f'<nav class="pages" aria-label="{self._word("export.pages")}">{"".join(links)}</nav>'

    def _word(self, key: str) -> str:
        return _escaped(self.say, key)

    def _document(self, title: str, body: Iterable[str], script: str | None = None) -> str:
        return "\n".join([self._head(title, script), *body, "</body></html>\n"])

    def _head(self, title: str, script: str | None = None) -> str:
        return (
            f'<!doctype html>\n<html lang="{html.escape(self.language)}"><head><meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">\n'
            '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{html.escape(title)}</title>\n<style>{_asset('page.css')}</style></head>\n<body>"
        )


def page_name(number: int) -> str:
    """Return the file name of a conversation's page."""
    return f"{number:04d}.html"


@lru_cache(maxsize=512)
def _escaped(say: Say, key: str) -> str:
    return html.escape(say(key))


@cache
def _asset(name: str) -> str:
    return resources.files("backupkit.chats.export").joinpath(name).read_text("utf-8")


@cache
def _policy(script: str | None) -> str:
    """Return the content policy: this one style, this one script, files that lie beside the page, and nothing else."""
    allowed = f"; script-src {_hash(script)}" if script else ""
    return (
        f"default-src 'none'; style-src {_hash('page.css')}{allowed}; img-src 'self' file:; media-src 'self' file:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(name: str) -> str:
    return f"'sha256-{b64encode(sha256(_asset(name).encode()).digest()).decode()}'"


def _script(name: str) -> str:
    return f"<script>{_asset(name)}</script>"


def _data(name: str, value: object) -> str:
    return f'<script type="application/json" id="{name}">{_json(value)}</script>'


def _json(value: object) -> str:
    # `<` is all that could end the element, whatever a text holds.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
