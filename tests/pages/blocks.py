"""The Python blocks of README and docs, as they stand there.

What ``nox -s types`` checks and what the tests run are the same blocks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
_BLOCK = re.compile(r"^```(python|pycon)\b.*\n((?:.*\n)*?)```$", re.MULTILINE)
_PROMPT = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        page: The page's path in the repository.
        line: That of its first line in the page.
        code: What it holds, without prompts.
        is_session: Whether it has prompts: it is typed into a notebook.
    """

    page: str
    line: int
    code: str
    is_session: bool

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the Python blocks of a page, from top to bottom."""
    text = page.read_text()
    blocks = []
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start(2)) + 1
        is_session = found.group(1) == "pycon"
        code = _PROMPT.sub("", found.group(2)) if is_session else found.group(2)
        blocks.append(Block(f"{page.relative_to(ROOT)}", line, code, is_session))
    return blocks


def block(page: str, containing: str) -> str:
    """Return the code of the one block of a page that contains some words."""
    found = [each.code for each in blocks_of(ROOT / page) if containing in each.code]
    assert len(found) == 1, f"{len(found)} blocks of {page} contain {containing!r}"
    return found[0]
