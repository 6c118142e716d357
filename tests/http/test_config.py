"""Credentials, URLs and options: what is wrong is raised before any request."""

from __future__ import annotations

import base64
import pickle
from typing import Any

import pytest

from hevo_edge import HevoClient, RateLimit, errors
from hevo_edge._http.config import CLIENT_DEFAULTS, ClientKeywords, Config
from hevo_edge._text.printable import printable
from hevo_edge.enums import Dialect


def config(**options: Any) -> Config:
    return Config("key", "secret", **{"region": "us", **options})


@pytest.mark.parametrize("missing", [None, "", "   "])
def test_missing_key_or_secret_names_the_variables(missing: str | None) -> None:
    with pytest.raises(errors.ConfigurationError, match="api_key is missing.*HEVO_API_KEY"):
        HevoClient(missing, "secret", region="us")
    with pytest.raises(errors.ConfigurationError, match="api_secret is missing.*HEVO_API_SECRET"):
        HevoClient("key", missing, region="us")


def test_credentials_of_a_wrong_kind() -> None:
    with pytest.raises(errors.ConfigurationError, match="api_key must be a string, not int"):
        HevoClient(12, "secret", region="us")  # type: ignore[arg-type]
    with pytest.raises(errors.ConfigurationError, match="colon"):
        HevoClient("key:secret", "secret", region="us")


def test_credentials_make_a_basic_authorization_header() -> None:
    made = Config(" key ", "sécret\n", region="us")
    token = made.headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(token).decode() == "key:sécret"


@pytest.mark.parametrize("region", ["us", "EU", "us-gcp", "s-walrus", "us2"])
def test_a_region_is_any_host_label(region: str) -> None:
    assert config(region=region).base_url == f"https://{region.lower()}.hevodata.com"


@pytest.mark.parametrize(
    "region", ["", " ", "https://us", "us/x", "u s", "us.hevodata.com", "-us", "us\n", "ü", 5]
)
def test_a_region_that_is_no_host_label_is_refused(region: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="region must be"):
        config(region=region)


@pytest.mark.parametrize(
    ("given", "base_url"),
    [
        ("https://us.hevodata.com", "https://us.hevodata.com"),
        ("https://us.hevodata.com/", "https://us.hevodata.com"),
        ("https://us.hevodata.com/api/v1/", "https://us.hevodata.com"),
        ("https://proxy.example:8443/hevo", "https://proxy.example:8443/hevo"),
        ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:80", "http://localhost:80"),
        ("http://[::1]:5", "http://[::1]:5"),
    ],
)
def test_a_base_url(given: str, base_url: str) -> None:
    assert config(region=None, base_url=given).base_url == base_url


@pytest.mark.parametrize(
    ("base_url", "message"),
    [
        ("us.hevodata.com", "scheme and host"),
        ("https://", "scheme and host"),
        ("ftp://us.hevodata.com", "scheme and host"),
        ("", "scheme and host"),
        (7, "scheme and host"),
        ("https://us.hevodata.com:port", "not a URL"),
        ("https://us.hevodata.com?a=b", "query"),
        ("https://us.hevodata.com/#x", "query"),
        ("https://us.hevodata.com/a b", "white space"),
        ("http://us.hevodata.com", "clear text"),
        ("http://10.0.0.1", "clear text"),
        ("http://localhost.example.com", "clear text"),
    ],
)
def test_a_wrong_base_url_is_refused(base_url: Any, message: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=message):
        config(region=None, base_url=base_url)


def test_credentials_in_the_base_url_are_refused_and_not_quoted() -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        config(region=None, base_url="https://me:hunter2@us.hevodata.com")
    assert "must not hold credentials" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    for odd in (
        "me:hunter2@us.hevodata.com",
        "https:/me:hunter2@x",
        "https://x?token=hunter2",
        "https://me:hunter2",
        "https://me:hunter2\u2100@host",
    ):
        with pytest.raises(errors.ConfigurationError) as caught:
            config(region=None, base_url=odd)
        assert "hunter2" not in str(caught.value)


def test_plain_http_to_a_foreign_host_takes_insecure() -> None:
    made = config(region=None, base_url="http://10.0.0.1", insecure=True)
    assert made.base_url == "http://10.0.0.1"


def test_region_and_base_url_exclude_each_other_and_one_is_needed() -> None:
    with pytest.raises(errors.ConfigurationError, match="not both"):
        config(base_url="https://us.hevodata.com")
    with pytest.raises(errors.ConfigurationError, match="region is missing.*HEVO_REGION"):
        config(region=None)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "5", True, None])
def test_a_timeout_is_a_positive_number(timeout: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="timeout"):
        config(timeout=timeout)


@pytest.mark.parametrize("retries", [-1, 1.5, True, "3"])
def test_max_retries_is_a_count(retries: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="max_retries"):
        config(max_retries=retries)


def test_the_dialect_is_a_known_one() -> None:
    with pytest.raises(errors.ConfigurationError, match="'resync_mode', 'drop_and_load'"):
        config(dialect="classic")


def test_the_rate_limit_is_a_rate_limit() -> None:
    with pytest.raises(errors.ConfigurationError, match=r"RateLimit\(100, 60.0\)"):
        HevoClient("key", "secret", region="us", rate_limit=100)  # type: ignore[arg-type]
    with pytest.raises(errors.ConfigurationError, match=r"RateLimit\(100, 60.0\)"):
        config(rate_limit=100)
    assert config(rate_limit=None).rate_limit is None


def test_every_keyword_has_a_default_and_an_unknown_one_is_refused() -> None:
    assert CLIENT_DEFAULTS.keys() == ClientKeywords.__annotations__.keys()
    made = config()
    assert (made.rate_limit, made.timeout, made.max_retries) == (RateLimit(100, 60.0), 30.0, 3)
    assert (made.proxy, made.ssl, made.session) == (None, True, None)
    assert made.dialect is Dialect.RESYNC_MODE
    with pytest.raises(TypeError, match="unexpected keyword argument 'regoin'"):
        config(regoin="us")


def test_headers_are_added_and_the_user_agent_extended() -> None:
    headers = config(headers={"X-Team": "data", "user-agent": "my-dag/1"}).headers
    assert headers["X-Team"] == "data"
    assert headers["User-Agent"].startswith("my-dag/1 hevo-edge/")
    assert config().headers["User-Agent"].startswith("hevo-edge/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic x"},
        {"content-length": "1"},
        {"Content-Type": "text/plain"},
        {"X Team": "a"},
        {"X-Team": "a\r\nInjected: b"},
        {"X-Team": 5},
        {5: "a"},
    ],
)
def test_headers_that_would_break_a_request_are_refused(headers: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="headers: "):
        config(headers=headers)


def test_from_env(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEVO_API_KEY", "HEVO_API_SECRET", "HEVO_REGION", "HEVO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(errors.ConfigurationError, match="HEVO_API_KEY"):
        HevoClient.from_env()
    with pytest.raises(errors.ConfigurationError, match="lacks HEVO_API_SECRET, HEVO_REGION or"):
        HevoClient.from_env(api_key="key")
    monkeypatch.setenv("HEVO_API_KEY", "key")
    monkeypatch.setenv("HEVO_API_SECRET", "secret")
    with pytest.raises(errors.ConfigurationError, match="HEVO_REGION"):
        HevoClient.from_env()
    monkeypatch.setenv("HEVO_REGION", "eu")
    assert HevoClient.from_env().base_url == "https://eu.hevodata.com"
    # What is passed wins, also over the other of the two.
    assert HevoClient.from_env(region="in").base_url == "https://in.hevodata.com"
    assert HevoClient.from_env(base_url="https://h.example").base_url == "https://h.example"
    monkeypatch.setenv("HEVO_BASE_URL", "https://other.example")
    with pytest.raises(errors.ConfigurationError, match="not both.*HEVO_REGION, HEVO_BASE_URL"):
        HevoClient.from_env()


def test_credentials_show_nowhere() -> None:
    made = Config("my-key", "my-secret", region="us")
    token = made.headers["Authorization"].removeprefix("Basic ")
    client = HevoClient("my-key", "my-secret", region="us")
    assert "my-" not in repr(made) + repr(client)
    assert printable(f"echo my-key my-secret {token}") == "echo *** *** ***"
    short = Config("k", "s", region="us")
    assert printable("a likely token, as such") == "a likely token, as such"
    for holder in (made, client, short):
        with pytest.raises(TypeError, match="not picklable"):
            pickle.dumps(holder)
