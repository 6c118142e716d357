"""Airflow connections, read as accounts of Hevo."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    Connection,
)

from hevo_edge.errors import ConfigurationError
from hevo_edge.integrations.airflow import HevoHook, connections
from hevo_edge.orchestration import Account
from tests.integrations.airflow.support import operator, sensor

KEYS = {"login": "key-of-hevo", "password": "secret-of-hevo"}


def read(**fields: Any) -> Account:
    given = {**KEYS, "host": "us", **fields}
    return connections.account("conn", Connection(conn_id="conn", conn_type="hevo", **given))


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "us"}, "https://us.hevodata.com"),
        ({"host": "us.hevodata.com", "port": 8443}, "https://us.hevodata.com:8443"),
        ({"host": "127.0.0.1", "port": 8787, "schema": "http"}, "http://127.0.0.1:8787"),
        ({"host": "us.hevodata.com", "schema": "hevo"}, "https://us.hevodata.com"),
        ({"host": "us", "extra": '{"timeout": 7}'}, "https://us.hevodata.com"),
    ],
)
def test_the_fields_of_a_connection_are_those_of_an_account(
    fields: dict[str, Any], url: str
) -> None:
    account = read(**fields)
    assert account.client().base_url == account.base_url == url
    assert (account.api_key, account.api_secret) == ("key-of-hevo", "secret-of-hevo")
    assert account.extras == fields.get("extra", "{}")


def test_the_extras_of_a_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = "rate_limit=50&timeout=20&verify=false&insecure=true&trust_env=false"
    headers = "headers=%7B%22X-Team%22%3A+%22data%22%7D"
    uri = f"hevo://key:secret@hevo.internal:8443/http?{extras}&{headers}"
    monkeypatch.setenv("AIRFLOW_CONN_CONN", uri)
    account = connections.read("conn")
    assert account.client().base_url == "http://hevo.internal:8443"
    assert account.extras == (
        '{"headers": {"X-Team": "data"}, "insecure": true, "rate_limit": 50, "timeout": 20, '
        '"trust_env": false, "verify": false}'
    )


@pytest.mark.parametrize(
    "uri",
    [
        "http://key:secret@us.hevodata.com",
        "hevo://key:secret@us.hevodata.com/",
        "hevo://key:secret@us",
        "hevo://key:secret@us.hevodata.com/https",
    ],
)
def test_a_connection_given_as_a_uri(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CONN", uri)
    of_uri = connections.read("conn")
    assert of_uri.client().base_url == "https://us.hevodata.com"
    assert (of_uri.api_key, of_uri.api_secret) == ("key", "secret")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"extra": "{"}, "the extra is no JSON"),
        ({"extra": '{"timeout": -1}'}, "timeout"),
        ({"password": ""}, "password .* missing"),
        ({"host": "https://"}, "host"),
    ],
)
def test_what_is_wrong_is_named_with_the_connection(fields: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"connection 'conn': .*{words}") as caught:
        read(**fields)
    assert "secret-of-hevo" not in str(caught.value)


def test_no_repr_shows_a_secret() -> None:
    shown = repr(read(extra='{"headers": {"X-Token": "another-secret"}}'))
    assert "conn" in shown
    for hidden in ("key-of-hevo", "secret-of-hevo", "another-secret"):
        assert hidden not in shown


BROKEN = "hevo://key@us.hevodata.com"


@pytest.mark.parametrize(
    "use",
    [
        lambda: HevoHook("conn").client(),
        lambda: asyncio.run(HevoHook("conn").aclient()),
        lambda: HevoHook("conn").get_pipeline_sync(123),
    ],
)
def test_the_hook_fails_for_good_and_names_the_connection(
    use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CONN", BROKEN)
    with pytest.raises(AirflowFailException, match="connection 'conn': password"):
        use()
    monkeypatch.delenv("AIRFLOW_CONN_CONN")
    with pytest.raises(AirflowNotFoundException, match="conn"):
        use()


def test_the_hooks_own_options_are_checked_with_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CONN", "hevo://key:secret@us")
    with pytest.raises(AirflowFailException, match="connection 'conn': timeout"):
        HevoHook("conn", timeout=-1).client()


@pytest.mark.parametrize("make", [operator, sensor])
@pytest.mark.parametrize("deferrable", [True, False])
def test_tasks_fail_for_good_and_name_the_connection(
    context: Any, monkeypatch: pytest.MonkeyPatch, make: Any, deferrable: bool
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CONN", BROKEN)
    with pytest.raises(AirflowFailException, match="connection 'conn': password"):
        make(connection_id="conn", deferrable=deferrable).execute(context)


def test_an_airflow_that_cannot_be_asked_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(connection_id: str) -> Any:
        raise OSError("the database is gone")

    monkeypatch.setattr(connections, "get_async_connection", fails)
    with pytest.raises(AirflowException, match="connection 'conn' cannot be read: the database"):
        asyncio.run(HevoHook("conn").aclient())
