"""HevoResource: an account of Hevo as Dagster configures it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import ConfigurationError
from hevo_edge.integrations.dagster import HevoResource
from tests.integrations.dagster.support import (
    OFTEN,
    assets_of,
    failure_of,
    materialize,
    resource_of,
)
from tests.integrations.dagster.test_never_doubled import job_of, nothing


def resource(**options: Any) -> HevoResource:
    return HevoResource(**{"api_key": "key", "api_secret": "hidden", "region": "us", **options})


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "of the environment")
    hevo = resource(api_secret=dg.EnvVar("MY_SECRET")).process_config_and_initialize()
    assert hevo.get_account().api_secret == "of the environment"


def test_it_makes_clients_with_all_options(emu: HevoEmulator) -> None:
    hevo = resource_of(
        emu,
        timeout=5,
        max_retries=1,
        headers={"X-Team": "data"},
        trust_env=False,
        dialect="drop_and_load",
    )

    async def name() -> str | None:
        async with hevo.get_client(timeout=7) as client:
            assert client._core.dialect == "drop_and_load"
            return (await client.get_pipeline(7)).name

    assert asyncio.run(name()) == "Pipeline 7"


def test_no_secret_is_shown() -> None:
    hevo = resource(
        headers={"X-Token": "hidden"},
        proxy="http://user:hidden@proxy:1",
        rate_limit_store="redis://:hidden@redis:1",
    )
    assert "hidden" not in f"{hevo!r} {hevo}"
    assert "hidden" not in repr(resource(headers={"X-Token": "hidden"}).get_account())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"region": None}, "give region or base_url$"),
        ({"base_url": "https://us.hevodata.com"}, "give region or base_url, not both"),
        ({"api_key": ""}, "API key"),
        ({"region": "no region"}, "no region"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"rate_limit_store": "file"}, "rate_limit_store"),
        ({"rate_limit_name": "ours"}, "rate_limit_name"),
        ({"timeout": 0}, "timeout"),
        ({"dialect": "oldest"}, "dialect"),
        ({"ca_file": "/no/such/file"}, "verify"),
    ],
)
def test_what_is_wrong_names_the_resource_and_the_field(
    options: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        resource(**options).get_account()
    assert str(caught.value).startswith("HevoResource(")


def test_tls_is_checked_unless_one_asks_for_less(tmp_path: Path) -> None:
    assert '"verify": true' in resource().get_account().extras
    assert '"verify": false' in resource(verify=False).get_account().extras


def test_a_step_with_a_wrong_account_fails_without_a_retry(
    emu: HevoEmulator, instance: dg.DagsterInstance
) -> None:
    job = job_of(resource_of(emu, region="us"), nothing, retry_policy=dg.RetryPolicy(max_retries=3))
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_a_key_that_is_refused_fails_the_step_and_says_so(
    emu: HevoEmulator, instance: dg.DagsterInstance
) -> None:
    assets = assets_of(resource_of(emu))
    result = materialize(assets, resource_of(emu, api_secret="wrong"), instance)
    assert "401" in failure_of(result)


def test_an_op_may_run_a_pipeline_by_the_resource(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    @dg.op
    def sync(context, hevo: HevoResource):  # type: ignore[no-untyped-def]
        return hevo.run(context, 7, if_running="wait", **OFTEN).job_id

    @dg.job
    def job() -> None:
        sync()

    result = job.execute_in_process(instance=instance, resources={"hevo": hevo})
    assert result.output_for_node("sync") == emu.pipeline(7).jobs[-1].job_id
