"""The blocks: what they hold, what they refuse, saved and loaded by name."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.blocks.core import Block
from prefect.client.schemas.actions import BlockDocumentUpdate
from prefect.plugins import load_prefect_collections
from pydantic import ValidationError

from hevo_edge._http.ratelimit import RateLimit
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import ConfigurationError
from hevo_edge.integrations.prefect import (
    HevoCredentials,
    HevoJobRun,
    HevoPipeline,
    sync_and_wait,
)
from hevo_edge.orchestration import RunFailed
from tests.integrations.prefect.support import OFTEN, credentials_of, starts

KEYS: Any = {"api_key": "the-key", "api_secret": "very-secret"}


def test_the_credentials_come_back_by_name_with_their_secrets(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    loaded: Any = HevoCredentials.load("hevo")
    assert loaded.account() == credentials.account()
    assert loaded.saved_as == "hevo"
    assert emu.api_secret not in repr(loaded)
    # By slug, as a user does who has not imported this package.
    by_slug: Any = Block.load("hevo-edge-credentials/hevo")
    assert isinstance(by_slug, HevoCredentials)


def test_a_pipeline_holds_its_credentials(credentials: HevoCredentials) -> None:
    saved: Any = HevoPipeline(credentials=credentials, pipeline_id=7, if_running="wait")
    saved.save("orders", overwrite=True)
    loaded: Any = HevoPipeline.load("orders")
    assert (loaded.pipeline_id, loaded.if_running) == (7, "wait")
    assert loaded.credentials.account() == credentials.account()


def test_the_collection_is_found_and_its_types_show_what_they_are(
    credentials: HevoCredentials,
) -> None:
    assert "hevo_edge" in load_prefect_collections()
    HevoPipeline.register_type_and_schema()
    with get_client(sync_client=True) as client:
        for slug in ("hevo-edge-credentials", "hevo-edge-pipeline"):
            reply = client.request("GET", "/block_types/slug/{slug}", path_params={"slug": slug})
            shown = reply.json()
            assert Path(shown["logo_url"].partition("/main/")[2]).read_text().startswith("<svg")
            assert shown["documentation_url"].endswith("prefect.md")
            assert "hevo_edge.integrations.prefect" in shown["code_example"]
            assert shown["description"]


def test_every_option_reaches_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(
        "hevo_edge.orchestration.account.HevoClient",
        lambda key, secret, **options: seen.update(options, key=key, secret=secret) or Client(),
    )

    class Client:
        base_url = "https://eu.hevodata.com"

    block = HevoCredentials(
        **KEYS,
        region="eu",
        rate_limit=50,
        rate_limit_store="redis://:password@host/0",
        rate_limit_name="team",
        timeout=7,
        max_retries=1,
        headers={"X-Team": "data"},
        proxy="http://user:password@proxy:3128",
        trust_env=False,
        verify=False,
        dialect="drop_and_load",
        insecure=True,
    )
    block.get_client(observer=None)
    del seen["region"]  # of the check, which finds the address
    shared: Any = {"shared": "redis://:password@host/0", "shared_name": "team"}
    assert seen == {
        "key": "the-key",
        "secret": "very-secret",
        "base_url": "https://eu.hevodata.com",
        "rate_limit": RateLimit(50, 60.0, **shared),
        "timeout": 7,
        "max_retries": 1,
        "headers": {"X-Team": "data"},
        "proxy": "http://user:password@proxy:3128",
        "trust_env": False,
        "ssl": False,
        "dialect": "drop_and_load",
        "insecure": True,
        "observer": None,
    }
    assert "password" not in f"{block!r} {block.model_dump_json()}"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"region": "us", "base_url": "https://us.hevodata.com"}, "not both"),
        ({}, "host is missing"),
        ({"region": "us", "timeout": -1}, "timeout"),
        ({"region": "us", "regoin": "eu"}, "regoin"),
        ({"region": "us", "dialect": "latin"}, "dialect"),
        ({"base_url": "http://hevo.example.com"}, "insecure"),
    ],
)
def test_what_is_wrong_is_refused_before_it_is_saved(options: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        HevoCredentials(**KEYS, **options).save("never")
    assert "very-secret" not in str(caught.value)
    block = HevoCredentials(**KEYS, region="us")
    with pytest.raises(ValidationError, match="not both"):
        block.base_url = "https://eu.hevodata.com"
    with pytest.raises(ValueError, match="never"):
        HevoCredentials.load("never")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pipeline_id": 0}, "pipeline_id"),
        ({"if_running": "maybe"}, "if_running"),
        ({"drop_and_load": True}, "RESYNC"),
        ({"cancel_on_kill": "perhaps"}, "cancel_on_kill"),
        ({"poll_intervall": 3}, "poll_intervall"),
        ({"timeout": -1.0}, "timeout"),
    ],
)
def test_a_pipeline_with_wrong_options_is_refused(options: Any, words: str) -> None:
    block = HevoCredentials(**KEYS, region="us")
    with pytest.raises(ValidationError, match=words):
        HevoPipeline(**{"credentials": block, "pipeline_id": 7, **options})


def test_durations_and_what_goes_with_fresh_within() -> None:
    """As everywhere in the package: a timedelta will do, and a Job that runs will be fresh."""
    options: Any = {"fresh_within": timedelta(hours=1), "timeout": timedelta(minutes=2)}
    block = HevoCredentials(**KEYS, region="us")
    pipeline = HevoPipeline(credentials=block, pipeline_id=7, **options)
    assert (pipeline.fresh_within, pipeline.timeout) == (3600.0, 120.0)
    assert pipeline.spec().if_running == "join"
    pipeline.if_running = "fail"
    assert pipeline.spec().if_running == "fail"
    assert HevoPipeline(credentials=block, pipeline_id=7).spec().if_running == "fail"


def test_trigger_wait_and_fetch(credentials: HevoCredentials, emu: HevoEmulator) -> None:
    @flow
    def sync() -> dict[str, Any]:
        job_run = HevoPipeline(credentials=credentials, pipeline_id=7, **OFTEN).trigger()
        assert isinstance(job_run, HevoJobRun)
        assert job_run.job["pipeline_id"] == 7
        with pytest.raises(ConfigurationError, match="wait_for_completion"):
            job_run.fetch_result()
        job_run.wait_for_completion()
        return job_run.fetch_result()

    assert sync()["events_loaded"] == 1000
    assert starts(emu) == 1


def test_the_twins(credentials: HevoCredentials, emu: HevoEmulator) -> None:
    @flow
    async def sync() -> dict[str, Any]:
        emu.pipeline(7).plan(outcome="FAILED")
        block = HevoPipeline(credentials=credentials, pipeline_id=7, **OFTEN)
        job_run = await block.atrigger()
        await job_run.await_for_completion()
        with pytest.raises(RunFailed, match="ended FAILED"):
            await job_run.afetch_result()
        again = await block.atrigger()
        await again.await_for_completion()
        return await again.afetch_result()

    assert asyncio.run(sync())["status"] == "COMPLETED"
    assert starts(emu) == 2


def test_a_run_that_cannot_be_started_raises(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    emu.pipeline(123).start_job(now=emu.now)
    with pytest.raises(RunFailed, match="is running"):
        HevoPipeline(credentials=credentials, pipeline_id=123, durable=False).trigger()
    wrong = credentials_of(emu, api_secret="wrong")
    with pytest.raises(RunFailed, match="401"):
        HevoPipeline(credentials=wrong, pipeline_id=7, durable=False).trigger()
    assert starts(emu) == 0


def test_a_block_that_the_ui_saved_wrong_says_so_in_the_first_task(
    emu: HevoEmulator,
) -> None:
    block: Any = credentials_of(emu)
    saved = block.save("both", overwrite=True)

    async def change() -> None:
        async with get_client() as client:
            document = await client.read_block_document(saved)
            data = {**document.data, "region": "us"}
            await client.update_block_document(
                saved,
                BlockDocumentUpdate(
                    block_schema_id=document.block_schema_id, data=data, merge_existing_data=True
                ),
            )

    asyncio.run(change())

    @flow
    def one() -> Any:
        return sync_and_wait("both", 7, return_state=True, **OFTEN)

    flow_run: Any = one(return_state=True)
    state = flow_run.result(raise_on_failure=False)
    assert "block 'both': name either a region or a base_url, not both" in str(state.message)
    assert starts(emu) == 0
