"""Fixtures for all tests, and hooks that run the suite in several processes (tests/support/workers.py)."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.contenttypes.management import create_contenttypes
from django.db import connection
from django.db.models.signals import post_migrate
from hypothesis.internal.conjecture import providers

from dashboard import configuration
from dashboard.core.claims.engine_facts import EngineFacts
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.programs import engine_root
from dashboard.engine.hosts.template import HostTemplate, host_template
from dashboard.engine.hosts.variants import Variant
from dashboard.lab.claims.engines import read_facts
from dashboard.store.operations.database_clock import shared_clock
from tests import properties
from tests.support import selection, workers
from tests.support.private_engine import PrivateEngine, private_engine, share_lab_image


def _skip_local_constants() -> None:
    """Keeps Hypothesis from parsing all modules of Netmodes for constants to try, on which every worker would spend
    seconds. With ``--all`` it parses them, and so does a version of Hypothesis without these private names."""
    if (constants := getattr(providers, "_local_constants", None)) is not None:
        pytest.MonkeyPatch().setattr(providers, "_get_local_constants", lambda: constants, raising=False)


def pytest_configure(config: pytest.Config) -> None:
    """Restores signals; moves a worker into its own network namespace. In the gate, Hypothesis tries fewer examples."""
    workers.restore_interrupts()
    is_whole = "not slow" not in config.option.markexpr
    properties.load_profile(is_whole=is_whole, shrinks=not workers.is_worker(config))
    if not is_whole:
        _skip_local_constants()
    if workers.is_worker(config):
        workers.enter_network_namespace()
        workers.wait_for_bytecode(config.workerinput["workerid"])  # type: ignore[attr-defined]
        gc.disable()
    else:
        workers.allow_time_to_clean_up()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Marks what runs on a real engine, before ``-m`` selects."""
    selection.mark_engine_tests(items)


def pytest_runtest_teardown() -> None:
    """Sets the clock of the process back to the machine's: a test on PostgreSQL sets it by that of the database."""
    shared_clock._offset = None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Lets the other workers collect. Excludes the ten thousand collected tests from garbage collection, since they
    stay."""
    if workers.is_worker(session.config):
        workers.bytecode_is_kept()
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """The number of workers for ``-n auto``."""
    return workers.worker_count()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: Sequence[Any]) -> None:
    """Gives each worker its own data folder."""
    workers.separate_data_folders(specs, configuration.data_dir())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker whether it collects a part of the tests only."""
    node.workerinput["is_divided"] = workers.is_divided(node.config)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves folders out that another worker collects."""
    return True if workers.is_left_to_another(config, collection_path) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> workers.Scheduler | None:
    """The scheduler of this suite, unless ``--dist`` selects another one."""
    return workers.Scheduler(config, log) if config.getoption("dist") == "load" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Lets a worker clean up after Ctrl-C."""
    try:
        return (yield)
    except KeyboardInterrupt:
        if workers.is_worker(session.config):
            workers.ignore_interrupts()
        raise


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """The test database. After each test that commits, Django would create content types and permissions again, which
    takes 17 of 18 ms; Netmodes uses neither. A quick hash takes the place of Django's, which takes 0.25 s for each
    password."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)


@pytest.fixture(scope="session")
def kept(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an empty, migrated database: a copy of the test database."""
    folder = tmp_path_factory.mktemp("kept")
    database = folder / "netmodes.db"
    database.touch(0o600)
    with (
        closing(sqlite3.connect(connection.settings_dict["NAME"])) as source,
        closing(sqlite3.connect(database)) as copy,
    ):
        source.backup(copy)
    return folder


@pytest.fixture(scope="session")
def engine_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """A private host per worker, with the lab image, which is also tagged ``nginx``."""
    with private_engine(tmp_path_factory.mktemp("engine-host")) as host:
        yield host


@pytest.fixture(scope="session")
def newest_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """A private host per worker with the newest engine, whose root is made once and kept."""
    with private_engine(tmp_path_factory.mktemp("newest-host"), variant=Variant()) as host:
        yield host


@pytest.fixture(scope="session", params=["engine", "newest"])
def any_host(request: pytest.FixtureRequest) -> PrivateEngine:
    """The suite's host, then one with the newest engine; only the former if ``--engine`` chose it."""
    if request.param == "newest" and engine_root() is not None:
        pytest.skip("--engine chose the engine")
    host: PrivateEngine = request.getfixturevalue("engine_host" if request.param == "engine" else "newest_host")
    return host


def _run[T](coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, in a thread of its own: in the main thread, the loop of Playwright counts as running,
    and a fixture of the session that is first used beside a browser would fail for all later tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def _read_facts(endpoint: str) -> EngineFacts:
    engine = DockerEngine(endpoint)
    try:
        return await read_facts(engine, await engine.info())
    finally:
        await engine.close()


@pytest.fixture(scope="session")
def facts(engine_host: PrivateEngine) -> EngineFacts:
    """Version and options of the suite's engine: with ``--engine``, tests expect what claims expect of it."""
    return _run(_read_facts(engine_host.endpoint))


@pytest.fixture
def docker(request: pytest.FixtureRequest, facts: EngineFacts) -> None:
    """Skips the test on Podman, whose API has other names and messages, unless its module names it in
    HOLDS_ON_PODMAN: then it also holds on a Podman that runs as root."""
    if facts.kind is EngineKind.PODMAN:
        if request.node.name not in getattr(request.module, "HOLDS_ON_PODMAN", ()):
            pytest.skip("Podman's API has other names and messages")
        if facts.rootless:
            pytest.skip("tried on a Podman that runs as root")


@pytest.fixture
def host_mode(engine_host: PrivateEngine) -> None:
    """Skips the test if the engine refuses host mode."""
    if "name=userns" in engine_host.docker("info", "--format", "{{json .SecurityOptions}}"):
        pytest.skip("with userns-remap the engine refuses host mode")


@pytest.fixture
def machine_network(host_mode: None, facts: EngineFacts) -> None:
    """Skips the test if host mode is refused, or is not the machine's network and its LAN."""
    if facts.rootless_network:
        pytest.skip("this engine's host mode is not the machine's network")


@pytest.fixture
def open_machine(facts: EngineFacts) -> None:
    """Skips the test if firewalld drops what other machines send to programs of the machine."""
    if facts.firewalld:
        pytest.skip("firewalld's zone does not allow packets from other machines to programs on this machine")


@pytest.fixture
def usual_paths(facts: EngineFacts, docker: None) -> None:
    """Skips the test on an engine that does not publish with docker-proxy and nat rules on the machine."""
    options = facts.options
    if facts.kind is EngineKind.PODMAN:  # the test is known to hold there
        return
    if facts.rootless_network or options.gateway_mode != "nat" or not (options.iptables and options.userland_proxy):
        pytest.skip("this engine publishes in another way")


@pytest.fixture(scope="session")
def session_hosts_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder per worker for hosts of training sessions, whose template is made in it once."""
    folder = tmp_path_factory.mktemp("session-hosts")
    share_lab_image(folder)
    yield folder
    _run(private_host.stop_all(folder))


@pytest.fixture(scope="session")
def session_template(session_hosts_folder: Path) -> HostTemplate:
    """The template of the hosts of training sessions."""
    return _run(host_template(session_hosts_folder))


@pytest.fixture
async def engine(engine_host: PrivateEngine) -> AsyncIterator[DockerEngine]:
    """A new connection to the suite's engine."""
    connection = DockerEngine(engine_host.endpoint)
    yield connection
    await connection.close()
