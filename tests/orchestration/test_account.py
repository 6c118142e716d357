"""The fields of an orchestrator's connection, one by one."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from hevo_edge import HevoClient, RateLimit
from hevo_edge._http.config import TIMEOUT
from hevo_edge.errors import ConfigurationError
from hevo_edge.orchestration import Account, account

REDIS = "redis://:secret-of-redis@cache:6379/0"

KEYS = {"login": "key-of-hevo", "password": "secret-of-hevo"}


def read(**fields: Any) -> Account:
    return Account.parse(**{**KEYS, "host": "us", "name": "connection 'conn'", **fields})


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options with which the last client was made."""
    options: dict[str, Any] = {}

    def client(*args: Any, **given: Any) -> HevoClient:
        options.update(given)
        return HevoClient(*args, **given)

    monkeypatch.setattr(account, "HevoClient", client)
    return options


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "us"}, "https://us.hevodata.com"),
        ({"host": " eu "}, "https://eu.hevodata.com"),
        ({"host": "us2", "scheme": "https"}, "https://us2.hevodata.com"),
        ({"host": "us.hevodata.com"}, "https://us.hevodata.com"),
        ({"host": "us.hevodata.com", "scheme": "https"}, "https://us.hevodata.com"),
        ({"host": "us.hevodata.com", "port": 8443}, "https://us.hevodata.com:8443"),
        ({"host": "https://us.hevodata.com"}, "https://us.hevodata.com"),
        ({"host": "https://us.hevodata.com/"}, "https://us.hevodata.com"),
        ({"host": "https://us.hevodata.com/", "port": 8443}, "https://us.hevodata.com:8443"),
        ({"host": "https://us.hevodata.com:444", "port": 8443}, "https://us.hevodata.com:444"),
        ({"host": "https://us.hevodata.com", "scheme": "http"}, "https://us.hevodata.com"),
        ({"host": "http://127.0.0.1:8787"}, "http://127.0.0.1:8787"),
        ({"host": "127.0.0.1", "port": 8787, "scheme": "http"}, "http://127.0.0.1:8787"),
        ({"host": "localhost", "port": 8787, "scheme": "http"}, "http://localhost:8787"),
        ({"host": "localhost", "scheme": "http"}, "http://localhost"),
        ({"host": "[::1]", "port": 8787, "scheme": "http"}, "http://[::1]:8787"),
        ({"host": "us.hevodata.com", "scheme": "hevo"}, "https://us.hevodata.com"),
    ],
)
def test_where_hevo_is(fields: dict[str, Any], url: str) -> None:
    assert read(**fields).client().base_url == url


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
        "max_retries": 0,
        "dialect": "drop_and_load",
    }
    read(extra=extra).client()
    assert options["headers"] == {"X-Team": "data"}
    assert options["proxy"] == "http://proxy:3128"
    assert options["ssl"] is False
    assert options["timeout"] == 7
    assert options["max_retries"] == 0
    assert options["dialect"] == "drop_and_load"
    assert options["rate_limit"] == RateLimit(50, 60.0, shared=True)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"rate_limit": "50"}, {"rate_limit": RateLimit(50, 60.0, shared=True)}),
        ({"rate_limit": "null"}, {"rate_limit": None}),
        ({"rate_limit": "None"}, {"rate_limit": None}),
        (
            {"rate_limit": 50, "rate_limit_store": REDIS, "rate_limit_name": "hevo"},
            {"rate_limit": RateLimit(50, 60.0, shared=REDIS, shared_name="hevo")},
        ),
        ({"rate_limit_store": REDIS}, {"rate_limit": RateLimit(100, 60.0, shared=REDIS)}),
        ({"timeout": "20"}, {"timeout": 20}),
        ({"timeout": "2.5"}, {"timeout": 2.5}),
        ({"verify": "false"}, {"ssl": False}),
        ({"verify": "True"}, {"ssl": True}),
        ({"insecure": "true"}, {"insecure": True}),
        ({"headers": '{"X-Team": "data"}'}, {"headers": {"X-Team": "data"}}),
        ({"trust_env": "False"}, {"trust_env": False}),
        ({"trust_env": False}, {"trust_env": False}),
        ({}, {"trust_env": True}),
        ({"proxy": "http://127.0.0.1:3128"}, {"proxy": "http://127.0.0.1:3128"}),
    ],
)
def test_extras_may_be_texts_as_in_a_uri(
    options: dict[str, Any], extra: dict[str, Any], expected: dict[str, Any]
) -> None:
    read(extra=extra).client()
    assert {name: options[name] for name in expected} == expected


def test_the_certificates_of_a_file_are_trusted(options: dict[str, Any]) -> None:
    bundle = Path(__file__).parents[1] / "worthless.pem"
    read(extra={"verify": str(bundle)}).client()
    assert isinstance(options["ssl"], ssl.SSLContext)


@pytest.mark.parametrize(
    ("extra", "override", "expected"),
    [({}, None, TIMEOUT), ({"timeout": 7}, None, 7), ({}, 9, 9), ({"timeout": 7}, 9, 9)],
)
def test_the_timeout_is_the_callers_else_the_connections_else_the_sdks(
    options: dict[str, Any], extra: Any, override: float | None, expected: float
) -> None:
    overrides = {} if override is None else {"timeout": override}
    assert read(extra=extra).client(**overrides) is not None
    assert options.get("timeout", TIMEOUT) == expected


def test_plain_http_to_elsewhere_must_be_insisted_on() -> None:
    fields: dict[str, Any] = {"host": "http://hevo.internal"}
    with pytest.raises(ConfigurationError, match="insecure"):
        read(**fields)
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
        ({"rate_limit": "fifty"}, "rate_limit"),
        ({"rate_limit_store": "/tmp/calls"}, "rate_limit_store must be the URL of a Redis"),
        ({"rate_limit_store": True}, "rate_limit_store must be the URL of a Redis"),
        ({"rate_limit_store": "memcached://secret-of-hevo@cache"}, "redis://"),
        ({"rate_limit_store": REDIS, "rate_limit_name": "a b"}, "shared_name"),
        ({"rate_limit_name": "hevo"}, "rate_limit_name goes with rate_limit_store"),
        ({"rate_limit": "0"}, "rate_limit"),
        ({"timeout": "10s"}, "timeout"),
        ({"timeout": "NaN"}, "timeout"),
        ({"headers": "[1]"}, "headers"),
        ({"trust_env": "maybe"}, "trust_env"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"dialect": "classic"}, "dialect"),
        ({"dialect": None}, "dialect"),
        ({"insecure": "yes"}, "insecure"),
    ],
)
def test_extras_that_are_wrong_are_named_with_the_connection(extra: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"connection 'conn': .*{words}") as caught:
        read(extra=extra)
    assert "secret-of" not in str(caught.value)


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
    with pytest.raises(ConfigurationError, match="connection 'conn': ") as caught:
        read(**fields)
    assert "\n" not in str(caught.value)


def test_no_repr_shows_a_secret() -> None:
    shown = repr(read(extra={"headers": {"X-Token": "another-secret"}}))
    assert "conn" in shown
    for hidden in ("key-of-hevo", "secret-of-hevo", "another-secret"):
        assert hidden not in shown


def test_equal_accounts_are_equal_whatever_the_order_of_their_extras() -> None:
    one = read(extra={"timeout": 5, "rate_limit": 9})
    assert one == read(extra={"rate_limit": 9, "timeout": 5, "unknown": 1})
    assert one != read(extra={"rate_limit": 9, "timeout": 6})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"login": None}, r"login \(the API key\) missing"),
        ({"login": " ", "password": ""}, r"login .* and password \(the API secret\) missing"),
        ({"host": None}, "the host is missing"),
        ({"host": "  "}, "the host is missing"),
    ],
)
def test_what_is_missing_is_named(fields: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^connection 'conn': {words}"):
        read(**fields)


def test_an_account_without_a_name_has_errors_without_one() -> None:
    with pytest.raises(ConfigurationError, match="^the host is missing"):
        read(host="", name="")


def test_extras_that_are_not_known_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    read(extra={"ratelimit": 3})
    read(extra={"ratelimit": 3}, name="")
    assert [record.getMessage() for record in caplog.records] == [
        "connection 'conn': extras that mean nothing here: ['ratelimit']",
        "extras that mean nothing here: ['ratelimit']",
    ]


def test_extras_may_be_a_mapping_or_json() -> None:
    extra = {"timeout": 5, "headers": {"X-Team": "data"}}
    assert read(extra=extra) == read(extra=json.dumps(extra))


def test_headers_of_the_caller_are_added(options: dict[str, Any]) -> None:
    of_team = read(extra={"headers": {"X-Team": "data", "X-Stage": "test"}})
    of_team.client(headers={"X-Stage": "live"})
    assert options["headers"] == {"X-Team": "data", "X-Stage": "live"}


def test_an_override_that_is_wrong_is_named_with_the_connection() -> None:
    with pytest.raises(ConfigurationError, match="^connection 'conn': timeout"):
        read().client(timeout=-1)


def test_the_callers_rate_limit_wins(options: dict[str, Any]) -> None:
    read(extra={"rate_limit": 50}).client(rate_limit=None)
    assert options["rate_limit"] is None


def test_where_calls_cannot_be_shared_a_process_counts_its_own(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unwritable(rate_limit: RateLimit, scope: str) -> None:
        raise ConfigurationError("the folder of the shared window cannot be written")

    monkeypatch.setattr(account, "open_window", unwritable)
    read(extra={"rate_limit": 50})
    assert options["rate_limit"] == RateLimit(50, 60.0)
    assert "this process counts its own calls alone" in caplog.text


def test_a_fingerprint_tells_accounts_apart_and_holds_no_key() -> None:
    fingerprint = read().fingerprint
    assert fingerprint == read(password="another", extra={"timeout": 5}, name="").fingerprint
    assert fingerprint == read(host="https://us.hevodata.com").fingerprint
    assert fingerprint != read(host="eu").fingerprint
    assert fingerprint != read(login="another-key").fingerprint
    assert "key-of-hevo" not in fingerprint
