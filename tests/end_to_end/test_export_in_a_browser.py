"""Exported pages in a real Chromium: what other people wrote runs nothing, and nothing is fetched from anywhere."""

import http.server
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import hostile_chat
import pytest
from computer import Computer


class Listener(http.server.ThreadingHTTPServer):
    """A server that remembers whatever it is asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Remembering)
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Remembering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Listener)
        self.server.asked.append(self.path)
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class calls it so
        """Say nothing."""


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with Listener() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, listener: Listener) -> Path:
    computer = Computer(tmp_path_factory.mktemp("home"))
    computer.initialise()
    hostile_chat.write_hostile_chat(computer.home / "chat", listener.address)
    computer.run("snapshot", "chat")
    computer.run("export", "latest", "--to", "out")
    return computer.home / "out"


@pytest.fixture(scope="module")
def chromium(system_tool: Callable[[str], str]) -> str:
    return system_tool("chromium")


def seen_in_browser(chromium: str, page: str, profile: Path) -> str:
    """Open a page and return what became of it."""
    switches = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --virtual-time-budget=5000 --dump-dom"
    )
    done = subprocess.run(
        [chromium, *switches.split(), f"--user-data-dir={profile}", page],
        capture_output=True, timeout=180, check=True,
    )  # fmt: skip
    return done.stdout.decode("utf-8")


def test_hostile_messages_run_nothing_and_fetch_nothing(
    chromium: str, pages: Path, listener: Listener, tmp_path: Path
) -> None:
    page = seen_in_browser(chromium, f"file://{pages}/chats/c0001/0001.html", tmp_path)

    assert "data-ran" not in page.partition(">")[2].partition("<head")[0] + page[:200]
    assert len(re.findall(r'<li class="m ', page)) == len(hostile_chat.hostile_texts("x")) * 2 + 8
    # The page's own script did run: it shows the way to a date.
    assert re.search(r'<label id="tools"[^>]*hidden', page) is None
    assert listener.asked == []


def test_searching_hostile_messages_runs_nothing_either(
    chromium: str, pages: Path, listener: Listener, tmp_path: Path
) -> None:
    page = seen_in_browser(chromium, f"file://{pages}/chats/c0001/search.html#q=script", tmp_path)

    assert "data-ran" not in page[:200]
    assert page.count("<mark>") > 4
    assert listener.asked == []


def test_a_button_that_has_nothing_to_do_yet_is_not_seen(chromium: str, pages: Path, tmp_path: Path) -> None:
    """`Show more` stood on the search page before anybody had searched: a rule for buttons won over `hidden`."""
    written = (pages / "chats/c0001/search.html").read_text("utf-8")
    probe = "<script>document.documentElement.dataset.more = getComputedStyle(document.getElementById('more')).display</script>"
    # The page's own policy would not let the probe run.
    watched = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", written).replace(
        "</body>", f"{probe}</body>"
    )
    (tmp_path / "search.html").write_text(watched, "utf-8")

    page = seen_in_browser(chromium, f"file://{tmp_path}/search.html", tmp_path / "profile")

    assert 'data-more="none"' in page.partition("<head")[0]
