"""Checks the built site, whichever generator has built it: ``python docs_build/check.py``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import hevo_edge

ROOT = Path(__file__).parent.parent
SITE = ROOT / "site"


def faults() -> list[str]:
    """Return what is wrong."""
    found = []
    version = f"hevo_edge {hevo_edge.__version__}"
    texts = [(SITE / name).read_text() for name in ("llms.txt", "llms-full.txt")]
    for page in sorted((ROOT / "docs").glob("**/*.md")):
        name = f"{page.relative_to(ROOT / 'docs')}".removesuffix(".md")
        built = SITE / ("index.html" if name == "index" else f"{name}/index.html")
        html = built.read_text()
        text = re.sub("</?[a-z][^>]*>", "", html)
        checks = {
            "shows the version": version in html.partition("</title>")[0],
            "leads to its neighbours": "md-footer__link" in html,
            "includes its files": not re.search("-8 ?(<|&lt;) ?-", text),
            "loads nothing from elsewhere": not re.search(
                r'<(script|link|img)[^>]*(src|href)="https?://[^"]*\.(js|css|svg|png)', html
            ),
            "is in llms.txt": f"]({name}/)" in texts[0] or name == "index",
            "is in llms-full.txt": f"<!-- {name}.md -->" in texts[1],
        }
        found += [f"{name}: not true that it {what}" for what, holds in checks.items() if not holds]
    return found


if __name__ == "__main__":
    sys.exit("\n".join(faults()) or None)
