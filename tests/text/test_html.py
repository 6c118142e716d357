"""HTML of other people's words: no markup, no forged text, no colour, never much of it."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge._text import html
from hevo_edge._text.mime_bundle import HasMimeBundle

TAGS = {"div", "p", "table", "thead", "tbody", "tr", "th", "td", "a"}
ATTRIBUTES = {"class", "style", "href", "rel"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table></div><b>",
    html._TABLE + "<script>",
    "\x1b[31mred\x1b[0m",
    "two\nlines\r\n",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\ud83d",
    "&lt;b&gt; &amp;",
    "javascript:alert(1)",
]
WORDS = st.text() | st.sampled_from(HOSTILE) | st.text(string.punctuation)


class Page(HTMLParser):
    """The tags, attributes and texts of a piece of HTML."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.rows = 0
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert {name for name, _ in attrs} <= ATTRIBUTES
        self.open.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.rows += tag == "tr"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parsed(source: str) -> Page:
    """Check what all HTML of ours must be like, and return it as it is read."""
    page = Page(source)
    assert page.open == []
    assert source.isprintable()
    styles = " ".join(value for name, value in page.attributes if name == "style")
    assert "url(" not in styles
    assert not re.search(r"#[0-9a-f]{3}|rgb|background", styles)
    assert set(re.findall(r"[^-]color:(\w+)", f" {styles}")) <= {"inherit"}
    return page


MAKERS: dict[str, Callable[[str], str]] = {
    "paragraph": html.paragraph,
    "facts": lambda word: html.facts({"Name": word, word: 5}, title=word),
    "table": lambda word: html.table([{"Name": word, word: word}], 9, title=word),
    "link": lambda word: html.facts({"Page": html.Link(word)}),
    "web": lambda word: html.facts({"Page": html.Link(f"https://{word}")}),
}


@pytest.mark.parametrize("maker", MAKERS)
@given(word=WORDS)
def test_words_are_words(maker: str, word: str) -> None:
    page = parsed(MAKERS[maker](word))
    assert all(value.startswith("https://") for name, value in page.attributes if name == "href")
    if word.isprintable() and 0 < len(word) < 100 and maker != "link":
        assert any(word in text for text in page.texts)


@given(st.integers(0, 200))
def test_a_table_shows_fifty_rows_and_how_many_more(count: int) -> None:
    page = parsed(html.table(({"Number": number} for number in range(count)), count))
    assert page.rows == 1 + min(count, 50)
    more = [text for text in page.texts if "more" in text]
    assert more == ([f"… {count - 50} more"] if count > 50 else [])


@pytest.mark.parametrize("table", [html.table([{"a": "x" * 150}], 1), html.facts({"a": "x" * 150})])
def test_a_long_word_is_broken_and_pushes_no_column_out_of_sight(table: str) -> None:
    cells = re.findall(r"<t[hd] ([^>]*)>", table)
    assert len(cells) == 2
    assert all("max-width:24em" in cell and "overflow-wrap:break-word" in cell for cell in cells)


def test_it_stays_small() -> None:
    rows = [{"Name": "<" * 10_000, "Error": "\n" * 10_000}] * 10_000
    assert len(html.table(rows, len(rows))) < 200_000
    assert len(html.paragraph("<" * 100_000)) < 20_000


def test_what_is_written_for_a_value() -> None:
    east = timezone(timedelta(hours=2))
    assert html.cell_text(datetime(2026, 1, 1, 1, 30, tzinfo=east)) == "2025-12-31 23:30:00 UTC"
    assert html.cell_text(timedelta(milliseconds=61_500)) == "1m02s"
    assert html.cell_text(1234567) == "1,234,567"
    assert (html.cell_text(None), html.cell_text(True), html.cell_text("a")) == ("", "True", "a")


def test_columns_of_any_row_and_no_fact_that_is_not_known() -> None:
    page = parsed(html.table([{"A": 1}, {"A": 2, "B": "b"}], 2))
    assert page.texts == ["A", "B", "1", "2", "b"]
    assert parsed(html.facts({"A": None, "B": 0, "C": ""})).texts == ["B", "0", "C"]


class Shown(HasMimeBundle):
    def __repr__(self) -> str:
        return "text"

    def _html(self) -> str:
        return "<p>html</p>"


@pytest.mark.parametrize(
    ("include", "exclude", "kinds"),
    [
        (None, None, {"text/plain", "text/html"}),
        ([], [], {"text/plain", "text/html"}),
        (["text/html"], None, {"text/html"}),
        ({"text/plain", "image/png"}, None, {"text/plain"}),
        (None, {"text/html"}, {"text/plain"}),
        (["text/html"], ["text/html"], set()),
        (["image/png"], None, set()),
    ],
)
def test_a_notebook_says_which_types_it_wants(
    include: list[str] | None, exclude: list[str] | None, kinds: set[str]
) -> None:
    bundle = Shown()._repr_mimebundle_(include=include, exclude=exclude)
    assert set(bundle) == kinds
    assert {"text/plain": "text", "text/html": "<p>html</p>"}.items() >= bundle.items()
