"""A raw server: it sends the planned replies in turn, and then right ones."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

from .replies import CLOSE, HANG, RESET, Reply, plain

_LINGER = socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
_NOW = 1_767_225_600_000


class Server:
    """Sends a plan of replies; None in it is a right one.

    Args:
        plan: The replies, in the order of the requests.
        repeats: Whether the last one is sent for ever, instead of right ones.
    """

    def __init__(self, plan: Sequence[Reply | None], *, repeats: bool = False) -> None:
        self.posts = 0
        self._plan = list(plan)
        self._repeats = repeats
        self._polls = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._reply(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:
            pass  # StreamReaderProtocol reports a task that was cancelled as an error
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection goes on."""
        planned = self._plan[0] if self._plan else None
        if planned is not None and planned.early:
            writer.write(planned.raw)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(_length(head))
        reply = self._next() or self._right(*head.decode("latin-1").split(" ", 2)[:2])
        if not reply.early:
            writer.write(reply.raw)
        await writer.drain()
        if reply.ending == HANG:
            await asyncio.sleep(10_000)
        if reply.ending == RESET:
            writer.get_extra_info("socket").setsockopt(*_LINGER)
        return reply.ending not in {CLOSE, RESET, HANG}

    def _next(self) -> Reply | None:
        if not self._plan:
            return None
        return self._plan[0] if self._repeats and len(self._plan) == 1 else self._plan.pop(0)

    def _right(self, method: str, path: str) -> Reply:
        path = path.partition("?")[0].removeprefix("/api/v1/pipelines")
        if method != "GET":
            self.posts += 1
            return plain(b"{}")
        return plain(json.dumps(self._body(path.strip("/").split("/"))).encode())

    def _body(self, parts: list[str]) -> Any:
        pipeline = {"id": 123, "name": "Orders", "status": "INITIALIZED"}
        if len(parts) == 1:
            return pipeline if parts[0] else _page([pipeline])
        if parts[1] == "objects":
            row = {"object_id": "o-1", "object_name": "users"}
            return row if len(parts) > 2 else _page([row])
        if parts[-1] == "objects":
            return _page([{"object_name": "users"}])
        jobs = [self._job(f"j-{number}") for number in range(self.posts + 1, 0, -1)]
        if len(parts) == 2:
            return _page(jobs)
        self._polls += 1
        return self._job(parts[2])

    def _job(self, job_id: str) -> dict[str, Any]:
        runs = job_id != "j-1" and self._polls < 2
        number = int(job_id[2:]) if job_id[2:].isdigit() else 1
        return {
            "job_id": job_id,
            "type": "INCREMENTAL",
            "status": "IN_PROGRESS" if runs else "COMPLETED",
            "created_ts": _NOW + number * 60_000,
            "updated_ts": _NOW + number * 60_000 + 1000 * self._polls,
        }


def _page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": rows, "has_more": False, "next_cursor": None}


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
