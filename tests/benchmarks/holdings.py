"""What a process holds: memory, tasks, timers, sockets, and every entry of every container.

For ``months``, which looks at it day by day.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tracemalloc
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

# No abstract classes: each check of one leaves an entry in a cache of Python's.
_MAPPINGS = (dict, MappingProxyType, WeakKeyDictionary, WeakValueDictionary)
_CONTAINERS = (*_MAPPINGS, set, frozenset, WeakSet, list, tuple, deque)
_LEAVES = (str, bytes, int, float, complex, bool, type(None))
_CACHE = type(lru_cache(len))


@dataclass(frozen=True)
class Holdings:
    """What is held at one moment.

    Attributes:
        traced: Bytes that Python has allocated, by tracemalloc; 0 while that is off.
        resident: Bytes of memory that the process occupies; 0 where the system does not say.
        tasks: Tasks of the running loop, but for the one that asks.
        timers: Its timers that are not cancelled.
        sockets: Sockets that are open.
        entries: Entries of all containers that the roots reach.
    """

    traced: int
    resident: int
    tasks: int
    timers: int
    sockets: int
    entries: int


def take_stock(*roots: object) -> Holdings:
    """Return what is held now, and what the roots reach."""
    gc.collect()
    loop: Any = asyncio.get_running_loop()
    return Holdings(
        traced=tracemalloc.get_traced_memory()[0],
        resident=_resident(),
        tasks=len(asyncio.all_tasks()) - 1,
        timers=sum(not timer.cancelled() for timer in loop._scheduled),
        sockets=_sockets(),
        entries=sum(containers(*roots).values()),
    )


def package_modules() -> list[ModuleType]:
    """Return the modules of hevo_edge that are loaded, but for the emulator's."""
    names = [name for name in sorted(sys.modules) if name.split(".")[0] == "hevo_edge"]
    return [sys.modules[name] for name in names if ".emulator" not in name]


def containers(*roots: object) -> dict[str, int]:
    """Return the sizes of all containers that objects of hevo_edge reach, by where they are.

    Where several are at one place, such as the Jobs of a dict, their sizes are added.

    Args:
        *roots: Objects, and modules: what they and their classes keep, and their caches.
    """
    sizes: dict[str, int] = {}
    seen: set[int] = set()
    waiting = deque((getattr(root, "__name__", type(root).__name__), root) for root in roots)
    while waiting:
        path, found = waiting.popleft()  # by breadth: a place goes by its shortest name
        if isinstance(found, _LEAVES) or id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, _CACHE) and found.cache_info().maxsize is None:
            sizes[path] = found.cache_info().currsize  # others have their bound
        elif isinstance(found, _CONTAINERS):
            sizes[path] = sizes.get(path, 0) + len(found)
        waiting.extend(_inside(path, found))
    return sizes


def _inside(path: str, found: object) -> Iterator[tuple[str, object]]:
    if isinstance(found, _MAPPINGS):
        for key, value in list(found.items()):
            yield f"{path}.keys", key
            yield f"{path}[]", value
    elif isinstance(found, _CONTAINERS):
        yield from ((f"{path}[]", item) for item in list(found))
    elif isinstance(found, (ModuleType, type)) and _is_own(found):
        own = {name: value for name, value in vars(found).items() if not name.startswith("__")}
        yield from ((f"{path}.{name}", value) for name, value in own.items())
    elif _is_own(type(found)):
        names = [name for kind in type(found).__mro__ for name in getattr(kind, "__slots__", ())]
        for name in dict.fromkeys([*names, *getattr(found, "__dict__", ())]):
            if hasattr(found, name):
                yield f"{path}.{name}", getattr(found, name)


def _is_own(found: ModuleType | type) -> bool:
    """Say whether it is a module or a class of hevo_edge."""
    name = found.__module__ if isinstance(found, type) else found.__name__
    return name.split(".")[0] == "hevo_edge"


def _resident() -> int:
    counts = Path("/proc/self/statm")
    pages = int(counts.read_text().split()[1]) if counts.exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _sockets() -> int:
    """Return how many sockets this process has open; 0 where the system does not say."""
    opened = 0
    for file in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # that of this very listing
            opened += str(file.readlink()).startswith("socket:")
    return opened
