"""The example notebook runs from top to end, is stored clean, and is the page that shows it."""

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
    assert "<td>24" in html_of(cells["frame"])
    assert "image/png" in cells["plot"].outputs[0].data
    errors = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    ]
    assert re.fullmatch(r"(Pipeline 1 INCREMENTAL Job \S+: \S+ after \S+, .*\n)+", "".join(errors))


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


def test_the_page_shows_its_cells() -> None:
    """Without the title, which is the page's own."""
    cells = read(NOTEBOOK, as_version=4).cells[1:]
    shown = [
        cell.source if cell.cell_type == "markdown" else f"```py\n{cell.source}\n```"
        for cell in cells
    ]
    assert "\n\n".join(shown) in (ROOT / "docs" / "notebook.md").read_text()
