"""What stands in the file of a shared window: the calls of each client, and until when all hold."""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from hevo_edge._common.processes import Process

MAGIC = b"hevoedg2"
_HEADER = struct.Struct("=8sIIdd")  # magic, checksum and size of the rest, held until, share
_BLOCK = struct.Struct("=QQQIIId")  # token, process (3), in flight, over, lease
_MAX_IN_FLIGHT = 1_000_000


@dataclass
class Calls:
    """The calls of one client, as the others see them.

    Args:
        token: Tells clients apart.
        owner: The process.
        in_flight: How many of its calls are not over.
        lease: When they count no more, unless the owner has said something until then.
        over: When the slots of those that are over come free.
    """

    token: int
    owner: Process
    in_flight: int = 0
    lease: float = 0.0
    over: list[float] = field(default_factory=list)

    def prune(self, now: float, latest: float) -> None:
        """Forget what counts no more at ``now``.

        A time after ``latest`` was written before the machine was restarted.
        """
        if not now < self.lease <= latest:
            self.in_flight = 0
        self.over = [at for at in self.over if now < at <= latest]

    def bury(self, until: float) -> None:
        """Count what was in flight as over: its process has ended."""
        self.over += [min(self.lease, until)] * self.in_flight
        self.in_flight = 0

    @property
    def taken(self) -> int:
        """How many slots they take, as of the last ``prune``."""
        return self.in_flight + len(self.over)


@dataclass
class Table:
    """All that stands in the file."""

    held_until: float = float("-inf")
    share: float = 1.0
    calls: list[Calls] = field(default_factory=list)


def dump(held_until: float, share: float, calls: Iterable[Calls]) -> bytes:
    """Return a table as bytes."""
    parts = []
    for each in calls:
        owner = (each.owner.namespace, each.owner.started, each.owner.pid)
        parts += [
            _BLOCK.pack(each.token, *owner, each.in_flight, len(each.over), each.lease),
            array("d", each.over).tobytes(),
        ]
    body = b"".join(parts)
    checksum = _checksum(held_until, share, body)
    return _HEADER.pack(MAGIC, checksum, len(body), held_until, share) + body


def load(content: bytes) -> Table | None:
    """Return the table that bytes are; None if they are damaged. Bytes behind it are ignored."""
    try:
        return _load(content)
    except (struct.error, ValueError):  # the checksum keeps off accidents, not another user's jokes
        return None


def _load(content: bytes) -> Table | None:
    if len(content) < _HEADER.size:
        return None
    magic, checksum, size, held_until, share = _HEADER.unpack_from(content)
    body = content[_HEADER.size : _HEADER.size + size]
    if magic != MAGIC or len(body) < size or checksum != _checksum(held_until, share, body):
        return None
    table, at = Table(held_until, share), 0
    while at < size:
        token, namespace, started, pid, in_flight, over, lease = _BLOCK.unpack_from(body, at)
        at += _BLOCK.size
        if in_flight > _MAX_IN_FLIGHT:
            return None
        times = array("d", body[at : at + 8 * over])
        at += 8 * over
        owner = Process(pid, started, namespace)
        table.calls.append(Calls(token, owner, in_flight, lease, times.tolist()))
    return table


def is_alien(content: bytes) -> bool:
    """Return whether bytes are something else than a table, even a damaged one."""
    start = content[: len(MAGIC)]
    return not MAGIC.startswith(start) and any(start)


def _checksum(held_until: float, share: float, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack("=dd", held_until, share)))
