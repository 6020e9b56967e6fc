"""Chooses the address at which participants join. If the server has no address that other devices can open, builds the
command that starts the server on such an address."""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from dashboard.core.namespaces.addresses import bracket, primary_addresses
from dashboard.core.namespaces.state import NamespaceState

#: Kinds of links whose addresses lead to this machine and its containers only.
_LOCAL_KINDS = frozenset({"loopback", "bridge", "veth", "dummy"})


@dataclass(frozen=True, slots=True)
class ServedAt:
    """The addresses of a server.

    ``listening`` are the addresses of its sockets on ``port``. ``own`` are the machine's addresses that other devices
    can reach, the best one first. ``allowed`` are the host names that the server accepts. ``configured`` are those of
    them that come from the setting ``NETMODES_ALLOWED_HOSTS``. ``origins`` are the origins of its reverse proxy.
    """

    port: int
    listening: tuple[str, ...]
    own: tuple[str, ...]
    allowed: tuple[str, ...]
    origins: tuple[str, ...] = ()
    configured: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JoinAddress:
    """The address at which participants join. ``origin`` is the beginning of the links.

    If ``is_local`` is true, only this machine can open ``origin``. ``command`` then starts the server in such a way
    that other devices can open the origins in ``others``. Both are empty if the machine has no other address.
    """

    origin: str
    is_local: bool = False
    command: str = ""
    others: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The address to type, without the scheme, which browsers add."""
        return f"{self.origin.removeprefix('http://').removeprefix('https://')}/join/"


def is_local(origin: str) -> bool:
    """Whether a device that opens the origin reaches only itself, as with ``http://localhost``."""
    name = (urlsplit(origin).hostname or "").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def reachable_addresses(state: NamespaceState) -> tuple[str, ...]:
    """Returns the machine's addresses that other devices may reach: first those of the link with the default route,
    then those of other links that are not for containers."""
    others = (
        address.address
        for link in state.interfaces
        if link.kind not in _LOCAL_KINDS and link.up
        for address in link.addresses
        if address.scope == "global"
    )
    return tuple(dict.fromkeys((*primary_addresses(state), *others)))


def _listens(listening: Collection[str], address: str) -> bool:
    any_address = "::" if ":" in address else "0.0.0.0"  # noqa: S104 - compared only
    return address in listening or any_address in listening


def choose_join_address(origin: str, server: ServedAt) -> JoinAddress:
    """Returns the address for participants. It is the first of these that other devices can open: ``origin``, which the
    instructor has opened; an origin of the reverse proxy; a machine address that the server listens on and accepts as a
    host name. Without such an address, ``is_local`` of the result is true."""
    for each in (origin, *server.origins):
        if not is_local(each):
            return JoinAddress(each)
    for address in server.own:
        if _listens(server.listening, address) and bracket(address) in server.allowed:
            return JoinAddress(_origin(address, server.port))
    chosen = [address for address in server.own if ":" not in address] or list(server.own)
    return JoinAddress(
        origin,
        is_local=True,
        command=_command(chosen, server) if chosen else "",
        others=tuple(_origin(address, server.port) for address in chosen),
    )


def _origin(address: str, port: int) -> str:
    return f"http://{bracket(address)}" + ("" if port == 80 else f":{port}")


def _command(addresses: Collection[str], server: ServedAt) -> str:
    """Returns the command that starts the server so that other devices can open these addresses."""
    names = dict.fromkeys((*server.configured, *map(bracket, addresses)))
    host = "0.0.0.0" if all(":" not in address for address in addresses) else "::"  # noqa: S104 - for the user to type
    return f"NETMODES_ALLOWED_HOSTS='{','.join(names)}' ./netmodes up --host {host} --port {server.port}"
