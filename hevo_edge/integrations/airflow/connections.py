"""Airflow connections, read as accounts of Hevo, and a triggerer's clients."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowNotFoundException,
    BaseHook,
)

from hevo_edge.orchestration import Account, ClientPool


def account(connection_id: str, connection: Any) -> Account:
    """Read an Airflow connection.

    Raises:
        ConfigurationError: naming the connection and what it lacks.
    """
    return Account.parse(
        login=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        scheme=connection.schema,
        extra=connection.extra,
        name=f"connection {connection_id!r}",
    )


def read(connection_id: str) -> Account:
    """Read a connection of Airflow. Blocks.

    Raises:
        AirflowNotFoundException: when there is none of that id.
        ConfigurationError: naming the connection and what it lacks.
    """
    return account(connection_id, BaseHook.get_connection(connection_id))


async def read_async(connection_id: str) -> Account:
    """Read a connection of Airflow without blocking the event loop.

    Raises:
        AirflowNotFoundException: when there is none of that id.
        ConfigurationError: naming the connection and what it lacks.
        AirflowException: when Airflow cannot be asked.
    """
    try:
        connection = await get_async_connection(connection_id)
    except AirflowException:
        raise
    except Exception as error:
        raise AirflowException(f"connection {connection_id!r} cannot be read: {error}") from error
    return account(connection_id, connection)


def _is_gone(error: Exception) -> bool:
    return isinstance(error, AirflowNotFoundException)


CLIENTS: ClientPool = ClientPool(_is_gone)
"""The clients of a triggerer: its waits share their polls and the call budget."""
