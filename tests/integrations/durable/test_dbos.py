"""The recipe for DBOS, on a PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dbos import DBOSClient

from tests.integrations.durable.recipe import Engine, Recipe
from tests.integrations.durable.servers import postgres


class Dbos(Engine):
    name = "dbos"

    def start(self) -> None:
        self.worker(self.workflow_id)

    def cancel(self) -> None:
        with self._client() as client:
            client.cancel_workflow(self.workflow_id)

    def result(self) -> dict[str, Any] | str:
        with self._client() as client:
            try:
                outcome: dict[str, Any] = client.retrieve_workflow(self.workflow_id).get_result()
            except Exception as error:  # noqa: BLE001 -- whatever the workflow raised
                return str(error)
            return outcome

    @contextmanager
    def _client(self) -> Iterator[DBOSClient]:
        client = DBOSClient(system_database_url=self.address)
        try:
            yield client
        finally:
            client.destroy()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with postgres() as url:
        yield url


class TestDbos(Recipe):
    kind = Dbos
