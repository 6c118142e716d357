"""Each kind of window passes the one suite."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from hevo_edge._http.redis_window import RedisWindow
from hevo_edge._http.shared_window import FileWindow
from hevo_edge._http.window import LocalWindow, SharedWindow

from .redis_servers import RedisServer
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


@pytest.mark.asks_another_process
class TestRedisWindow(WindowConformance):
    """In virtual time, so Redis is told the time, as one is that may not ask its own clock."""

    @pytest.fixture
    def join(self, redis_server: RedisServer, patient: None) -> Join:
        def window() -> SharedWindow:
            joined = RedisWindow(redis_server.address, redis_server.name(), OCCUPIED)
            joined._offset, joined._offset_at = 1e9, math.inf
            return joined

        return window
