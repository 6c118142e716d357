"""aiohttp's connector, for connections that callers share: of no caller's context, and no fork's.

aiohttp opens a connection, and sets the timer that closes idle ones, in the context of the caller
who happens to need it. Both outlive that caller.
"""

from __future__ import annotations

import os
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from hevo_edge._common.contexts import steps_without_context, without_context


class Connector(aiohttp.TCPConnector):
    """A connector whose connections and timers run in an empty context.

    A forked child leaves them alone: to close one there would take it out of the selector that it
    shares with the parent.
    """

    def __init__(self, **options: Any) -> None:
        self._pid = os.getpid()
        super().__init__(**options)

    # Where aiohttp has no public way, a test fails when it has changed.
    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        return await steps_without_context(super()._create_connection(*args, **kwargs))

    def _release(self, *args: Any, **kwargs: Any) -> None:
        without_context(super()._release, *args, **kwargs)

    def __del__(self, *args: Any) -> None:
        if self._pid == os.getpid():
            super().__del__(*args)
