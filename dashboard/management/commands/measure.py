"""``./netmodes measure``: what each path costs, measured and recorded."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.measurements.measurement import ANSWERED_BY_US, Measurement, Options, Probe, Stop, check_options
from dashboard.core.measurements.text import measurement_text
from dashboard.core.modes import ExperimentSpec
from dashboard.lab.measurements.run import measure_paths
from dashboard.lab.one_shot import launched
from dashboard.latency.runner import Progress
from dashboard.management.commanding import FAILED, WRONG_USAGE, NetmodesCommand, require_root
from dashboard.store import measurements as measurement_store
from dashboard.store.measurements import Asked
from dashboard.store.reports import saved as saved_reports

#: The responder takes the program's place at the container's port, so that a published port leads to it.
SLEEP = "sleep 86400"


class Command(NetmodesCommand):
    """Launches arms, measures every path between them and the machine, keeps the result, cleans up."""

    help = "Measures what each path of each mode costs."

    def add_arguments(self, parser: CommandParser) -> None:
        """Modes as for compare, then how to measure."""
        parser.add_argument("modes", nargs="+", metavar="MODE", help="host, bridge, user-bridge, container:1 …")
        parser.add_argument("--image", default="nginx", help="image to run (default nginx)")
        parser.add_argument("--port", default="8080", help="port inside the container (default 8080; http: 80)")
        parser.add_argument("--publish", "-p", action="append", default=[], metavar="H:C", help="port to publish")
        parser.add_argument("--probe", action="append", default=[], help=f"{', '.join(Probe)} (default tcp-rr)")
        parser.add_argument("--seconds", type=float, default=10.0, help="how long at most (default 10)")
        parser.add_argument("--payload", type=int, default=0, help="bytes of one request (default 64)")
        parser.add_argument("--rate", type=float, help="requests per second (default: as soon as answered)")
        parser.add_argument("--width", type=float, help="stop once every interval is this narrow, in microseconds")
        parser.add_argument("--under-load", action="store_true", help="while a stream saturates the same path")
        parser.add_argument("--name", default="localhost", help="name to look up with dns (default localhost)")
        parser.add_argument("--seed", type=int, help="seed of the order (default random, always recorded)")
        parser.add_argument("--title", default="", help="title of the run, and of the report")
        parser.add_argument("--save", action="store_true", help="make a report of it")
        parser.add_argument("--json", action="store_true", help="print measurement/1")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Exit 0 if something was measured, 1 if not, 2 if it cannot be measured as written."""
        probes, how = self._how(options)
        spec = self._spec(options, probes)
        require_root("Measuring inside network namespaces")
        self.migrate()
        seed = options["seed"] if options["seed"] is not None else random.SystemRandom().getrandbits(32)
        folder = configuration.data_dir()
        found, run, engine = self.run(lambda: self._measure(folder, spec, probes, how, seed))
        report = None
        if options["save"]:
            report = self.save(saved_reports.save_measurement, run, details=saved_reports.ReportDetails(options["title"]), engine=engine)
        if options["json"]:
            self.print_json({**msgspec.to_builtins(found), "report": report} if options["save"] else found)
        else:
            self.stdout.write(measurement_text(found))
        if options["save"] and report is None:
            raise SystemExit(FAILED)
        if found.stopped is Stop.FAILED or not any(one.n for one in found.series):
            self.say(found.stop_reason)
            raise SystemExit(FAILED)

    def _how(self, options: dict[str, Any]) -> tuple[tuple[Probe, ...], Options]:
        try:
            probes = tuple(Probe(text) for text in options["probe"] or ["tcp-rr"])
        except ValueError as error:
            sentence = f"{error}: choose from {', '.join(Probe)}."
            raise CommandError(sentence, returncode=WRONG_USAGE) from None
        how = Options(
            seconds=options["seconds"],
            payload_bytes=options["payload"],
            rate=options["rate"],
            under_load=options["under_load"],
            width_us=options["width"],
            lookup_name=options["name"],
        )
        wrong = list(check_options(how, probes))
        if Probe.HTTP in probes and set(probes) & ANSWERED_BY_US:
            wrong.append(
                "http asks the container's own program, the others a responder in its place: measure them apart."
            )
        if wrong:
            raise CommandError("\n".join(wrong), returncode=WRONG_USAGE)
        return probes, how

    def _spec(self, options: dict[str, Any], probes: tuple[Probe, ...]) -> ExperimentSpec:
        own = Probe.HTTP in probes
        port = "80" if own and options["port"] == "8080" else options["port"]
        publish = options["publish"] or [f"{port}/tcp", f"{port}/udp"]
        draft = parse_draft(
            {
                "title": options["title"] or f"measure {' '.join(options['modes'])}",
                "image": options["image"],
                "port": port,
                "publish": publish,
                "arms": [{"mode": mode, "command": "" if own else SLEEP} for mode in options["modes"]],
            }
        )
        if draft.problems:
            raise CommandError("\n".join(p.sentence for p in draft.problems), returncode=WRONG_USAGE)
        return draft.spec

    async def _measure(
        self, folder: Path, spec: ExperimentSpec, probes: tuple[Probe, ...], how: Options, seed: int
    ) -> tuple[Measurement, str, EngineRef]:
        async with launched(folder, spec, self.say) as (context, run):
            told = -1.0

            def progress(at: Progress) -> None:
                nonlocal told
                if at.elapsed_s - told >= 2.0:
                    told = at.elapsed_s
                    self.say(f"{at.rounds} rounds, {at.remaining_s:.0f} s left")

            database = context.database
            identity = await database.run(measurement_store.create_run, run.id, spec.title, probes, how, seed)
            await measure_paths(context, run, Asked(identity, run.id, probes, how, seed, twin=True), progress)
            found = await context.database.run(measurement_store.load_measurement, identity)
        if found is None:
            raise CommandError("The run was deleted while it was measured.", returncode=FAILED)
        return found, identity, context.ref
