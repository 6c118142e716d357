"""Where the assets of a watcher keep which Jobs were told: Airflow's asset state store."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from hevo_edge.errors import ConfigurationError
from hevo_edge.orchestration import JobCursor, get_logger

log: logging.Logger = get_logger("hevo_edge.integrations.airflow")

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_SAVES = 3
"""How often a save is tried: others wait for it meanwhile."""


class AssetCursors:
    """The stored cursor of a watcher; nothing is kept where Airflow has no such store.

    Args:
        accessors: ``asset_state_store`` of the trigger, which Airflow 3.3 sets; else None.
        key: The key of the cursor; an asset may have several watchers.
    """

    def __init__(self, accessors: Any, key: str) -> None:
        self._stores: list[Any] = []
        self._key = key
        if accessors is not None:
            # A watcher of several assets; Airflow has no public way to list them.
            several = list(getattr(accessors, "_by_name", {}).values())
            self._stores = several if len(several) > 1 else [accessors]

    @property
    def are_kept(self) -> bool:
        """Whether a restart finds what was saved."""
        return bool(self._stores)

    async def load(self) -> JobCursor | None:
        """Return the cursor, None if none was saved; without an answer there is no beginning."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._read()
            except Exception as error:  # noqa: BLE001 -- whatever fails in Airflow
                if pause == _FIRST_PAUSE:
                    log.warning("the state of an asset cannot be read, tried again: %s", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def peek(self) -> JobCursor | None:
        """Return the cursor as it is now; None if none was saved, or it cannot be read."""
        try:
            return await self._read()
        except Exception as error:  # noqa: BLE001 -- whatever fails in Airflow
            log.debug("the state of an asset cannot be read: %s", error)
            return None

    async def save(self, cursor: JobCursor) -> None:
        """Keep a cursor instead of the one before; a failure is logged."""
        for attempt in range(1, _SAVES + 1):
            try:
                for store in self._stores:
                    await store.aset(self._key, cursor.to_dict())
            except Exception as error:  # noqa: BLE001 -- whatever fails in Airflow
                if attempt == _SAVES:
                    log.warning(
                        "the state of an asset cannot be written; should the triggerer restart "
                        "before the next Job ends, its last one gives a second event: %s",
                        error,
                    )
                    return
            else:
                return
            await asyncio.sleep(attempt * _FIRST_PAUSE)

    async def _read(self) -> JobCursor | None:
        for store in self._stores:
            stored = await store.aget(self._key)
            if stored is not None:
                try:
                    return JobCursor.from_dict(stored)
                except ConfigurationError as error:
                    log.warning("begun anew: %s", error)
        return None
