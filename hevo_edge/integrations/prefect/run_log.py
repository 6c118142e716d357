"""Where the adapter writes what a user of Prefect looks for."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger
from prefect.logging.handlers import APILogHandler

from hevo_edge.orchestration import get_logger

_log: logging.Logger = get_logger("hevo_edge.integrations.prefect")
FLUSH_WITHIN = 2.5
"""Seconds for sending what was logged to Prefect."""


def run_logger() -> Any:
    """Return the logger of the flow run or task run; outside of any, the adapter's own."""
    try:
        return get_run_logger()
    except MissingContextError:
        return _log


async def flush_log() -> None:
    """Send what was logged to Prefect now: at a SIGTERM, the process does not wait for it."""
    with suppress(Exception):
        await asyncio.wait_for(APILogHandler.aflush(), FLUSH_WITHIN)
