"""Runs the commands of ``./netmodes`` after preparing what each one needs."""

import os
import sys

from dashboard import interrupts
from dashboard.launcher import usage
from dashboard.launcher.browser_assets import BrowserAssets
from dashboard.launcher.checks import run_checks
from dashboard.launcher.console import LauncherError, say
from dashboard.launcher.engine_tools import install_engine
from dashboard.launcher.environment import Environment
from dashboard.launcher.launch import Launch
from dashboard.launcher.service import install_service, require_options_of_command, require_plain_words
from dashboard.launcher.suite import run_tests

#: Commands that need root and an engine, with the reason. help lists all commands (usage.txt).
ROOT_REASONS = {
    **dict.fromkeys(
        ("up", "join", "lab", "compare", "measure", "claims", "hosts", "lan", "bench"),
        "it enters the network namespaces of containers, which the docker group does not allow.",
    ),
    "setup": "it installs packages and a service.",
    "test": "the engine tests start a Docker Engine in its own network namespace.\n"
    "Without them: ./netmodes test -m 'not engine and not browser'",
}

#: The commands that start a lab.
LABS = frozenset({"up", "join", "lab", "bench"})
#: Without this, glibc keeps up to 0.2 MB of freed blocks for each thread of a lab until the thread ends.
#: ``malloc_trim`` does not return them.
ALLOCATOR = "glibc.malloc.tcache_count=0"


def serves_pages_only(arguments: list[str]) -> bool:
    """Returns whether ``up``, or the service of ``setup``, only serves pages with these arguments, for a lab that runs
    elsewhere (role ``web``)."""
    role = os.environ.get("NETMODES_ROLE", "all")
    for before, word in zip(["", *arguments], arguments, strict=False):
        if before == "--role":
            role = word
        elif word.startswith("--role="):
            role = word.removeprefix("--role=")
    return role == "web"


def only_lists(launch: Launch) -> bool:
    """Returns whether the command only lists claims, private hosts or LANs."""
    if launch.command == "claims":
        return "--list" in launch.arguments
    return launch.command in {"hosts", "lan"} and launch.arguments[:1] == ["list"]


def needs_engine(launch: Launch) -> bool:
    """Returns whether the command, with its arguments, needs an engine, and thus root."""
    if launch.command == "test":
        return "not engine" not in " ".join(launch.arguments)
    pages_only = launch.command in {"up", "setup"} and serves_pages_only(launch.arguments)
    return launch.command in ROOT_REASONS and not (launch.asks_for_help or pages_only or only_lists(launch))


def run(launch: Launch) -> int:  # noqa: RET503 - execv does not return
    """Prepares the command and runs it. Returns the exit code; does not return if another program replaces this one.
    Raises LauncherError if the command cannot be prepared."""
    command = launch.command
    if command == "setup" and launch.asks_for_help:
        sys.stdout.write(usage.text())
        return 0
    if command not in usage.descriptions():
        raise LauncherError(f"there is no command '{command}'; ./netmodes help lists the commands.", 2)
    lighthouse = command == "bench" and "pages" in launch.arguments and not launch.asks_for_help
    engine = needs_engine(launch)
    if engine or command == "setup":
        launch.require_root(ROOT_REASONS[command])
    if command == "setup":
        require_plain_words(launch)
        require_options_of_command(launch)
    launch.open_data_folder()
    if engine:
        install_engine(launch, browser=lighthouse or command == "test", tests=command == "test")
    # The web process of `up`, which runs as an ordinary user, must be able to read these files.
    mask = os.umask(0o022)
    Environment(launch).require("dev" if command in {"bench", "check", "test"} else "run")
    assets = BrowserAssets(launch)
    if command == "check":
        return run_checks(launch)
    if command == "test":
        return run_tests(launch, assets)
    if lighthouse:
        assets.require_lighthouse()
    if command == "setup" or (command == "up" and not launch.asks_for_help):
        assets.install_libraries()
    if command == "setup":
        return install_service(launch)
    os.umask(mask)
    if command in LABS:
        os.environ.setdefault("GLIBC_TUNABLES", ALLOCATOR)
    # The command takes the place of the launcher: signals reach it, and its exit code is the launcher's.
    interrupts.postpone()
    os.execv(launch.python, [launch.python, f"{launch.root}/manage.py", command, *launch.arguments])


def main(root: str, script: str, interpreter: str, words: list[str]) -> int:
    """Runs the command in ``words``. Returns the exit code: 1 if the command cannot be prepared, 2 if it does not
    exist."""
    # On Debian, PATH of ordinary users lacks the folders of ip, iptables and dockerd.
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/local/sbin:/usr/sbin:/sbin"
    launch = Launch(root, script, interpreter, words)
    interrupts.raise_interrupts()
    try:
        return run(launch)
    except interrupts.Interrupted as interrupted:
        say(interrupts.SENTENCE)
        return interrupted.exit_code
    except LauncherError as failure:
        say(f"netmodes: {failure}")
        return failure.exit_code
