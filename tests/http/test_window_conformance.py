"""Each kind of window passes the one suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from hevo_edge._http.shared_window import FileWindow
from hevo_edge._http.window import LocalWindow, SharedWindow

from .window_conformance import OCCUPIED, Join, WindowConformance


class TestLocalWindow(WindowConformance):
    @pytest.fixture
    def join(self) -> Join:
        window: SharedWindow = LocalWindow(OCCUPIED)
        return lambda: window


class TestFileWindow(WindowConformance):
    @pytest.fixture
    def join(self, tmp_path: Path) -> Join:
        return lambda: FileWindow(tmp_path / "calls", OCCUPIED)


class TestPrivateFileWindow(WindowConformance):
    @pytest.fixture
    def join(self, tmp_path: Path) -> Join:
        return lambda: FileWindow(tmp_path / "folder" / "calls", OCCUPIED, is_private=True)
