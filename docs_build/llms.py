"""Writes ``llms.txt`` and ``llms-full.txt`` into the built site: its pages as one text.

``python docs_build/llms.py``, after mkdocs or zensical, whichever has built the site. The index has
a line a page, in the order of the navigation; the other has all that its authors have written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
import yaml

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Write both files."""
    # The values that are marked with a tag, such as !ENV, mean nothing here.
    config = yaml.safe_load(re.sub("!ENV", "", (ROOT / "mkdocs.yml").read_text()))
    package: Any = griffe.load("hevo_edge", search_paths=[f"{ROOT}"])
    index, full = [f"# hevo_edge\n\n> {config['site_description']}\n"], []
    for title, path in pages(config["nav"]):
        if path:
            page = with_files((ROOT / "docs" / path).read_text())
            index.append(f"- [{title}]({path.removesuffix('index.md')[:-3]}/): {summary(page)}")
            full.append(f"<!-- {path} -->\n\n{with_docstrings(page, package)}")
        else:
            index.append(f"\n## {title}\n")
    (ROOT / "site" / "llms.txt").write_text("\n".join(index).replace("](/)", "](.)") + "\n")
    (ROOT / "site" / "llms-full.txt").write_text("\n\n".join(full) + "\n")


def pages(nav: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the groups of the navigation (without a path), and its pages (with one)."""
    for title, what in (item for entry in nav for item in entry.items()):
        yield title, what if isinstance(what, str) else ""
        yield from pages(what) if isinstance(what, list) else ()


def with_files(page: str) -> str:
    """Return a page with the files that it includes."""
    return re.sub('--8<-- "(.*)"', lambda found: (ROOT / found[1]).read_text(), page)


def with_docstrings(page: str, package: Any) -> str:
    """Return a page with the docstrings of what it documents in place of the names."""

    def docstrings(found: re.Match[str]) -> str:
        return "\n".join(described(package[found[1].removeprefix("hevo_edge.")]))

    return re.sub(r"^::: (.*)\n(?: {4}.*\n)*", docstrings, page, flags=re.MULTILINE)


def described(item: Any) -> Iterator[str]:
    """Yield the signatures and docstrings of an object and of its public members."""
    item = item.final_target if item.is_alias else item
    text = item.docstring.value if item.docstring else ""
    shown = item.signature() if item.is_function else ""
    yield f"`{item.path.rpartition('.')[0]}.{shown or item.name}`: {text}\n"
    for name, member in {} if item.is_function or item.is_attribute else item.members.items():
        if not name.startswith("_") and not (member.is_alias and item.is_module):
            yield from described(member)


def summary(page: str) -> str:
    """Return the first sentence of a page, without its links."""
    paragraphs = (part for part in page.split("\n\n") if re.match(r"\w|`", part))
    sentence = " ".join(next(paragraphs, "").split()).partition(". ")[0].rstrip(".:")
    return re.sub(r"\[(.*?)\]\(.*?\)", r"\1", sentence)


if __name__ == "__main__":
    main()
