"""A test as a user writes it: the fixture is found because the package is installed.

`nox -s release` runs a copy of this file outside the repository, on the built wheel.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hevo_edge import HevoClient

if TYPE_CHECKING:
    from hevo_edge.emulator import HevoEmulator


def test_the_fixture_serves_a_client(hevo_emulator: HevoEmulator) -> None:
    async def name() -> str | None:
        async with HevoClient.from_env() as hevo:
            return (await hevo.get_pipeline(123)).name

    assert asyncio.run(name())
    assert [call.endpoint for call in hevo_emulator.requests] == ["get_pipeline"]
