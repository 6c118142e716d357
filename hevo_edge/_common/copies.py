"""Copies of what a client has handed out."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class KeepsClient:
    """A Job or a Pipeline: its copies keep its client, and share no snapshot that could change."""

    def __copy__(self) -> Self:
        # Not by way of a pickle, which leaves the client out.
        same = object.__new__(type(self))
        vars(same).update(vars(self))
        return same

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        memo[id(self)] = same = self.__copy__()
        vars(same)["_data"] = copy.deepcopy(vars(self)["_data"], memo)
        return same
