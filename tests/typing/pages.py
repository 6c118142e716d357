"""Whether the Python of README, docs and examples passes a stranger's type checkers.

Run by ``nox -s types``: ``python -m tests.typing.pages FOLDER``; and with the word ``dagster`` or
``prefect`` where that is installed, for the blocks and examples that import it. It writes each block
of the pages to a file of its own in the folder, its lines numbered as in the page, copies the examples beside
them, and runs ``mypy --strict`` and pyright in its strict mode there: on the installed package, and
without any configuration of ours.

A block is a module, as it stands there. Only one that awaits outside of any function, as in a
notebook, is put into a coroutine function. The cells of a notebook share their names, so they are
one module; the page that shows them marks them as ``py``. What uses Airflow, pandas or Redis gets
pyright's standard mode, because their own types are incomplete.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.pages.blocks import PAGES, ROOT, blocks_of

STUBS = Path(__file__).parent / "stubs"
"""Types of packages that a page names, and that are not installed here."""
ELSEWHERE = ("dagster", "prefect")
"""Orchestrators that have environments of their own."""


def write_blocks(page: Path, folder: Path) -> list[Path]:
    """Write each Python block of a page to a file; return the files."""
    name = re.sub(r"\W", "_", page.stem)
    files: list[Path] = []
    for block in blocks_of(page):
        file = folder / f"{name}_line_{block.line}.py"
        file.write_text("\n" * (block.line - 2) + as_module(block.code))
        files.append(file)
    return files


def as_module(block: str) -> str:
    """Return a block as a module, which begins a line before the block."""
    try:
        compile(block, "block", "exec")
    except SyntaxError:
        compile(block, "block", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return f"async def notebook() -> None:\n{textwrap.indent(block, '    ')}"
    return f"\n{block}"


def write_notebook(notebook: Path, folder: Path) -> Path:
    """Write the code cells of a notebook to a file, and return it."""
    cells = json.loads(notebook.read_text())["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    file = folder / f"{notebook.stem}_cells.py"
    file.write_text(as_module("\n\n".join("".join(lines) for lines in code)))
    return file


def is_wanted(file: Path, orchestrator: str | None) -> bool:
    """Say whether a file is for this environment."""
    imported = re.search(
        rf"^\s*(?:import|from) (?:hevo_edge\.integrations\.)?({'|'.join(ELSEWHERE)})\b",
        file.read_text(),
        re.MULTILINE,
    )
    return (imported and imported[1]) == orchestrator


def checked(checker: str, folder: Path, *arguments: str) -> bool:
    """Run a checker in a folder; say whether it finds nothing."""
    command = [sys.executable, "-m", checker, *arguments]
    return subprocess.run(command, cwd=folder, check=False).returncode == 0


def main() -> int:
    """Run both checkers over everything; return 1 when one of them finds something."""
    folder = Path(sys.argv[1], "pages").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    # Those for durable engines are checked where these are installed.
    left_out = shutil.ignore_patterns("durable")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=left_out)
    shutil.copytree(STUBS, folder / "typings")  # where pyright looks by itself
    orchestrator = sys.argv[2] if sys.argv[2:] else None
    blocks = [block for page in PAGES for block in write_blocks(page, folder)]
    notebooks = sorted((folder / "examples").glob("*.ipynb"))
    blocks += [write_notebook(notebook, folder) for notebook in notebooks]
    examples = sorted((folder / "examples").rglob("*.py"))
    for file in [*blocks, *examples]:
        if not is_wanted(file, orchestrator):
            file.unlink()
    blocks, examples = ([each for each in files if each.exists()] for files in (blocks, examples))
    print(f"{len(blocks)} blocks of {len(PAGES)} pages, and {len(examples)} examples")
    strict = [
        str(file.relative_to(folder))
        for file in [*blocks, *examples]
        if not re.search("airflow|dagster|prefect|to_pandas|import Redis", file.read_text())
    ]
    # The mode is the one thing that cannot be said on the command line.
    (folder / "pyrightconfig.json").write_text(json.dumps({"strict": strict}))
    # mypy would find ours in a folder above.
    mypy = ["--config-file=", "--strict", "--cache-dir", f"{folder.parent / 'cache'}"]
    if orchestrator is not None:
        # Its users do not annotate what yields its events.
        mypy += ["--allow-untyped-defs", "--allow-incomplete-defs"]
    results = [
        checked("pyright", folder, "--pythonpath", sys.executable),
        checked("mypy", folder / "typings", *mypy, *map(str, blocks)),
        checked("mypy", folder / "examples", *mypy, *map(str, examples)),
    ]
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())
