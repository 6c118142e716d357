"""What an import loads beyond Prefect itself."""

from __future__ import annotations

import subprocess
import sys

import hevo_edge.integrations.prefect as adapter

PROGRAM = """
import sys, prefect, prefect.blocks.abstract, prefect.artifacts, prefect.events
before = set(sys.modules)
from hevo_edge.integrations.prefect import *
from hevo_edge.integrations.prefect import aio
print("#", *(set(sys.modules) - before))
"""


def test_the_adapter_loads_little_beyond_prefect() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    more = {each.split(".")[0] for each in done.stdout.rpartition("#")[2].split()} - {"hevo_edge"}
    needed_by_prefect = {"anyio", "exceptiongroup", "prefect", "pydantic"}
    assert more - needed_by_prefect <= set(sys.stdlib_module_names)


def test_every_name_is_there() -> None:
    for name in adapter.__all__:
        assert getattr(adapter, name) is not None
        assert name in dir(adapter)
