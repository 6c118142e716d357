"""All checks. `nox` runs what CI runs on this interpreter; `nox -l` lists the rest.

Every session but `newest` installs what `requirements/` pins; `nox -s lock` renews that.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import nox
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
ADAPTERS = ["airflow", "dagster(newest)", "prefect(newest)", "durable"]
nox.options.sessions = ["lint", "types", "tests", "redis", *ADAPTERS, "docs", "release"]

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
PROJECT = nox.project.load_toml("pyproject.toml")

# The locks, and the dependency groups that each has to satisfy at once.
LOCKS = {
    "main": ("test", "pages", "lint", "docs", "benchmarks", "release"),
    "airflow-2": ("airflow-2",),
    "airflow-3": ("airflow-3", "airflow", "test", "types"),
    "dagster-oldest": ("dagster-oldest",),
    "dagster-newest": ("dagster-newest",),
    "durable": ("durable",),
    "prefect-oldest": ("prefect-oldest",),
    "prefect-newest": ("prefect-newest",),
}
HEADER = "# Written by `nox -s lock`, from the dependency groups in pyproject.toml.\n"


def lock_file(lock: str) -> Path:
    return Path("requirements", f"{lock}.txt")


def requirements_of(lock: str) -> list[str]:
    """Return what a lock must cover: building the project, running it, and its groups."""
    return [
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *nox.project.dependency_groups(PROJECT, *LOCKS[lock]),
    ]


# Not editable: pyright looks at what a user would have installed.
INSTALLED = ("--reinstall-package", "hevo-edge", ".")


def install(
    session: nox.Session,
    *groups: str,
    lock: str = "main",
    project: tuple[str, ...] = ("-e", "."),
) -> None:
    """Install the project and what the groups name, in the versions of the lock."""
    pins = f"{lock_file(lock)}"
    versions = ["--constraints", pins, "--build-constraints", pins]
    if session.name.startswith("newest"):
        versions = ["--upgrade"]
    session.install(*versions, *nox.project.dependency_groups(PROJECT, *groups), *project)


def stale(lock: str) -> list[str]:
    """Return the requirements that a lock does not satisfy, without asking any index."""
    versions: defaultdict[str, list[str]] = defaultdict(list)
    for line in lock_file(lock).read_text().removeprefix(HEADER).splitlines():
        pin = Requirement(line)
        versions[pin.name] += [each.version for each in pin.specifier]

    def satisfied(need: Requirement) -> bool:
        found = versions[canonicalize_name(need.name)]
        return bool(found) and all(need.specifier.contains(each) for each in found)

    return [text for text in requirements_of(lock) if not satisfied(Requirement(text))]


@nox.session
def lock(session: nox.Session) -> None:
    """Renew `requirements/`: the newest versions that go together, for every supported Python."""
    source = Path(session.create_tmp(), "requirements.in")
    for lock in LOCKS:
        source.write_text("\n".join(requirements_of(lock)))
        session.run(
            *("uv", "pip", "compile", "--universal", "--upgrade", "--quiet"),
            *("--no-header", "--no-annotate", "--python-version", PYTHONS[0]),
            *(f"{source}", "--output-file", f"{lock_file(lock)}"),
            silent=True,
            env={"UV_PYTHON_DOWNLOADS": "never"},
        )
        lock_file(lock).write_text(HEADER + lock_file(lock).read_text())


@nox.session
def lint(session: nox.Session) -> None:
    """Style, dead code, the layers of the house, the locks, and GitHub's workflows."""
    for lock in LOCKS:
        if missing := stale(lock):
            session.error(f"{lock_file(lock)} is out of date, run `nox -s lock`: {missing}")
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    # Alike everywhere: without the tools that a machine may have or not, and without the network.
    session.run("actionlint", "-shellcheck=", "-pyflakes=")
    session.run("zizmor", "--offline", "--quiet", ".github")


@nox.session
def types(session: nox.Session) -> None:
    """Types: mypy --strict, pyright, a fully typed public surface, and what the pages show."""
    install(session, "test", "types", "airflow", lock="airflow-3", project=INSTALLED)
    session.run("mypy")
    session.run("pyright")
    session.run("python", "-m", "tests.typing.pages", session.create_tmp())
    # The adapters derive from their orchestrators' classes, whose own types are not complete.
    for adapters in Path(session.bin).parent.glob("lib/*/site-packages/hevo_edge/integrations"):
        shutil.rmtree(adapters)
    # From elsewhere, so that the installed package is found and not the folder here.
    with session.chdir(session.create_tmp()):
        session.run("pyright", "--verifytypes", "hevo_edge", "--ignoreexternal")


# In more processes than there are cores, as tests wait a good part of their time; `-- -n 0` runs
# them in one.
PARALLEL = ("-n", f"{(os.cpu_count() or 1) + 2}", "--dist", "worksteal")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests in random order, the examples among them, with branch coverage."""
    install(session, "test", "pages")
    session.run("coverage", "erase", silent=True)
    session.run("coverage", "run", "-m", "pytest", *PARALLEL, *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=PYTHONS)
def matrix(session: nox.Session) -> None:
    """All tests on one of the supported interpreters."""
    install(session, "test", "pages")
    session.run("pytest", *PARALLEL, *session.posargs)


@nox.session
def redis(session: nox.Session) -> None:
    """The tests of the window that machines share on this machine's Redis; `tests` has a Valkey."""
    server = shutil.which("redis-server")
    if server is None:
        session.skip("there is no redis-server here: apt-get install redis-server")
    install(session, "test", "pages")
    files = sorted(map(str, Path("tests/http").glob("test_redis_*.py")))
    files += ["tests/http/test_window_conformance.py", "tests/pages/test_many_machines.py"]
    session.run("pytest", *PARALLEL, *files, *session.posargs, env={"REDIS_SERVER": server})


# The tests of a file share what is costly: Airflow's database, and the runs of all DAGs; each
# process has a Prefect server of its own.
BY_FILE = ("-n", "auto", "--dist", "loadfile")


def run_measured(session: nox.Session, tests: str, *report: str) -> None:
    """Run the tests of an adapter, with coverage by the rules that lie beside them."""
    rules = f"--rcfile={tests}/coverage.ini"
    # Elsewhere than the other tests' coverage, which is combined from all that lies about.
    env = {"COVERAGE_FILE": f"{session.create_tmp()}/coverage"}
    session.run("coverage", "erase", rules, env=env, silent=True)
    command = ("coverage", "run", rules, "-m", "pytest", *BY_FILE, tests)
    session.run(*command, *session.posargs, env=env)
    session.run("coverage", "combine", "--quiet", rules, env=env)
    session.run("coverage", "report", rules, *report, env=env)


AIRFLOW_TESTS = "tests/integrations/airflow"


def install_airflow(session: nox.Session, airflow: str) -> None:
    if airflow == "2" and sys.version_info >= (3, 13):
        session.skip("Airflow 2 runs on Python 3.12 at most")
    install(session, f"airflow-{airflow}", lock=f"airflow-{airflow}")


@nox.session
@nox.parametrize("airflow", ["2", "3"], ids=["2", "3"])
def airflow(session: nox.Session, airflow: str) -> None:
    """The Airflow adapter in the real Airflow, with branch coverage of its own."""
    install_airflow(session, airflow)
    # Airflow 2 has no watchers of assets, so what serves them cannot run there.
    of_events = ("asset_cursors", "event_stream", "event_triggers") if airflow == "2" else ()
    omit = [f"--omit={','.join(f'*/{name}.py' for name in of_events)}"] if of_events else []
    run_measured(session, AIRFLOW_TESTS, *omit)


@nox.session
@nox.parametrize("airflow", ["2", "3"], ids=["2", "3"])
def airflow_e2e(session: nox.Session, airflow: str) -> None:
    """The adapter in a whole Airflow, with users, workers and triggerers that end its waits."""
    install_airflow(session, airflow)
    home = f"{AIRFLOW_TESTS}/e2e"
    session.run("pytest", "--confcutdir", home, "-W", "default", home, *session.posargs)


@nox.session
def durable(session: nox.Session) -> None:
    """The recipes for durable engines on the engines' servers, which come as packages."""
    install(session, "durable", lock="durable")
    tests = Path("tests/integrations/durable")
    examples = Path("examples/durable").rglob("*.py")
    session.run("mypy", *map(str, [*examples, *tests.glob("*.py")]))
    session.run("pytest", *BY_FILE, f"{tests}", *session.posargs)


PREFECT_TESTS = "tests/integrations/prefect"


def install_prefect(session: nox.Session, prefect: str) -> None:
    if sys.version_info < (3, 11):
        session.skip("Prefect 3.9 needs Python 3.11")
    install(session, f"prefect-{prefect}", lock=f"prefect-{prefect}")


@nox.session
@nox.parametrize("prefect", ["oldest", "newest"], ids=["oldest", "newest"])
def prefect(session: nox.Session, prefect: str) -> None:
    """The Prefect adapter with a real server, with types and branch coverage of its own."""
    install_prefect(session, prefect)
    session.run("mypy", "--config-file", f"{PREFECT_TESTS}/mypy.ini")
    session.run("pyright", "hevo_edge/integrations/prefect")
    session.run("python", "-m", "tests.typing.pages", session.create_tmp(), "prefect")
    run_measured(session, PREFECT_TESTS)


@nox.session
@nox.parametrize("prefect", ["oldest", "newest"], ids=["oldest", "newest"])
def prefect_e2e(session: nox.Session, prefect: str) -> None:
    """The adapter with a server, a runner and flows in processes that are cancelled and killed."""
    install_prefect(session, prefect)
    home = f"{PREFECT_TESTS}/e2e"
    session.run("pytest", "--confcutdir", PREFECT_TESTS, home, *session.posargs)


DAGSTER_TESTS = "tests/integrations/dagster"
DAGSTER = ["hevo_edge/integrations/dagster", DAGSTER_TESTS]


def check_dagster_types(session: nox.Session) -> None:
    """Types of what imports Dagster, which the environment of `types` does not have."""
    files = sorted(f"{file}" for folder in DAGSTER for file in Path(folder).rglob("*.py"))
    session.run("mypy", *files)
    session.run("pyright", *files)
    session.run("python", "-m", "tests.typing.pages", session.create_tmp(), "dagster")


@nox.session
@nox.parametrize("dagster", ["oldest", "newest"], ids=["oldest", "newest"])
def dagster(session: nox.Session, dagster: str) -> None:
    """The Dagster adapter in the real Dagster, with branch coverage of its own."""
    install(session, f"dagster-{dagster}", lock=f"dagster-{dagster}")
    if dagster == "newest":
        check_dagster_types(session)
    run_measured(session, DAGSTER_TESTS)


@nox.session
@nox.parametrize("dagster", ["oldest", "newest"], ids=["oldest", "newest"])
def dagster_e2e(session: nox.Session, dagster: str) -> None:
    """The adapter in a whole Dagster, whose runs are killed, terminated, and many at once."""
    install(session, f"dagster-{dagster}", lock=f"dagster-{dagster}")
    home = f"{DAGSTER_TESTS}/e2e"
    session.run("pytest", "--confcutdir", home, "-W", "default", home, *session.posargs)


# Two generators that read the same sources: mkdocs-material, maintained until May 2027, and its
# successor. `site/` is left as the last one has built it.
GENERATORS = (
    ("zensical", "build", "--strict", "--clean"),
    # Not --quiet: a warning that it does not show is none to --strict.
    ("mkdocs", "build", "--strict"),
)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation: no broken link, and a reference of all that is public."""
    install(session, "docs", project=INSTALLED)
    version = session.run(
        "python", "-c", "import hevo_edge as it; print(it.__version__)", silent=True
    )
    env = {"NO_MKDOCS_2_WARNING": "1", "SITE_NAME": f"hevo_edge {version}".strip()}
    site, script = Path("site/objects.inv").resolve(), Path("tests/typing/reference.py").resolve()
    report = Path(session.create_tmp(), "verifytypes.json").resolve()
    verify = ("pyright", "--verifytypes", "hevo_edge", "--ignoreexternal", "--outputjson")
    with session.chdir(session.create_tmp()):
        # It exits with 1: the adapters' types cannot be complete. `nox -s types` leaves them out.
        report.write_text(session.run(*verify, silent=True, success_codes=[0, 1]) or "")
    for generator in GENERATORS:
        if generator[0] == "zensical" and sys.version_info < (3, 11):
            continue  # it needs a later Python
        shutil.rmtree("site", ignore_errors=True)
        session.run(*generator, env=env)
        session.run("python", "docs_build/llms.py")
        session.run("python", "docs_build/check.py")
        with session.chdir(session.create_tmp()):
            session.run("python", f"{script}", f"{site}", f"{report}")


PINS = f"{lock_file('main').resolve()}"
BUILD = ("uv", "build", "--quiet", "--build-constraints", PINS)


def fresh_venv(session: nox.Session, folder: Path) -> str:
    """Make an environment with nothing in it; return its Python."""
    session.run("uv", "venv", "--quiet", "--python", f"{session.bin}/python", f"{folder}")
    return f"{folder}/{Path(session.bin).name}/python"


def install_in(session: nox.Session, python: str, *what: str | Path) -> None:
    """Install into a fresh environment, in the versions of the lock."""
    pins = ("--constraints", PINS, "--build-constraints", PINS)
    session.run(*("uv", "pip", "install", "--quiet", "--python", python, *pins), *map(str, what))


def use_wheel(session: nox.Session, wheel: Path, outside: Path) -> None:
    """Sync with the wheel and what it needs, then test with it and pytest, outside the tree."""
    checks = Path("tests/release").resolve()
    python = fresh_venv(session, outside / "wheel")
    install_in(session, python, wheel)
    shutil.copy(checks / "test_fixture.py", outside)
    with session.chdir(outside):
        version = wheel.name.split("-")[1]
        # Isolated: neither the folder's package is found, nor one of PYTHONPATH.
        isolated = (python, "-I", "-W", "error")
        session.run(*isolated, f"{checks}/smoke.py", version, external=True)
        install_in(session, python, "pytest")
        session.run(
            *isolated, "-m", "pytest", "-q", "-W", "error", "test_fixture.py", external=True
        )


@nox.session
def release(session: nox.Session) -> None:
    """Build sdist and wheel in `dist/`, and use them as a stranger would; `-- v0.1.0` for a tag."""
    install(session, "release", project=())
    seconds = session.run("python", "-m", "tests.release.versions", *session.posargs, silent=True)
    date = {"SOURCE_DATE_EPOCH": f"{seconds}".strip()}
    dist = Path("dist").resolve()
    shutil.rmtree(dist, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        outside = Path(name).resolve()
        session.run(*BUILD, "--sdist", "--wheel", "--out-dir", f"{dist}", env=date)
        (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
        session.run("twine", "check", "--strict", f"{sdist}", f"{wheel}")
        # Again from the sdist, elsewhere: an sdist of it, and the wheel of that.
        shutil.unpack_archive(sdist, outside, filter="data")
        unpacked, again = outside / sdist.name.removesuffix(".tar.gz"), outside / "again"
        session.run(*BUILD, "--out-dir", f"{again}", f"{unpacked}", env=date)
        session.run("python", "-m", "tests.release.contents", f"{dist}", f"{again}")
        use_wheel(session, wheel, outside)
        python = fresh_venv(session, outside / "sdist")
        install_in(session, python, sdist, *nox.project.dependency_groups(PROJECT, "test"))
        with session.chdir(unpacked):
            command = (python, "-m", "pytest", "--collect-only", "-qqq")
            session.run(*command, silent=True, external=True)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Print the ratios that the issues and the docs speak of."""
    install(session, "test", "benchmarks")
    session.run("python", "tests/benchmarks/client_overhead.py", *session.posargs)
    session.run("python", "tests/benchmarks/command_line_start.py")
    session.run("python", "-m", "tests.benchmarks.weight")
    session.run("python", "-m", "tests.benchmarks.learning")
    session.run("python", "-m", "tests.benchmarks.sharing")
    session.run("python", "-m", "tests.benchmarks.shared_window")
    session.run("python", "-m", "tests.benchmarks.redis_window")
    session.run("python", "-m", "tests.benchmarks.rate_limit_libraries")
    session.run("python", "-m", "tests.benchmarks.many_machines", "--minutes", "5")
    session.run("python", "-m", "tests.benchmarks.waiting")
    session.run("python", "-m", "tests.benchmarks.months")
    session.run("python", "-m", "tests.benchmarks.bad_gateway")
    session.run("python", "-m", "tests.benchmarks.progress", "--profile")
    session.run("python", "-m", "tests.benchmarks.fleet")


@nox.session
def airflow_benchmarks(session: nox.Session) -> None:
    """Print what the Airflow adapter costs."""
    install(session, lock="airflow-3", project=("-e", ".[airflow]"))
    session.run("python", "-m", "tests.benchmarks.airflow_adapter", *session.posargs)


@nox.session
def dagster_benchmarks(session: nox.Session) -> None:
    """Print what the Dagster adapter costs, beside dagster-airbyte."""
    install(session, lock="dagster-newest", project=("-e", ".[dagster]", "dagster-airbyte"))
    session.run("python", "-W", "ignore", "-m", "tests.benchmarks.dagster_adapter")


@nox.session
def campaign(session: nox.Session) -> None:
    """Trigger under drawn faults, judged by the emulator; `-- --trials 10000` takes its time."""
    install(session)
    session.run("python", "-m", "tests.campaign", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Each call against many raw replies; `-- 20000` sets how many for each call."""
    install(session, "test")
    examples = session.posargs[0] if session.posargs else "1000"
    session.run("pytest", *PARALLEL, "tests/fuzz", env={"FUZZ_EXAMPLES": examples})


NEWEST = ["lint", "types", "tests", "airflow-2", "airflow-3", "durable", "docs"]


@nox.session
@nox.parametrize("check", NEWEST, ids=NEWEST)
def newest(session: nox.Session, check: str) -> None:
    """A check without the lock, on the newest of everything: what the next lock will bring."""
    if check.startswith("airflow"):
        airflow(session, check.removeprefix("airflow-"))
    else:
        checks = {"lint": lint, "types": types, "tests": tests, "durable": durable, "docs": docs}
        checks[check](session)
