"""Writes ``llms.txt`` and ``llms-full.txt`` into the built site: its pages as one text.

``python docs_build/llms.py``, after mkdocs or zensical, whichever has built the site. The index has
a line a page, in the order of the navigation; the other has all that its authors have written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whose tags mean nothing here."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def pages(nav: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield the headings (without a path) and the pages (with one) of the navigation."""
    for entry in nav:
        ((title, what),) = entry.items()
        if isinstance(what, str):
            yield title, what
        else:
            yield title, ""
            yield from pages(what)


def text_of(page: Path) -> str:
    """Return a page's text, files that it includes put in."""
    lines = page.read_text().splitlines()
    parts = [line.split('"')[1] if '--8<-- "' in line else None for line in lines]
    return "\n".join(
        line if part is None else (ROOT / part).read_text()
        for line, part in zip(lines, parts, strict=True)
    )


def summary(text: str) -> str:
    """Return the first sentence of a page."""
    paragraphs = (part for part in text.split("\n\n") if part[:1].isalpha() or part[:1] == "`")
    return " ".join(next(paragraphs, "").split()).partition(". ")[0].rstrip(".:")


def main() -> None:
    """Write both files."""
    config = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)  # noqa: S506 -- a safe one
    index, full = [f"# hevo_edge\n\n> {config['site_description']}\n"], []
    for title, path in pages(config["nav"]):
        if not path:
            index.append(f"\n## {title}\n")
            continue
        text = text_of(ROOT / "docs" / path)
        url = f"{path.removesuffix('index.md').removesuffix('.md')}/".lstrip("/")
        index.append(f"- [{title}]({url or './'}): {summary(text)}")
        full.append(f"<!-- {path} -->\n\n{text}")
    (ROOT / "site" / "llms.txt").write_text("\n".join(index) + "\n")
    (ROOT / "site" / "llms-full.txt").write_text("\n\n".join(full) + "\n")


if __name__ == "__main__":
    main()
