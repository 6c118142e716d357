"""What an Airflow connection says, field by field."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Connection

from hevo_edge import HevoClient, RateLimit
from hevo_edge.integrations.airflow import connections
from hevo_edge.integrations.airflow.connections import Account, account

KEYS = {"login": "key-of-hevo", "password": "secret-of-hevo"}


def read(**fields: Any) -> Account:
    extra = fields.pop("extra", None)
    if extra is not None and not isinstance(extra, str):
        extra = json.dumps(extra)
    given = {**KEYS, "host": "us", **fields}
    return account("conn", Connection(conn_id="conn", conn_type="hevo", extra=extra, **given))


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options with which the last client was made."""
    options: dict[str, Any] = {}

    def client(*args: Any, **given: Any) -> HevoClient:
        options.update(given)
        return HevoClient(*args, **given)

    monkeypatch.setattr(connections, "HevoClient", client)
    return options


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "us"}, "https://us.hevodata.com"),
        ({"host": " eu "}, "https://eu.hevodata.com"),
        ({"host": "us2", "schema": "https"}, "https://us2.hevodata.com"),
        ({"host": "us.hevodata.com"}, "https://us.hevodata.com"),
        ({"host": "us.hevodata.com", "schema": "https"}, "https://us.hevodata.com"),
        ({"host": "us.hevodata.com", "port": 8443}, "https://us.hevodata.com:8443"),
        ({"host": "https://us.hevodata.com"}, "https://us.hevodata.com"),
        ({"host": "https://us.hevodata.com/"}, "https://us.hevodata.com"),
        ({"host": "https://us.hevodata.com/", "port": 8443}, "https://us.hevodata.com:8443"),
        ({"host": "https://us.hevodata.com:444", "port": 8443}, "https://us.hevodata.com:444"),
        ({"host": "https://us.hevodata.com", "schema": "http"}, "https://us.hevodata.com"),
        ({"host": "http://127.0.0.1:8787"}, "http://127.0.0.1:8787"),
        ({"host": "127.0.0.1", "port": 8787, "schema": "http"}, "http://127.0.0.1:8787"),
        ({"host": "localhost", "port": 8787, "schema": "http"}, "http://localhost:8787"),
        ({"host": "localhost", "schema": "http"}, "http://localhost"),
        ({"host": "[::1]", "port": 8787, "schema": "http"}, "http://[::1]:8787"),
        ({"host": "us.hevodata.com", "schema": "hevo"}, "https://us.hevodata.com"),
    ],
)
def test_where_hevo_is(fields: dict[str, Any], url: str) -> None:
    assert read(**fields).client().base_url == url


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


def test_spaces_around_what_was_pasted_do_no_harm() -> None:
    spaced = read(login=" key \n", password="\tsecret ")
    assert (spaced.api_key, spaced.api_secret) == ("key", "secret")


@pytest.mark.parametrize(
    "extra",
    [
        None,
        "",
        {},
        {"headers": {}},
        {"headers": {"X-Team": "data"}},
        {"headers": None},
        {"proxy": "http://proxy:3128"},
        {"proxy": ""},
        {"proxy": None},
        {"verify": False},
        {"verify": True},
        {"rate_limit": 50},
        {"rate_limit": None},
        {"timeout": 10},
        {"timeout": None},
        {"dialect": "drop_and_load"},
        {"insecure": False},
        {"extra__http__unknown": "of another time"},
    ],
)
def test_extras_that_are_fine(extra: Any) -> None:
    assert read(extra=extra).client().base_url == "https://us.hevodata.com"


def test_extras_reach_the_client(options: dict[str, Any]) -> None:
    extra = {
        "rate_limit": 50,
        "headers": {"X-Team": "data"},
        "proxy": "http://proxy:3128",
        "verify": False,
        "timeout": 7,
        "dialect": "drop_and_load",
    }
    read(extra=extra).client()
    assert options["headers"] == {"X-Team": "data"}
    assert options["proxy"] == "http://proxy:3128"
    assert options["ssl"] is False
    assert options["timeout"] == 7
    assert options["dialect"] == "drop_and_load"
    assert options["rate_limit"] == RateLimit(50, 60.0, shared=True)


def test_the_certificates_of_a_file_are_trusted(options: dict[str, Any]) -> None:
    bundle = Path(__file__).parents[2] / "worthless.pem"
    read(extra={"verify": str(bundle)}).client()
    assert isinstance(options["ssl"], ssl.SSLContext)


@pytest.mark.parametrize(
    ("extra", "of_the_hook", "expected"), [({}, None, 30), ({"timeout": 7}, None, 7), ({}, 9, 9)]
)
def test_the_timeout_is_the_hooks_else_the_connections_else_the_sdks(
    options: dict[str, Any], extra: Any, of_the_hook: float | None, expected: float
) -> None:
    read(extra=extra).client(timeout=of_the_hook)
    assert options["timeout"] == expected


def test_plain_http_to_elsewhere_must_be_insisted_on() -> None:
    fields: dict[str, Any] = {"host": "http://hevo.internal"}
    with pytest.raises(AirflowFailException, match="insecure"):
        read(**fields).client()
    trusting = read(**fields, extra={"insecure": True})
    assert trusting.client().base_url == "http://hevo.internal"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("{", "the extra is no JSON"),
        ("[1]", "the extra is no JSON object"),
        ({"headers": "X-Team: data"}, "headers"),
        ({"headers": ["X-Team"]}, "headers"),
        ({"headers": {"X-Team": 5}}, "X-Team"),
        ({"headers": {"Authorization": "Basic abc"}}, "[Aa]uthorization"),
        ({"proxy": 5}, "proxy"),
        ({"proxy": "proxy"}, "proxy"),
        ({"verify": "/nowhere/ca.pem"}, "verify: cannot read '/nowhere/ca.pem'"),
        ({"verify": "no"}, "verify"),
        ({"verify": None}, "verify"),
        ({"verify": 0}, "verify"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"rate_limit": "50"}, "rate_limit"),
        ({"timeout": "10"}, "timeout"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"dialect": "classic"}, "dialect"),
        ({"dialect": None}, "dialect"),
        ({"insecure": "yes"}, "insecure"),
    ],
)
def test_extras_that_are_wrong_are_named_with_the_connection(extra: Any, words: str) -> None:
    with pytest.raises(AirflowFailException, match=f"connection 'conn': .*{words}") as caught:
        read(extra=extra).client()
    assert "secret-of-hevo" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "us hevo"},
        {"host": "https://"},
        {"host": "https://key:secret@us.hevodata.com"},
        {"host": "us.hevodata.com", "port": 99999},
        {"login": "key:secret"},
    ],
)
def test_other_fields_that_are_wrong_are_named_with_the_connection(fields: Any) -> None:
    with pytest.raises(AirflowFailException, match="connection 'conn': ") as caught:
        read(**fields).client()
    assert "\n" not in str(caught.value)


def test_no_repr_shows_a_secret() -> None:
    shown = repr(read(extra={"headers": {"X-Token": "another-secret"}}))
    assert "conn" in shown
    for hidden in ("key-of-hevo", "secret-of-hevo", "another-secret"):
        assert hidden not in shown


def test_equal_connections_are_equal_whatever_the_order_of_their_extras() -> None:
    one = read(extra={"timeout": 5, "rate_limit": 9})
    assert one == read(extra={"rate_limit": 9, "timeout": 5, "unknown": 1})
    assert one != read(extra={"rate_limit": 9, "timeout": 6})
