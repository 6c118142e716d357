"""What the tests of the page "In your application" share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hevo_edge import HevoClient, RateLimit
from hevo_edge.emulator import HevoEmulator

PAGE = Path(__file__).parents[2] / "docs" / "in-your-application.md"


def client(emulator: HevoEmulator, **options: Any) -> HevoClient:
    """Return a client with the call budget of such an emulator."""
    options.setdefault("rate_limit", RateLimit(100, 60.0 / emulator.speed))
    return HevoClient(emulator.api_key, emulator.api_secret, base_url=emulator.base_url, **options)


def set_environment(monkeypatch: pytest.MonkeyPatch, emulator: HevoEmulator) -> None:
    """Let ``HevoClient.from_env`` find an emulator."""
    monkeypatch.delenv("HEVO_REGION", raising=False)
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
