"""Airflow connections, read as accounts of Hevo; and a triggerer's clients of them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    BaseHook,
)

from hevo_edge.errors import ConfigurationError
from hevo_edge.orchestration import Account, ClientPool


def account(connection_id: str, connection: Any) -> Account:
    """Read an Airflow connection.

    Raises:
        AirflowFailException: naming the connection and what it lacks.
    """
    with _named(connection_id):
        read_account = Account.parse(
            login=connection.login,
            password=connection.password,
            host=connection.host,
            port=connection.port,
            scheme=connection.schema,
            extra=connection.extra,
        )
        read_account.client()  # it is checked here; no request is made
        return read_account


def read(connection_id: str) -> Account:
    """Read a connection of Airflow. Blocks.

    Raises:
        AirflowNotFoundException: when there is none of that id.
        AirflowFailException: when it lacks something.
    """
    return account(connection_id, BaseHook.get_connection(connection_id))


async def read_async(connection_id: str) -> Account:
    """Read a connection of Airflow.

    Raises:
        AirflowNotFoundException: when there is none of that id.
        AirflowFailException: when it lacks something.
        AirflowException: when Airflow cannot be asked.
    """
    try:
        connection = await get_async_connection(connection_id)
    except AirflowException:
        raise
    except Exception as error:
        raise AirflowException(f"connection {connection_id!r} cannot be read: {error}") from error
    return account(connection_id, connection)


def _is_final(error: Exception) -> bool:
    return isinstance(error, (AirflowNotFoundException, AirflowFailException))


@contextmanager
def _named(connection_id: str) -> Generator[None, None, None]:
    try:
        yield
    except ConfigurationError as error:
        raise AirflowFailException(f"connection {connection_id!r}: {error}") from error


CLIENTS: ClientPool = ClientPool(_is_final)
"""The clients of a triggerer: its waits share their polls and the call budget."""
