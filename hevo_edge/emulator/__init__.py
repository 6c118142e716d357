"""An emulator of the Hevo Edge API, for tests without a Hevo account.

``HevoEmulator`` in code, ``python -m hevo_edge.emulator`` on the command line, the pytest fixture
``hevo_emulator``, and ``virtual_time``, in which hours of polling pass in milliseconds.
``docs/emulator.md`` lists what it assumes about the API, with sources and confidence.
"""

from __future__ import annotations

from hevo_edge.emulator.dialect import DIALECTS, Dialect
from hevo_edge.emulator.faults import Fault, Faults
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.emulator.journal import Journal, RecordedCall
from hevo_edge.emulator.pipeline import EmulatedPipeline
from hevo_edge.emulator.server import HevoEmulator

__all__ = [
    "DIALECTS",
    "Dialect",
    "EmulatedJob",
    "EmulatedPipeline",
    "Fault",
    "Faults",
    "HevoEmulator",
    "Journal",
    "RecordedCall",
]
