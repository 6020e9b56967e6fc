"""``./netmodes join TOKEN``: adds this machine to an installation, and starts its lab."""

import os
import platform
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.machines.labels import parse_labels
from dashboard.core.operations.machines import name_problem, split_token, suggested_name
from dashboard.lab.machine_facts import own_facts
from dashboard.management.commanding import WRONG_USAGE, NetmodesCommand, add_privileged_hosts, require_root
from dashboard.management.joining import ExchangeError, exchange


class Command(NetmodesCommand):
    """Exchanges a join token for credentials, stores them, and starts the lab of this machine."""

    help = "Joins an installation with a token from its Machines page, and starts the lab of this machine."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the token, and options for the machine's name and labels."""
        parser.add_argument("token", metavar="TOKEN", help="the token that the Machines page shows")
        parser.add_argument("--name", help="the name of this machine (default: its host name)")
        parser.add_argument(
            "--label", action="append", default=[], metavar="KEY=VALUE", help="a label of this machine; may be repeated"
        )
        parser.add_argument("--no-start", action="store_true", help="do not start the lab")
        add_privileged_hosts(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Joins the installation. Then the lab replaces this process, unless ``--no-start`` is given."""
        require_root("The lab enters the network namespaces of containers, and")
        name = options["name"] or suggested_name(platform.node())
        try:
            address, secret = split_token(options["token"])
            parse_labels(options["label"])
        except ValueError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        if problem := name_problem(name):
            raise CommandError(problem, returncode=WRONG_USAGE)
        if address.startswith("http://"):
            self.say(f"{address} does not use TLS: the credentials can be read on the network.")
        try:
            received = exchange(address, secret, name, options["label"], own_facts())
        except ExchangeError as error:
            raise CommandError(str(error)) from None
        configuration.store_joined(settings.DATA_DIR, received)
        self.say(f"This machine has joined {address} as {name}.")
        if options["no_start"]:
            self.say(f"Start its lab with {configuration.COMMAND} lab.")
            return
        privileged = ["--privileged-hosts"] if options["privileged_hosts"] else []
        os.execv(sys.executable, [sys.executable, sys.argv[0], "lab", *privileged])  # noqa: S606
