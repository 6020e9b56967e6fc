"""``./netmodes compare``: launches an experiment and prints the comparison."""

import shutil
from dataclasses import replace
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.comparison.text_table import comparison_text, printable
from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.experiments.messages import ArmStatus
from dashboard.core.modes import NETWORK_DRIVERS, Mode
from dashboard.lab.one_shot import compare_once
from dashboard.latency.environment import read_machine
from dashboard.management.commanding import FAILED, WRONG_USAGE, NetmodesCommand, add_privileged_hosts, require_root
from dashboard.store.reports import saved as saved_reports

FAILED_STATUSES = {ArmStatus.REFUSED, ArmStatus.EXITED, ArmStatus.LOST, ArmStatus.WAITING, ArmStatus.CREATED}


def _arm(mode: str, options: dict[str, Any]) -> dict[str, Any]:
    """The fields of an arm for the launch form. Includes options of a network only if the mode supports them."""
    arm = {"mode": mode, "command": options["command"]}
    if mode in NETWORK_DRIVERS:
        arm["networks"] = options["network"]
    if mode == Mode.USER_BRIDGE:
        arm["ipv6"] = options["ipv6"]
    return arm


class Command(NetmodesCommand):
    """Launches the arms of an experiment, compares them and removes them."""

    help = "Launches a container in several modes, compares them and cleans up."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the fields of the launch form and options for the output."""
        parser.add_argument("modes", nargs="+", metavar="MODE", help="host, bridge, user-bridge, none, container:1 …")
        parser.add_argument("--image", default="nginx", help="image to run (default nginx)")
        parser.add_argument("--port", default="80", help="port of the program in the container (default 80)")
        parser.add_argument("--publish", "-p", action="append", default=[], metavar="H:C", help="port to publish")
        parser.add_argument("--command", default="", help="command to run instead of the image's")
        parser.add_argument("--name", action="append", default=[], help="another name to resolve in the containers")
        parser.add_argument(
            "--ipv6", choices=["yes", "only"], default="", help="IPv6 in user-bridge: yes, or only IPv6"
        )
        parser.add_argument(
            "--network",
            action="append",
            default=[],
            metavar="NAME[,OPTIONS]",
            help="a further network for arms on user-defined networks; options: ipv6, gw-priority=1, ifname=eth7",
        )
        parser.add_argument("--title", default="", help="title of the experiment, and of the report")
        parser.add_argument("--save", action="store_true", help="save a report")
        parser.add_argument("--keep", action="store_true", help="leave the experiment running")
        parser.add_argument("--all", action="store_true", help="also show rows without differences")
        add_privileged_hosts(parser)
        parser.add_argument("--json", action="store_true", help="print comparison/1")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs the comparison. Exits with 0 if all arms run, 1 if one failed, 2 for an invalid experiment."""
        draft = parse_draft(
            {
                "title": options["title"],
                "image": options["image"],
                "port": options["port"],
                "publish": options["publish"],
                "names": options["name"],
                "arms": [_arm(mode, options) for mode in options["modes"]],
            }
        )
        if draft.problems:
            raise CommandError("\n".join(problem.sentence for problem in draft.problems), returncode=WRONG_USAGE)
        require_root("Reading network namespaces")
        self.migrate()
        folder = configuration.data_dir()
        launched: list[str] = []
        keep = options["keep"]
        comparison = self.run(lambda: compare_once(folder, draft.spec, self.say, keep=keep, on_launch=launched.append))
        if options["save"]:
            report = self.save(
                saved_reports.save_experiment,
                launched[0],
                details=saved_reports.ReportDetails(options["title"]),
                engine=comparison.engine,
                machine=read_machine(),
            )
            comparison = replace(comparison, report=report)
        if options["json"]:
            self.print_json(comparison)
        else:
            width = shutil.get_terminal_size((120, 40)).columns
            self.stdout.write(comparison_text(comparison, width, show_all=options["all"]))
        failed = [
            column
            for column in comparison.columns
            if (column.container is not None or column.error) and column.status in FAILED_STATUSES
        ]
        for column in failed:
            reason = column.error or (f"exited with code {column.exit_code}" if column.exit_code is not None else "")
            self.say(f"{column.title}: {column.status}: {printable(reason or 'it did not start')}")
        if failed or (options["save"] and comparison.report is None):
            raise SystemExit(FAILED)
