"""What the tests of the page "In your application" share: its blocks, and an emulator in a thread."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hevo_edge import HevoClient, RateLimit
from hevo_edge.emulator import HevoEmulator

PAGE = Path(__file__).parents[2] / "docs" / "in-your-application.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def block(containing: str) -> str:
    """Return the one block of the page that contains some words."""
    found = [each for each in BLOCKS if containing in each]
    assert len(found) == 1, f"{len(found)} blocks of the page contain {containing!r}"
    return str(found[0])


@contextmanager
def fast_emulator() -> Iterator[HevoEmulator]:
    """An emulator in a thread of its own, at a hundredfold speed."""
    with HevoEmulator(speed=100.0) as emulator:
        for number in (1, 2, 3):
            emulator.add_pipeline(number, duration=20.0)
        emulator.add_pipeline(123, duration=20.0)
        yield emulator


def client(emulator: HevoEmulator, **options: Any) -> HevoClient:
    """Return a client with the call budget of such an emulator."""
    options.setdefault("rate_limit", RateLimit(100, 60.0 / emulator.speed))
    return HevoClient(emulator.api_key, emulator.api_secret, base_url=emulator.base_url, **options)


def python(code: str, emulator: HevoEmulator, path: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as its author would, but with every warning an error."""
    script = path / "script.py"
    script.write_text(code)
    return subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **emulator.environment},
    )


def set_environment(monkeypatch: pytest.MonkeyPatch, emulator: HevoEmulator) -> None:
    """Let ``HevoClient.from_env`` find an emulator."""
    monkeypatch.delenv("HEVO_REGION", raising=False)
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
