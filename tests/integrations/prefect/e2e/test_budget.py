"""Many syncs at once, under Hevo's limit of a hundred calls a minute."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from tests.integrations.prefect.e2e import flows
from tests.integrations.prefect.support import credentials_of


@pytest.mark.parametrize(
    ("one", "count"), [(flows.at_once, 20), (flows.mapped, 100)], ids=["twenty", "mapped"]
)
def test_many_syncs_at_once_get_no_429(
    server: Any, one: Any, count: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", f"{tmp_path}")  # a window of calls that nobody else shares
    monkeypatch.setattr("tempfile.tempdir", f"{tmp_path}")
    numbers = list(range(1, count + 1))
    with HevoEmulator(rate_limit=100) as hevo:
        for number in numbers:
            hevo.add_pipeline(number, duration=2, appears_after=1)
        credentials_of(hevo, rate_limit=100).save("budget", overwrite=True)
        ended: Any = one(numbers, "budget")
        assert (asyncio.run(ended) if asyncio.iscoroutine(ended) else ended) == count
        statuses = [call.status for call in hevo.requests]
        assert 429 not in statuses
        posts = [call.took_effect for call in hevo.requests.of("sync_now")]
        assert posts == [True] * count
