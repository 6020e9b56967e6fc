"""``./netmodes bench``: runs the benchmarks behind every figure in the documents."""

import os
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.catalogue import BENCHMARKS, DEFAULT, TRUTH, choose, limit_of
from dashboard.bench.environment import format_load, machine_facts, open_environment
from dashboard.bench.operations.chosen_engine import engine_settings
from dashboard.bench.statistics import Report
from dashboard.bench.table import report_text
from dashboard.engine.hosts.debian_root import DebianRootError
from dashboard.engine.hosts.variants import VARIANTS
from dashboard.management.commanding import FAILED, WRONG_USAGE, NetmodesCommand, add_privileged_hosts, require_root


class Command(NetmodesCommand):
    """Runs benchmarks on a private host and reports which promises are kept."""

    help = "Runs the benchmarks and compares the results with the promises (docs/benchmarks.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the names of benchmarks and the options of a run."""
        parser.add_argument(
            "names",
            nargs="*",
            metavar="NAME",
            help=f"{', '.join(BENCHMARKS)}; truth: {', '.join(TRUTH)} "
            f"(default: {', '.join(name for name in BENCHMARKS if name in DEFAULT)})",
        )
        parser.add_argument(
            "--quick",
            action="store_true",
            help="fewer rounds: one minute instead of four; truth: four instead of thirty-five",
        )
        parser.add_argument(
            "--engine",
            metavar="NAME",
            help=f"run on another engine (its root file system is created if it is missing): {', '.join(VARIANTS)}",
        )
        add_privileged_hosts(parser)
        parser.add_argument("--json", action="store_true", help="print bench/1")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs the benchmarks. Exits with 0 if every promise is kept, 1 if one is not or could not be measured, 2 for
        an unknown name."""
        try:
            names = choose(options["names"])
        except KeyError as error:
            message = f"Unknown benchmark {error.args[0]}: choose from {', '.join(BENCHMARKS)} and truth."
            raise CommandError(message, returncode=WRONG_USAGE) from None
        require_root("A private host")
        if options["engine"]:
            self._choose(options["engine"])
        try:
            report = self.run(lambda: self._measure(names, quick=options["quick"]))
        except BenchmarkError as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.print_json(report)
        else:
            self.stdout.write(report_text(report))
        if not report.kept:
            raise SystemExit(FAILED)

    def _choose(self, engine: str) -> None:
        """Sets the environment variables that make every private host of this process and its children run
        ``engine``."""
        try:
            os.environ |= engine_settings(engine, configuration.data_dir(), self.say)
        except KeyError as error:
            raise CommandError(error.args[0], returncode=WRONG_USAGE) from None
        except DebianRootError as error:
            raise CommandError(str(error)) from None

    async def _measure(self, names: tuple[str, ...], *, quick: bool) -> Report:
        results, failed = [], {}
        async with open_environment(configuration.data_dir(), self.say) as environment:
            machine = machine_facts(environment.info)
            for name in names:
                try:
                    results.append(await environment.run(name, quick=quick, limit_s=limit_of(name)))
                except BenchmarkError as error:
                    failed[name] = str(error)
        return Report(
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            machine=machine | {"load after": format_load()},
            results=tuple(results),
            failed=failed,
            quick=quick,
            kept=not failed and all(result.kept for result in results),
        )
