"""``./netmodes doctor``: shows what this engine and kernel support."""

from typing import Any

from django.core.management.base import CommandParser

from dashboard import configuration
from dashboard.core.comparison.text_table import doctor_text
from dashboard.core.experiments.messages import Doctor
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.private_host import list_hosts
from dashboard.lab.bootstrap import endpoint
from dashboard.lab.doctor import examine
from dashboard.management.commanding import FAILED, NetmodesCommand
from dashboard.store.operations.storage import add_storage


class Command(NetmodesCommand):
    """Reports what the engine and the kernel support. Changes nothing."""

    help = "Shows which modes this engine and kernel support, and why others are unavailable."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the option for the output format."""
        parser.add_argument("--json", action="store_true", help="print doctor/1")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Prints the report. Exits with 1 if no engine answers."""
        doctor = add_storage(self.run(self._examine))
        if options["json"]:
            self.print_json(doctor)
        else:
            self.stdout.write(doctor_text(doctor))
        if doctor.engine is None:
            raise SystemExit(FAILED)

    async def _examine(self) -> Doctor:
        private = any(f"unix://{host.socket}" == endpoint() for host in list_hosts(configuration.data_dir()))
        async with DockerEngine(endpoint()) as engine:
            return await examine(engine, private=private)
