"""One benchmark in a process of its own: ``python -m dashboard.bench NAME FOLDER``; its result is one JSON document.

The environment says where: DOCKER_HOST the engine, NETMODES_DATA_DIR the database of a lab in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import django

from dashboard.core.experiments.messages import encode


def say(text: str) -> None:
    """Progress for the person who waits."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    """Exit 0 with a result, kept or not."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.bench")
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    django.setup()

    from django.core.management import call_command

    from dashboard.bench.catalogue import BENCHMARKS

    call_command("migrate", verbosity=0, interactive=False)
    result = asyncio.run(BENCHMARKS[options.name].benchmark(options.folder, say, quick=options.quick))
    sys.stdout.write(encode(result).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
