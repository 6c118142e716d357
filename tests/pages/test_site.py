"""What the site is built of: navigation, links, examples, pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages.blocks import PAGES, ROOT

DOCS = ROOT / "docs"
OURS = r"https://github\.com/hevo-edge/hevo_edge/(?:blob|tree)/main/"
EVERYWHERE = [*PAGES, ROOT / "CHANGELOG.md"]
PICTURES = sorted(DOCS.glob("**/*.svg"))


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_navigation_once() -> None:
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2].partition("\n\n")[0]
    linked = re.findall(r": ([\w/-]+\.md)$", nav, re.MULTILINE)
    assert sorted(linked) == sorted(f"{page.relative_to(DOCS)}" for page in DOCS.glob("**/*.md"))


@pytest.mark.parametrize("overview", ["README.md", "docs/index.md"])
def test_every_page_is_one_step_from_where_a_reader_begins(overview: str) -> None:
    linked = re.findall(r"\]\(([^)#]*)", (ROOT / overview).read_text())
    pages = {page.name for page in DOCS.glob("*.md")} - {"index.md", "changelog.md"}
    if overview == "README.md":
        pages -= {"reference.md", "examples.md", "promises.md"}  # of the site
    assert pages - {link.rpartition("/")[2] for link in linked} == set()


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_links_are_absolute_where_a_package_index_or_the_site_shows_them(name: str) -> None:
    text = (ROOT / name).read_text()
    assert [link for link in re.findall(r"\]\(([^)]*)\)", text) if "://" not in link] == []


@pytest.mark.parametrize("page", EVERYWHERE, ids=lambda page: page.name)
def test_absolute_links_to_our_own_files_lead_somewhere(page: Path) -> None:
    for path, anchor in re.findall(rf"\]\({OURS}([^)#]*)#?([^)]*)\)", page.read_text()):
        assert (ROOT / path).exists()
        assert not anchor or anchor in anchors_of(ROOT / path)


def included() -> Iterator[str]:
    for page in DOCS.glob("**/*.md"):
        yield from re.findall(r'^ *--8<-- "(.*)"$', page.read_text(), re.MULTILINE)


def test_every_example_is_on_the_site_once_and_no_other_file() -> None:
    examples = [f"{path.relative_to(ROOT)}" for path in (ROOT / "examples").glob("**/*.py")]
    outputs = [f"{path.relative_to(ROOT)}" for path in (ROOT / "docs_build").glob("**/*.html")]
    assert sorted(included()) == sorted(["CHANGELOG.md", *examples, *outputs])


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_pictures_are_shown_fit_a_phone_and_follow_the_colour_scheme(picture: Path) -> None:
    svg = picture.read_text()
    pages = "".join(page.read_text() for page in PAGES)
    assert re.search(rf"!\[[^\]]{{10,}}\]\([\w./]*{picture.parent.name}/{picture.name}\)", pages)
    width = re.findall(r'viewBox="0 0 ([\d.]+)', svg)[0]
    assert float(width) <= 420
    assert "@media (prefers-color-scheme:dark)" in svg
    # Each colour is one that the scheme changes.
    body = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-f]{6}|#[0-9a-f]{3}\b", body)
    assert not re.search(r"(href|src)=\"http", body)
