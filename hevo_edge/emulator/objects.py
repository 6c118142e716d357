"""The objects of an emulated Pipeline, such as tables, and their fields as the API sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass
class EmulatedObject:
    """An object of a Pipeline.

    Attributes:
        name: Its name; two objects may have the same in two schemas.
        schema: Its schema in the source.
        database: Its database in the source.
        status: Whether it is included (``"ACTIVE"``), and else why not.
    """

    name: str
    schema: str = "public"
    database: str = "app"
    status: str = "ACTIVE"

    @property
    def can_be_resynced(self) -> bool:
        """Whether a resync may load it: it is included, or needs just that."""
        return self.status in {"ACTIVE", "BLOCKED", "INCONSISTENT", "RESETTING"}

    def wire(self, object_id: str, *, whole: bool) -> dict[str, Any]:
        """Return its fields in the API: the few of the list, or the whole."""
        fields: dict[str, Any] = {
            "object_id": object_id,
            "source_namespace": {"k0": self.name, "k1": self.schema, "k2": self.database},
            "destination_namespace": {"k0": self.name, "k1": "hevo", "k2": "warehouse"},
            "field_count": 1,
            "status": self.status,
            "replication_status": "REPLICATED",
        }
        if whole:
            column = {
                "source_name": "id",
                "source_type": "INTEGER",
                "destination_name": "id",
                "destination_type": "BIGINT",
                "status": "ACTIVE",
                "primary_key": True,
            }
            table = {"object_name": self.name, "destination_table_name": self.name}
            fields.update(table, load_mode="MERGE", fields=[column])
        return fields


class EmulatedObjects(dict[str, EmulatedObject]):
    """The objects of a Pipeline by their ids, and what its source has beside them.

    Args:
        new_id: Makes the id of an object.
        names: Those that are there at first.
    """

    def __init__(self, new_id: Callable[[], str], names: Iterable[str]) -> None:
        super().__init__()
        self._new_id = new_id
        self._unseen: list[EmulatedObject] = []
        for name in names:
            self.add(name)

    def add(
        self, name: str, *, schema: str = "public", database: str = "app", status: str = "ACTIVE"
    ) -> str:
        """Add an object that has been there for long. Returns its id."""
        object_id = self._new_id()
        self[object_id] = EmulatedObject(name, schema, database, status)
        return object_id

    def create_table(self, name: str, *, schema: str = "public", database: str = "app") -> None:
        """Create a table in the source, which Hevo sees when it reads the schema again."""
        self._unseen.append(EmulatedObject(name, schema, database))

    def read_schema(self, *, may_evolve: bool) -> bool:
        """Add the tables that are new in the source; say whether some are included by that."""
        seen, self._unseen = self._unseen, []
        for each in seen:
            each.status = "ACTIVE" if may_evolve else "BLOCKED"
            self[self._new_id()] = each
        return may_evolve and bool(seen)

    def find(self, named: str) -> str | None:
        """Return the id of the object with this id or name."""
        return named if named in self else next((i for i in self if self[i].name == named), None)

    @property
    def included(self) -> list[EmulatedObject]:
        """Those that each run loads."""
        return [each for each in self.values() if each.status == "ACTIVE"]
