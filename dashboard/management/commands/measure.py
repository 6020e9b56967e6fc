"""``./netmodes measure``: measures the latency of each path."""

import random
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.measurements.conditions import Conditions, parse_conditions
from dashboard.core.measurements.measurement import Measurement, Options, Probe, Stop, check_options
from dashboard.core.measurements.text import measurement_text
from dashboard.core.modes import ExperimentSpec
from dashboard.lab.measurements.run import measure_paths
from dashboard.lab.one_shot import launched
from dashboard.latency.runner import Progress
from dashboard.management.commanding import FAILED, WRONG_USAGE, NetmodesCommand, add_privileged_hosts, require_root
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.measurements.runs import RequestedRun
from dashboard.store.reports import saved as saved_reports

#: The command of containers, unless HTTP is measured: Netmodes' responder listens on the container's port in place of a
#: program.
SLEEP = "sleep 86400"
#: The database stores the seed in 64 bits with a sign.
MAX_SEED = 2**63 - 1


class Command(NetmodesCommand):
    """Launches arms, measures every path between them and the machine, stores the result, and removes the arms."""

    help = "Measures the latency of each path of each mode."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the modes, like ``compare``, and the options of the measurement."""
        parser.add_argument("modes", nargs="+", metavar="MODE", help="host, bridge, user-bridge, container:1 …")
        parser.add_argument("--image", default="nginx", help="image to run (default nginx)")
        parser.add_argument("--port", help="port inside the container (default 8080; http: 80)")
        parser.add_argument("--publish", "-p", action="append", default=[], metavar="H:C", help="port to publish")
        parser.add_argument("--probe", action="append", default=[], help=f"{', '.join(Probe)} (default tcp-rr)")
        parser.add_argument("--seconds", type=float, default=10.0, help="time limit in seconds (default 10)")
        parser.add_argument("--payload", type=int, default=0, help="bytes per request (default 64; tcp-stream: 65536)")
        parser.add_argument(
            "--rate", type=float, help="requests per second (default: the next one after each response)"
        )
        parser.add_argument(
            "--width", type=float, help="stop once every confidence interval is this narrow, in microseconds"
        )
        parser.add_argument("--under-load", action="store_true", help="measure while a stream saturates the path")
        parser.add_argument(
            "--conditions",
            default=str(Conditions.QUIET),
            metavar="quiet|ordinary",
            help="quiet: real-time priority, cores kept awake; ordinary: neither (default quiet)",
        )
        parser.add_argument(
            "--name", default="localhost", help="name to resolve with the dns probe (default localhost)"
        )
        parser.add_argument("--seed", type=int, help="seed of the block order (default: random; recorded)")
        parser.add_argument("--title", default="", help="title of the run, and of the report")
        parser.add_argument("--save", action="store_true", help="save a report")
        add_privileged_hosts(parser)
        parser.add_argument("--json", action="store_true", help="print measurement/1")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs the measurement. Exits with 0 if a path was measured, 1 if none was, 2 for invalid options."""
        probes, measuring = self._measurement_options(options)
        spec = self._spec(options, probes)
        require_root("Measuring inside network namespaces")
        self.migrate()
        seed = options["seed"] if options["seed"] is not None else random.SystemRandom().getrandbits(32)
        folder = configuration.data_dir()
        measurement, run, engine = self.run(lambda: self._measure(folder, spec, probes, measuring, seed))
        report = None
        if options["save"]:
            report = self.save(
                saved_reports.save_measurement,
                run,
                details=saved_reports.ReportDetails(options["title"]),
                engine=engine,
            )
        if options["json"]:
            with_report = {**msgspec.to_builtins(measurement), "report": report}
            self.print_json(with_report if options["save"] else measurement)
        else:
            self.stdout.write(measurement_text(measurement))
        if options["save"] and report is None:
            raise SystemExit(FAILED)
        if measurement.stopped is Stop.FAILED or not any(series.n for series in measurement.series):
            self.say(measurement.stop_reason)
            raise SystemExit(FAILED)

    def _measurement_options(self, options: dict[str, Any]) -> tuple[tuple[Probe, ...], Options]:
        try:
            probes = tuple(Probe(text) for text in options["probe"] or ["tcp-rr"])
        except ValueError as error:
            message = f"{error}: choose from {', '.join(Probe)}."
            raise CommandError(message, returncode=WRONG_USAGE) from None
        try:
            conditions = parse_conditions(options["conditions"])
        except ValueError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        if options["seed"] is not None and abs(options["seed"]) > MAX_SEED:
            message = f"The seed must be at most {MAX_SEED}, not {options['seed']}."
            raise CommandError(message, returncode=WRONG_USAGE)
        measuring = Options(
            seconds=options["seconds"],
            payload_bytes=options["payload"],
            rate=options["rate"],
            under_load=options["under_load"],
            width_us=options["width"],
            lookup_name=options["name"],
            conditions=conditions,
        )
        if problems := check_options(measuring, probes):
            raise CommandError("\n".join(problems), returncode=WRONG_USAGE)
        return probes, measuring

    def _spec(self, options: dict[str, Any], probes: tuple[Probe, ...]) -> ExperimentSpec:
        http = Probe.HTTP in probes
        port = ("80" if http else "8080") if options["port"] is None else options["port"]
        publish = options["publish"] or [f"{port}/tcp", f"{port}/udp"]
        draft = parse_draft(
            {
                "title": options["title"] or f"measure {' '.join(options['modes'])}",
                "image": options["image"],
                "port": port,
                "publish": publish,
                "arms": [{"mode": mode, "command": "" if http else SLEEP} for mode in options["modes"]],
            }
        )
        if draft.problems:
            raise CommandError("\n".join(problem.sentence for problem in draft.problems), returncode=WRONG_USAGE)
        return draft.spec

    async def _measure(
        self, folder: Path, spec: ExperimentSpec, probes: tuple[Probe, ...], measuring: Options, seed: int
    ) -> tuple[Measurement, str, EngineRef]:
        async with launched(folder, spec, self.say) as (context, run):
            printed_at_s = -1.0

            def report(progress: Progress) -> None:
                nonlocal printed_at_s
                if progress.elapsed_s - printed_at_s >= 2.0:
                    printed_at_s = progress.elapsed_s
                    self.say(f"{progress.rounds} rounds, {progress.remaining_s:.0f} s left")

            database = context.database
            identity = await database.run(measurement_store.create_run, run.id, spec.title, probes, measuring, seed)
            await measure_paths(
                context, run, RequestedRun(identity, run.id, probes, measuring, seed, twin=True), report
            )
            measurement = await database.run(measurement_store.load_measurement, identity)
        if measurement is None:
            raise CommandError("The run was deleted while it was measured.")
        return measurement, identity, context.ref
