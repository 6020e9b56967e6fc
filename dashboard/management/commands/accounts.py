"""``./netmodes accounts``: lists, invites, changes and deactivates accounts."""

from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.comparison.text_table import printable
from dashboard.core.measurements.formatting import moment_of
from dashboard.core.operations.roles import Role
from dashboard.management.commanding import NetmodesCommand
from dashboard.management.serving import linked_address, public_address
from dashboard.store.operations import accounts, audit
from dashboard.store.operations.accounts import AccountError, ListedAccount


@dataclass(frozen=True, slots=True)
class Accounts:
    """The JSON document ``accounts/1``: all accounts, oldest first."""

    accounts: tuple[ListedAccount, ...]
    schema: str = "accounts/1"


class Command(NetmodesCommand):
    """Manages the accounts of the people who share this server. Needs no engine and no root."""

    help = "Lists, invites, changes and deactivates accounts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds a subcommand for each action."""
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="list | invite | link | role | deactivate | activate"
        )
        lister = actions.add_parser("list", help="list all accounts")
        lister.add_argument("--json", action="store_true", help="print accounts/1")
        roles = [str(role) for role in Role]
        inviter = actions.add_parser("invite", help="create an account and print its sign-in link")
        inviter.add_argument("name", metavar="NAME", help="the name of the new account")
        inviter.add_argument("--role", choices=roles, default=str(Role.INSTRUCTOR), help="default instructor")
        inviter.add_argument("--email", default="", help="the address for sign-in with OpenID Connect")
        linker = actions.add_parser("link", help="print a new sign-in link of an account")
        linker.add_argument("name", metavar="NAME", help="the name of the account")
        changer = actions.add_parser("role", help="give an account another role")
        changer.add_argument("name", metavar="NAME", help="the name of the account")
        changer.add_argument("role", choices=roles, metavar="ROLE", help=", ".join(roles))
        for action, text in (
            ("deactivate", "sign an account out and refuse its sign-ins"),
            ("activate", "allow its sign-ins again"),
        ):
            actions.add_parser(action, help=text).add_argument("name", metavar="NAME", help="the name of the account")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs one action. Exits with 0; 1 if the account does not exist or cannot be changed; 2 for wrong usage."""
        self.migrate()
        action, name = options["action"], options.get("name", "")
        if action == "list":
            self._list(options)
            return
        entry = audit.PendingEntry(account=audit.COMMAND_LINE, action=f"{action} account", object=name[:120])
        with audit.pending(entry):
            try:
                self.stdout.write(self._change(action, name, options))
            except AccountError as error:
                raise CommandError(str(error)) from None

    def _list(self, options: dict[str, Any]) -> None:
        rows = accounts.listed()
        if options["json"]:
            self.print_json(Accounts(rows))
            return
        for row in rows:
            state = "deactivated" if not row.active else ""
            active = (
                f"last active {moment_of(row.last_active):%Y-%m-%d %H:%M} UTC" if row.last_active else "never signed in"
            )
            self.stdout.write(printable("  ".join(filter(None, [row.name, str(row.role), row.email, active, state]))))

    @staticmethod
    def _change(action: str, name: str, options: dict[str, Any]) -> str:
        """Changes an account and returns a sentence that describes the result."""
        if action == "invite":
            return _link(accounts.invite(name, options["email"], Role(options["role"])))
        account = accounts.find(name)
        if action == "link":
            return _link(accounts.new_link(account.id))
        if action == "role":
            accounts.change_role(account.id, Role(options["role"]))
            return f"{account.name} has the role {options['role']}."
        accounts.set_active(account.id, active=action == "activate")
        return f"{account.name} is {'active' if action == 'activate' else 'deactivated and signed out'}."


def _link(token: str) -> str:
    """A line with the sign-in link for this token. If no server of this data folder runs, the line contains only the
    link's path."""
    address = linked_address()
    if address is None:
        return f"Sign in (once, within an hour, after {configuration.COMMAND} up): /sign-in/?token={token}"
    return f"Sign in (once, within an hour): {public_address(address)}/sign-in/?token={token}"
