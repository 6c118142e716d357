"""The base of models whose repr is bounded and without secrets."""

from __future__ import annotations

from pydantic import BaseModel

from hevo_edge._text.printable import printable


class PrintableModel(BaseModel):
    """A model that is shown like everything else; its data stays as it is."""

    def __repr__(self) -> str:
        return printable(super().__repr__())

    def __str__(self) -> str:
        return printable(super().__str__())
