"""Runs a command with environment variables that select the engine of every private host.

As a program (``python -m dashboard.bench.operations.chosen_engine NAME COMMAND…``) it creates the root file system of
the engine unless it exists, and executes the command with these variables.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from dashboard import configuration
from dashboard.engine.hosts.debian_root import DebianRootError, debian_root
from dashboard.engine.hosts.variants import VARIANTS


def engine_settings(name: str, data_dir: Path, say: Callable[[str], None]) -> dict[str, str]:
    """Returns the environment variables that select the engine ``name``, a key of ``VARIANTS``. Creates the engine's
    root file system unless it exists. Raises KeyError with a sentence if the name is unknown. Raises DebianRootError if
    the root file system cannot be created."""
    if name not in VARIANTS:
        raise KeyError(f"There is no engine {name}: choose from {', '.join(VARIANTS)}.")
    variant = VARIANTS[name]
    root = debian_root(variant.suite, data_dir, say, variant.packages)
    return {
        "NETMODES_ENGINE_ROOT": str(root),
        "NETMODES_ENGINE_OPTIONS": variant.options_json,
        "NETMODES_ENGINE_SETUP": variant.setup,
    }


def say(text: str) -> None:
    """Prints a message on stderr."""
    sys.stderr.write(f"netmodes: {text}\n")


def main() -> int:  # noqa: RET503 - execvpe does not return
    """Executes the command. Returns 2 for an unknown engine, 1 if its root file system cannot be created."""
    name, *command = sys.argv[1:]
    try:
        settings = engine_settings(name, configuration.data_dir(), say)
    except KeyError as error:
        say(error.args[0])
        return 2
    except DebianRootError as error:
        say(str(error))
        return 1
    # The command takes the place of this process: signals reach it, and its exit code is this one's.
    os.execvpe(command[0], command, os.environ | settings)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    sys.exit(main())
