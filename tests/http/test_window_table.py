"""What stands in the file: read as it was written, or not at all."""

from __future__ import annotations

import os
import zlib

from hypothesis import given
from hypothesis import strategies as st

from hevo_edge._common.processes import Process
from hevo_edge._http import window_table
from hevo_edge._http.window_table import MAGIC, Calls, Table

WORDS = st.integers(0, 2**64 - 1)
TIMES = st.floats(allow_nan=False)
CALLS = st.builds(
    Calls,
    token=WORDS,
    owner=st.builds(Process, st.integers(0, 2**32 - 1), WORDS, WORDS),
    in_flight=st.integers(0, 1000),
    lease=TIMES,
    over=st.lists(TIMES, max_size=20),
)
TABLES = st.builds(Table, TIMES, TIMES, st.lists(CALLS, max_size=5))


def dumped(table: Table) -> bytes:
    return window_table.dump(table.held_until, table.share, table.calls)


@given(TABLES, st.binary(max_size=50))
def test_what_was_written_is_read(table: Table, rest: bytes) -> None:
    content = dumped(table)
    assert window_table.load(content + rest) == table
    assert not window_table.is_alien(content)


@given(TABLES, TABLES, st.data())
def test_half_of_one_and_half_of_another_are_neither_or_one(
    old: Table, new: Table, data: st.DataObject
) -> None:
    before, after = dumped(old), dumped(new)
    cut = data.draw(st.integers(0, len(after)))
    mixed = after[:cut] + before[cut:]
    assert window_table.load(mixed) in (None, old, new)
    assert not window_table.is_alien(mixed)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_none(content: bytes) -> None:
    window_table.load(content)
    window_table.load(MAGIC + content)
    checked = zlib.crc32(content, zlib.crc32(bytes(16)))
    head = MAGIC + checked.to_bytes(4, "little") + len(content).to_bytes(4, "little") + bytes(16)
    window_table.load(head + content)


def test_a_number_that_nobody_can_mean_is_no_table() -> None:
    owner = Process(os.getpid(), 0, 0)
    assert window_table.load(window_table.dump(0.0, 1.0, [Calls(1, owner, 2**31)])) is None
