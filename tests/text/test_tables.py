"""Tables fit the terminal, and say all that they can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge._text.tables import MIN_TABLE, Column, cells, cut, table

COLUMNS = (Column("ID"), Column("NAME", may_shrink=True), Column("TYPE", 2), Column("AGE", 1))
ROWS = [["123", "Orders to the warehouse", "INCREMENTAL", "5m"], ["7", "x", "HISTORICAL", "2d"]]


def test_without_a_limit_nothing_is_cut() -> None:
    assert table(COLUMNS, ROWS, None) == [
        "ID   NAME                     TYPE         AGE",
        "123  Orders to the warehouse  INCREMENTAL  5m",
        "7    x                        HISTORICAL   2d",
    ]


def test_in_a_narrow_terminal_names_are_cut_and_columns_left_out() -> None:
    assert table(COLUMNS, ROWS, 41) == [
        "ID   NAME                TYPE         AGE",
        "123  Orders to the wa..  INCREMENTAL  5m",
        "7    x                   HISTORICAL   2d",
    ]
    wide = [["1" * 20, *ROWS[0][1:]]]
    assert table(COLUMNS, wide, 42) == [
        "ID                    NAME             AGE",
        "11111111111111111111  Orders to the..  5m",
    ]


def test_what_is_to_stay_whole_is_cut_when_nothing_can_be_left_out_any_more() -> None:
    columns = (
        Column("NAME", may_shrink=True),
        Column("JOB", may_shrink=True, least=30),
        Column("AGE", 1),
    )
    rows = [["n" * 30, "j" * 30, "5m"]]
    assert table(columns, rows, 50)[1] == f"{'n' * 11}..  {'j' * 30}  5m"
    assert table(columns, rows, 45)[1] == f"{'n' * 11}..  {'j' * 30}"
    assert table(columns, rows, 40)[1] == f"{'n' * 10}..  {'j' * 24}.."


def test_in_a_very_narrow_one_each_value_has_a_line() -> None:
    assert table(COLUMNS, ROWS, 20) == [
        "ID: 123",
        "NAME: Orders to the",
        "  warehouse",
        "TYPE: INCREMENTAL",
        "AGE: 5m",
        "",
        "ID: 7",
        "NAME: x",
        "TYPE: HISTORICAL",
        "AGE: 2d",
    ]


def test_what_must_be_there_and_has_no_room_is_not_cut() -> None:
    ref = "123:550e8400-e29b-41d4-a716-446655440000"
    columns = (Column("JOB"), Column("OTHER JOB"))
    lines = table(columns, [[ref, ref]], 60)
    assert lines == [f"JOB: {ref}", f"OTHER JOB: {ref}"]


def test_no_rows_no_table() -> None:
    assert table(COLUMNS, [], 80) == []


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("数据", 4), ("e\u0301", 1)])
def test_a_text_takes_cells_of_the_terminal(text: str, width: int) -> None:
    assert cells(text) == width


@given(st.text(max_size=30), st.integers(2, 20))
def test_what_is_cut_has_room(text: str, width: int) -> None:
    assert cells(cut(text, width)) <= max(width, 2)
    assert cut(text, 100) == text


@given(
    st.lists(
        st.lists(st.text("ab é数", max_size=30), min_size=4, max_size=4), min_size=1, max_size=4
    ),
    st.integers(MIN_TABLE, 120),
)
def test_no_line_is_wider_than_the_terminal(rows: list[list[str]], width: int) -> None:
    short = [[row[0][:5], *row[1:]] for row in rows]
    assert all(cells(line) <= width for line in table(COLUMNS, short, width))
