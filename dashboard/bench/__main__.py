"""Runs one benchmark in this process and prints its result as JSON: ``python -m dashboard.bench NAME FOLDER``.

DOCKER_HOST names the engine, NETMODES_DATA_DIR the folder with the database of this process.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import django

from dashboard.bench.processes import end_cleanly
from dashboard.core.experiments.messages import encode


def main() -> int:
    """Runs the benchmark that the command line names. Returns 0 if the benchmark has a result, even if it breaks its
    promises."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.bench")
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    end_cleanly()
    django.setup()

    from django.core.management import call_command

    from dashboard.bench.benchmark import BenchmarkRun
    from dashboard.bench.catalogue import BENCHMARKS

    call_command("migrate", verbosity=0, interactive=False)
    run = BenchmarkRun(options.name, options.folder, options.quick)
    module = BENCHMARKS[run.name]
    result = asyncio.run(module.benchmark(run), loop_factory=getattr(module, "EVENT_LOOP", None))
    sys.stdout.write(encode(result).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
