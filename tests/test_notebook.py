"""The example notebook runs from top to end, is stored clean, and is the page that shows it.

The page shows what the cells end with, too: HTML in ``docs_build/notebook``, which is the same but
for ids, times and counts, or this fails. With ``WRITE_OUTPUTS=1`` in the environment it is written.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.text.test_html import parsed

ROOT = Path(__file__).parent.parent
read: Any = nbformat.read
NOTEBOOK = ROOT / "examples" / "notebook.ipynb"
OUTPUTS = ROOT / "docs_build" / "notebook"
SHOWS = {
    "pipeline": ["Pipeline 1", "INITIALIZED", "/pipeline/1/overview"],
    "sync": ["1:", "INCREMENTAL", "COMPLETED", "Events loaded", "1,000"],
    "several": ["JobFailed", "FAILED", "COMPLETED", "2:", "3:"],
    "error": ["JobFailed: INCREMENTAL Job", "see Job.list_objects()"],
    "history": ["24 Jobs, 95.8 % succeeded, 23 COMPLETED, 1 FAILED", "Duration"],
    "summary": ["Success rate", "95.8 %", "Last failure"],
}
"""What the HTML of a cell says, by the cell's id."""


@pytest.fixture
def clean_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("HEVO_", "JUPYTER_")):
            monkeypatch.delenv(name)
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def html_of(cell: Any) -> str:
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


def likeness(html: str) -> str:
    """Return the words of an output, without ids, times, durations, counts and certainty.

    The emulator runs sixty times as fast as time, so how busy the machine is decides of those.
    """
    text = " ".join(parsed(html).texts)
    varies = r"(\d+:)?[0-9a-f]{8}-[0-9a-f-]{27}|(\d[\d:.,-]*[dhms]?)+|\b(certain|likely)\b"
    return re.sub(varies, "#", text)


@pytest.mark.usefixtures("clean_machine")
@pytest.mark.filterwarnings("ignore")  # what the kernel's libraries say of each other is theirs
def test_it_runs_from_top_to_end(tmp_path: Path) -> None:
    notebook = read(NOTEBOOK, as_version=4)
    NotebookClient(
        notebook,
        timeout=120,
        startup_timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": tmp_path}},
    ).execute()
    cells = {cell.id: cell for cell in notebook.cells}
    for cell, words in SHOWS.items():
        text = " ".join(parsed(html_of(cells[cell])).texts)
        for word in words:
            assert word in text
        stored = OUTPUTS / f"{cell}.html"
        # An address that is the same each time.
        html = re.sub(r"http://127\.0\.0\.1:\d+", "https://us.hevodata.com", html_of(cells[cell]))
        if "WRITE_OUTPUTS" in os.environ:
            stored.write_text(f'<div class="output">{html}</div>\n')
        assert likeness(stored.read_text().strip()) == likeness(html)
    assert "<td>24" in html_of(cells["frame"])
    assert "image/png" in cells["plot"].outputs[0].data
    streams = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    ]
    assert streams == []  # progress is a table, not lines


def test_it_is_stored_clean() -> None:
    stored = json.loads(NOTEBOOK.read_text())
    nbformat.validate(stored)
    assert (stored["nbformat"], stored["nbformat_minor"]) == (4, 5)
    assert set(stored["metadata"]) == {"kernelspec", "language_info"}
    assert stored["metadata"]["kernelspec"]["name"] == "python3"
    assert stored["metadata"]["language_info"] == {"name": "python"}
    for cell in stored["cells"]:
        assert cell["metadata"] == {}
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    assert not re.search(r"/home|/root|/Users|/tmp|[A-Z]:\\\\", NOTEBOOK.read_text())


def test_the_page_shows_its_cells_and_what_they_end_with() -> None:
    """Without the title, which is the page's own."""
    parts = []
    for cell in read(NOTEBOOK, as_version=4).cells[1:]:
        is_text = cell.cell_type == "markdown"
        parts.append(cell.source if is_text else f"```py\n{cell.source}\n```")
        if cell.id in SHOWS:
            parts.append(f'--8<-- "docs_build/notebook/{cell.id}.html"')
    assert "\n\n".join(parts) in (ROOT / "docs" / "notebook.md").read_text()
