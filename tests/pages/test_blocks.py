"""Every Python block of README and docs runs as it stands there, against the emulator.

A block prints nothing, unless ``PLAYS`` says what; there stands as well what else it needs, and
where the few are run that need more than this environment has. What a block defines for its reader
and does not call (``async def wait_for(ref)``) is called.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from hevo_edge._triggering.known_tickets import forget_tickets
from hevo_edge.emulator import HevoEmulator
from tests.pages import stage
from tests.pages.blocks import PAGES, ROOT, Block, blocks_of

pytestmark = pytest.mark.real_time

REF = r"123:[0-9a-f-]{36}"
PROGRESS = rf"(Pipeline 123 \w+ Job {REF[4:]}: \w+ after .*, [\d,]+ events loaded.*\n)+"


@dataclass(frozen=True)
class Play:
    """How a block runs, and what it says.

    Attributes:
        prints: What it prints to stdout and stderr, a regular expression.
        arrange: What happens in Hevo before.
        then: Code that runs after it, as its reader would go on.
        alone: It runs in a process of its own, in real time; the reason is what it shows.
        python: It needs this Python, or a later one.
        elsewhere: The test that runs it; the reason is what it needs.
    """

    prints: str = ""
    arrange: stage.Arrange = lambda _: None
    then: str = ""
    alone: bool = False
    python: tuple[int, int] = (3, 10)
    elsewhere: str = ""


def a_job_runs(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).start_job(now=emulator.now)


def items_are_left_out(emulator: HevoEmulator) -> None:
    objects = emulator.pipeline(123).objects
    items = objects.find("items")
    assert items is not None
    objects[items].status = "INACTIVE"
    objects.add("users", schema="sales")


def orders_will_fail(emulator: HevoEmulator) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.objects.clear()
    for name in ("users", "items", "orders"):
        pipeline.objects.add(name)
    pipeline.plan(outcome="FAILED")


IN_A_CELL = 'await hevo.pipeline(123).trigger(if_running="join")'
THE_NEXT_TICK = """
async def later() -> None:
    await asyncio.sleep(3600)
    await tick()


asyncio.run(later())
asyncio.run(later())
stored.unlink()
"""
AIRFLOW = Play(elsewhere="tests/integrations/airflow/test_dags.py")
PREFECT = Play(elsewhere="tests/integrations/prefect/test_page.py")
DAGSTER = Play(elsewhere="tests/integrations/dagster/test_docs.py")
PASSES = r"\.+ +\[100%\]\n\d passed in .*\n"
PLAYS: dict[tuple[str, str], Play] = {
    ("README.md", "main"): Play("COMPLETED 1000\n"),
    ("docs/airflow.md", "with DAG("): AIRFLOW,
    ("docs/airflow.md", "HevoSensor("): AIRFLOW,
    ("docs/airflow.md", "HevoHook("): AIRFLOW,
    ("docs/airflow-events.md", "AssetWatcher("): AIRFLOW,
    ("docs/airflow-events.md", "outlets="): AIRFLOW,
    ("docs/api-knowledge.md", "api.list_destinations"): Play("1 Snowflake destination\n"),
    ("docs/durable-engines.md", "sync_step"): Play(elsewhere="tests/pages/test_durable_engines.py"),
    ("docs/durable-engines.md", "first=attempt == 1"): Play(rf"{REF}\n"),
    ("docs/dagster.md", "@hevo_assets(pipeline_id=123, resource"): DAGSTER,
    ("docs/dagster.md", "destination_type == "): DAGSTER,
    ("docs/dagster.md", "class Ours"): DAGSTER,
    ("docs/dagster.md", "class Fresh"): DAGSTER,
    ("docs/dagster.md", "[build_hevo_sensor(assets)]"): DAGSTER,
    ("docs/dagster.md", "hevo_sync_job,"): DAGSTER,
    ("docs/emulator.md", "except errors.JobFailed as error"): Play(
        r"INCREMENTAL Job \S+ of Pipeline 123 ended FAILED after 5m00s: .*\n"
        r"\['get_pipeline', 'list_jobs', 'sync_now', 'list_jobs'(, 'get_job'){4}\]\n"
    ),
    ("docs/emulator.md", "print(emulator.base_url"): Play(
        r"http://127\.0\.0\.1:\d+ emulator-key emulator-secret\n"
    ),
    ("docs/emulator.md", "def test_sync("): Play(PASSES, alone=True),
    ("docs/emulator.md", "test_a_job_is_running_already"): Play(PASSES, alone=True),
    ("docs/emulator.md", "hevo_emulator_factory"): Play(PASSES, alone=True),
    ("docs/emulator.md", "duration_seconds"): Play(r"21600\.0\n"),
    ("docs/emulator.md", "test_a_sync_of_six_hours"): Play(PASSES, alone=True),
    ("docs/errors.md", "NOTHING_STARTED"): Play(rf"Job\('{REF}', .*\)\n"),
    ("docs/getting-started.md", "duration_seconds"): Play(
        rf"(Pipeline 123 \w+: .*\n)+{PROGRESS}COMPLETED 1000 60\.0\n"
    ),
    ("docs/getting-started.md", "resync("): Play(PROGRESS),
    ("docs/getting-started.md", "asyncio.gather"): Play(r"([123] COMPLETED 1000\n){3}"),
    ("docs/getting-started.md", "next_run"): Play(rf"{REF[4:]} COMPLETED\n", arrange=a_job_runs),
    ("docs/getting-started.md", IN_A_CELL): Play(PROGRESS),
    ("docs/getting-started.md", "setLevel"): Play(alone=True),
    ("docs/getting-started.md", "local_addr"): Play("Pipeline 123\n"),
    ("docs/in-your-application.md", "FastAPI("): Play(
        elsewhere="tests/applications/test_fastapi.py"
    ),
    ("docs/in-your-application.md", "TaskGroup"): Play(python=(3, 11)),
    ("docs/in-your-application.md", 'get_context("fork")'): Play(
        r"\['INITIALIZED', 'INITIALIZED', 'INITIALIZED'\]\n", alone=True
    ),
    ("docs/in-your-application.md", IN_A_CELL): Play(PROGRESS),
    ("docs/in-your-application.md", "TraceConfig"): Play(
        r"(.*:asyncio:.*\n)*INFO:requests:GET /api/v1/pipelines/123: 200\n", alone=True
    ),
    ("docs/index.md", "main"): Play("COMPLETED 1000\n"),
    ("docs/many-machines.md", "rediss://user:password"): Play(
        elsewhere="tests/pages/test_many_machines.py"
    ),
    ("docs/many-machines.md", "Celery("): Play(elsewhere="tests/pages/test_many_machines.py"),
    ("docs/notebook.md", "a_week_ago"): Play(
        r"1 Job, 100 % succeeded, 1 COMPLETED.*\nCOMPLETED 20.* 0:01:00 1000\n"
    ),
    ("docs/one-table.md", "table.database_name"): Play(
        "users ACTIVE app public\norders ACTIVE app public\nitems INACTIVE app public\n"
        "users ACTIVE app sales\n",
        arrange=items_are_left_out,
    ),
    ("docs/one-table.md", 'resync_objects(["orders"])'): Play("HISTORICAL COMPLETED 1000\n"),
    ("docs/one-table.md", "failed_tables"): Play(r"\[\]\n"),
    ("docs/one-table.md", "resync_objects(failed)"): Play(
        "orders FAILED 33 rows failed\nHISTORICAL COMPLETED\n", arrange=orders_will_fail
    ),
    ("docs/one-table.md", "include_objects"): Play(
        r"HISTORICAL COMPLETED \['users', 'orders', 'items', 'users'\]\n",
        arrange=items_are_left_out,
    ),
    ("docs/one-table.md", "exclude_objects"): Play("items INACTIVE\n"),
    ("docs/orchestration.md", "ATTEMPTS = 3"): Play(elsewhere="tests/pages/test_orchestration.py"),
    ("docs/orchestration.md", "async def sync("): Play(
        r"success Job \S+ of Pipeline 123 ended COMPLETED\n"
    ),
    ("docs/orchestration.md", "ClientPool()"): Play(
        r"\['INITIALIZED', 'INITIALIZED', 'INITIALIZED'\]\n"
    ),
    ("docs/orchestration.md", "six_hours_ago"): Play(r"success \S+\n"),
    ("docs/orchestration.md", "ended_jobs"): Play(
        rf"{REF} COMPLETED 1000\n", arrange=a_job_runs, then=THE_NEXT_TICK
    ),
    ("docs/orchestration.md", "read_lineage"): Play(
        r"(snowflake://snowflake warehouse\.hevo\.\w+\n){3}"
    ),
    **{("docs/prefect.md", own): PREFECT for own in ("save(", "orders", "resync", "many")},
    ("docs/seeing-the-calls.md", "asyncio.gather"): Play(
        r"(Pipeline [12] SYNC_NOW: .*\n)+(Pipeline [12] INCREMENTAL Job .*\n)+"
    ),
    ("docs/seeing-the-calls.md", "setLevel"): Play(
        r"GET /api/v1/pipelines/123: 200 in \d+ ms, attempt 1, 97 calls left\n", alone=True
    ),
    ("docs/seeing-the-calls.md", "Calls(Observer)"): Play(
        r"Job \S+ is IN_PROGRESS\nJob \S+ is COMPLETED\n"
        r"\[\('list_jobs', 7\), \('get_job', 4\), \('get_pipeline', 1\), \('sync_now', 1\)\]\n"
    ),
    ("docs/seeing-the-calls.md", "print(budget.free)"): Play(
        r"1 of 100 calls in 60 s are used; the next one comes free in 1m00s\n"
        r"\{'cancel': 99, 'trigger': 97, 'discovery': 94, 'poll': 89, 'list': 89\}\n"
    ),
    ("docs/seeing-the-calls.md", "start_http_server(9108"): Play(alone=True),
    ("docs/seeing-the-calls.md", "start_http_server(9109"): Play(alone=True),
    ("docs/several-accounts.md", "client_of"): Play(r"(http://127.0.0.1:\d+: COMPLETED\n){2}"),
    ("docs/synchronous-code.md", "run(hevo.close())"): Play("COMPLETED\n"),
    ("docs/synchronous-code.md", "print(run(sync(123))"): Play("1000 events loaded\n"),
    ("docs/synchronous-code.md", "BaseCommand"): Play(
        rf"{REF} COMPLETED: 1000 events loaded\n", then="Command().handle(pipeline_id=123)"
    ),
    ("docs/synchronous-code.md", "Celery("): Play(
        "COMPLETED\n", then="print(wait_for.apply([start_sync.apply([123]).get()]).get())"
    ),
    ("docs/synchronous-code.md", "run_coroutine_threadsafe"): Play(rf"{REF} COMPLETED\n"),
    ("docs/synchronous-code.md", "def synchronous_hook"): Play("COMPLETED\n", alone=True),
    ("docs/synchronous-code.md", IN_A_CELL): Play(PROGRESS),
    ("docs/synchronous-code.md", "run_in_thread"): Play(
        elsewhere="tests/pages/test_synchronous_code.py"
    ),
    ("docs/synchronous-code.md", "for pipeline_id in (1, 2, 3)"): Play(
        "1 INITIALIZED\n2 INITIALIZED\n3 INITIALIZED\n"
    ),
    ("docs/triggering-once.md", "start_once"): Play("COMPLETED certain\n"),
    ("docs/two-verbs.md", "ensure_fresh"): Play("fresh\n"),
    ("docs/two-verbs.md", "has_ended"): Play("False\n"),
    ("docs/two-verbs.md", "job.watch("): Play(r"(IN_PROGRESS \d+\n)+COMPLETED 1000\n"),
    ("docs/two-verbs.md", "events_of"): Play("1000\n"),
    ("docs/waiting-well.md", "await_all"): Play(
        rf"{PROGRESS}{REF} Job\('{REF}'.*status='COMPLETED'\)\n", arrange=a_job_runs
    ),
}
"""By page, and by words that one block of it alone contains."""

BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def play_of(block: Block) -> Play:
    found = [play for (page, words), play in PLAYS.items() if fits(block, page, words)]
    assert len(found) <= 1, f"several plays fit {block.place}"
    return found[0] if found else Play()


def fits(block: Block, page: str, words: str) -> bool:
    return block.page == page and words in block.code


def as_its_reader_has_it(code: str, emulator: HevoEmulator) -> str:
    """Return a block with the reader's own values where it names examples of them."""
    job = emulator.pipeline(123).jobs[-1].job_id
    account = f'"{emulator.api_key}", "{emulator.api_secret}", base_url="{emulator.base_url}"'
    for example, own in {
        'api_key="...", api_secret="...", region="us"': account,
        "123:550e8400-e29b-41d4-a716-446655440001": f"123:{job}",
        "/etc/ssl/corporate-ca.pem": f"{ROOT / 'tests' / 'worthless.pem'}",
        "192.0.2.7": "127.0.0.1",
        "start_http_server(9108": "start_http_server(0",
    }.items():
        code = code.replace(example, own)
    return code


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder for what a block writes; the call budget's shared window lies elsewhere."""
    (tmp_path / "machine").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("TMPDIR", f"{tmp_path / 'machine'}")
    monkeypatch.setattr("tempfile.gettempdir", lambda: f"{tmp_path / 'machine'}")
    monkeypatch.delenv("HEVO_REGION", raising=False)
    monkeypatch.chdir(tmp_path / "here")
    forget_tickets()
    return tmp_path / "here"


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_it_runs(
    block: Block,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    play = play_of(block)
    if sys.version_info < play.python:
        pytest.skip("what it shows came with a later Python")
    if play.elsewhere:
        runs = (ROOT / play.elsewhere).read_text()
        assert Path(block.page).name in runs, f"{play.elsewhere} does not run {block.place}"
        return
    if play.alone:
        with stage.fast_emulator() as emulator:
            # The first poll comes after 15 s of real time; the page need not say so.
            soon = block.code.replace("await_completion()", "await_completion(poll_interval=0.2)")
            code = as_its_reader_has_it(soon, emulator)
            process = stage.start(code, emulator.environment, folder)
            printed, _ = process.communicate(timeout=60)
        assert process.returncode == 0, printed
    else:
        account = stage.Stage(play.arrange)
        for name, value in account.emulator.environment.items():
            for prefix in ("HEVO", "HEVO_PROD", "HEVO_TEST"):  # of one account, and of several
                monkeypatch.setenv(name.replace("HEVO", prefix, 1), value)
        code = as_its_reader_has_it(f"{block.code}\n{play.then}", account.emulator)
        stage.play(block, code, account, monkeypatch)
        captured = capfd.readouterr()
        printed = captured.err + captured.out
        assert list(folder.iterdir()) == []  # no ticket is left behind
    assert re.fullmatch(play.prints, printed), printed


def test_no_play_is_left_over() -> None:
    for page, words in PLAYS:
        found = [block for block in BLOCKS if fits(block, page, words)]
        assert len(found) == 1, f"{len(found)} blocks of {page} contain {words!r}"
