"""Names, states, versions and join tokens of machines, and the places where something can be launched."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote, urlsplit, urlunsplit

from msgspec import Meta

#: The name of the installation's own lab in messages. Rows of its experiments name no machine.
SERVER = "server"
#: Names that a machine cannot have: they mean something else in messages, or belong to users in ``nats.conf``, which
#: NATS admits without asking a web process.
RESERVED = frozenset({SERVER, "all", "web", "lab"})
MAX_NAME = 32
#: The time after which an unused token is invalid.
TOKEN_LIFETIME_S = 24 * 3600.0
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LINE = r"^[^\x00-\x1f\x7f]*\Z"


def split_place(place: str) -> tuple[str | None, str]:
    """Splits the name of a place where something can be launched into its machine and the id of its private host.

    ``@NAME`` is the engine of the machine ``NAME``, and ``@NAME/ID`` is a private host on it. The empty name is the
    engine of the installation's own machine, and ``ID`` is a private host on it. For these two, the machine is None.
    The id is empty if the place is the engine of the machine itself.
    """
    if not place.startswith("@"):
        return None, place
    machine, _slash, host = place[1:].partition("/")
    return machine, host


def place_of(machine: str | None, host: str) -> str:
    """Returns the name of a place, the reverse of ``split_place``."""
    if not machine:
        return host
    return f"@{machine}/{host}" if host else f"@{machine}"


def first_machine(places: Iterable[str]) -> str:
    """Returns the first of these places that is the engine of a machine that has joined the installation; empty if none
    is. Experiments are launched there if the installation's own machine has no engine."""
    split = ((place, *split_place(place)) for place in places)
    return next((place for place, machine, host in split if machine is not None and not host), "")


type Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
#: One line, at most as long as the field of the database.
type Text40 = Annotated[str, Meta(max_length=40, pattern=_LINE)]
type Text60 = Annotated[str, Meta(max_length=60, pattern=_LINE)]
type Text120 = Annotated[str, Meta(max_length=120, pattern=_LINE)]


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What the lab of a machine reports about the machine. ``capacity`` is the number of private hosts with the default
    limits that the machine can hold."""

    cpus: Count = 0
    memory_mb: Count = 0
    capacity: Count = 0
    engine: Text40 = ""
    engine_version: Text60 = ""
    kernel: Text120 = ""
    version: Text40 = ""


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """A machine as the database stores it. Times are in seconds since the epoch.

    ``revoked_at`` is 0 while the machine may connect. ``last_revoked_at`` is the time of the last revocation, even if
    the machine has joined again. ``swarm_since`` is when the machine was last asked to enter the swarm of the machines;
    0 after it has left that swarm.
    """

    name: str
    facts: MachineFacts
    labels: Mapping[str, str]
    is_draining: bool
    joined_at: float
    seen_at: float
    revoked_at: float
    last_revoked_at: float = 0.0
    swarm_since: float = 0.0

    @property
    def is_revoked(self) -> bool:
        """Whether the machine may no longer connect."""
        return self.revoked_at > 0.0

    @property
    def accepts_work(self) -> bool:
        """Whether new experiments and private hosts may be placed on the machine."""
        return not self.is_revoked and not self.is_draining


class MachineState(StrEnum):
    """The state of a machine on the page of machines. ``ABSENT``: its lab is not connected. ``NO_LAB``: it is the
    server's own machine, and no lab runs there."""

    CONNECTED = "connected"
    DRAINING = "draining"
    NO_ENGINE = "no engine"
    WRONG_VERSION = "other version"
    ABSENT = "absent"
    NO_LAB = "no lab"
    REVOKED = "revoked"


def state_of(record: MachineRecord, *, is_connected: bool, has_engine: bool, server_version: str) -> MachineState:
    """Returns the state of a machine, from its record and what its lab reports. ``server_version`` is the version of
    Netmodes in the web processes."""
    if record.is_revoked:
        return MachineState.REVOKED
    if not is_connected:
        return MachineState.ABSENT
    if version_problem(server_version, record.facts.version):
        return MachineState.WRONG_VERSION
    if not has_engine:
        return MachineState.NO_ENGINE
    return MachineState.DRAINING if record.is_draining else MachineState.CONNECTED


def name_problem(name: str) -> str | None:
    """Returns why a machine cannot have this name; None if it can."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        return (
            f"“{name[:40]}” is not a valid name for a machine: use at most {MAX_NAME} lower-case letters, digits and "
            "hyphens, beginning and ending with a letter or digit."
        )
    if name in RESERVED:
        return f"The name “{name}” is reserved. Choose another with --name."
    return None


def suggested_name(hostname: str) -> str:
    """Derives a valid machine name from a host name. Empty if no character of it can be used, or if the name is
    reserved."""
    name = re.sub(r"[^a-z0-9]+", "-", hostname.partition(".")[0].lower()).strip("-")[:MAX_NAME].strip("-")
    return "" if name in RESERVED else name


def _minor(version: str) -> tuple[int, int] | None:
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else None


def version_problem(server: str, lab: str) -> str | None:
    """Returns why web processes of the version ``server`` send no calls to a lab of the version ``lab``; None if they
    do. The lab may be one minor version older. A lab that reports no version is accepted, because labs that are older
    than this check report none."""
    of_server, of_lab = _minor(server), _minor(lab)
    if not lab or of_server is None or of_lab is None or of_lab == of_server:
        return None
    if of_lab > of_server:
        return f"This machine runs Netmodes {lab[:40]}, which is newer than the server ({server}). Update the server."
    if of_lab == (of_server[0], of_server[1] - 1):
        return None
    return f"This machine runs Netmodes {lab[:40]}, which is too old for the server ({server}). Update the machine."


#: The beginning of a token with an address.
TOKEN_PREFIX = "netmodes-"  # noqa: S105 - not a secret


def with_address(address: str, secret: str) -> str:
    """Returns the join token as users enter it on the command line. It encodes the server's address and the secret."""
    packed = base64.urlsafe_b64encode(f"{address} {secret}".encode()).decode().rstrip("=")
    return TOKEN_PREFIX + packed


def split_token(token: str) -> tuple[str, str]:
    """Returns the server's address and the secret in a join token. Raises ValueError with a message for the user."""
    text = token.strip().removeprefix(TOKEN_PREFIX)
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        packed = ""
    address, _space, secret = packed.partition(" ")
    if not token.strip().startswith(TOKEN_PREFIX) or not secret or address_problem(address):
        raise ValueError("This is not a token. Copy the whole command from the Machines page.")
    return address, secret


def address_problem(address: str) -> str | None:
    """Returns what is wrong with the form of the server's address; None if it is well-formed. The server is not
    contacted."""
    try:
        parts = urlsplit(address)
        valid = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if (
        not valid
        or parts.path not in {"", "/"}
        or parts.query
        or parts.fragment
        or parts.username
        or len(address) > 200
    ):
        return "Write the address as https://HOST or http://HOST:PORT, without a path."
    return None


def with_credentials(url: str, user: str, password: str) -> str:
    """Returns the URL of a database or of NATS with another user and password. Raises ValueError if the URL has no
    valid host; the message may contain the user and password of the URL."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("The URL names no host.")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{quote(user, safe='')}:{quote(password, safe='')}@{host}", *parts[2:]))
