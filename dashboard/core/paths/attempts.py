"""Describes the results of “Try” in one sentence, and decides which results are stored. “Try” sends a request over
every path; the results of one use are a trial."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from dashboard.core.comparison.phrases import join_names
from dashboard.core.experiments.journal import Attempt, Trial
from dashboard.core.experiments.messages import Column
from dashboard.core.namespaces.addresses import address_of
from dashboard.core.namespaces.resolver import is_loopback
from dashboard.core.paths.model import MACHINE_KEY, PathKind, family_of
from dashboard.core.paths.multicast import MULTICAST, link_of

#: How a request reached a published port.
_THROUGH = {
    PathKind.PUBLISHED_PROXY: "docker-proxy",
    PathKind.PUBLISHED_DNAT: "DNAT",
    PathKind.PUBLISHED_ROOTLESS: "Podman's forwarder",
}
_PLACES = {
    PathKind.LOOPBACK: "over loopback",
    PathKind.MACHINE_ADDRESS: "at the machine's address",
    PathKind.BRIDGE_ADDRESS: "at its own address",
    PathKind.INSIDE: "inside its namespace",
    PathKind.PUBLISHED_PROXY: "through docker-proxy",
    PathKind.PUBLISHED_DNAT: "through DNAT",
    PathKind.PUBLISHED_ROOTLESS: "through Podman's forwarder",
    PathKind.LAN_ADDRESS: "from the neighbour",
    PathKind.LAN_PUBLISHED: "at its published port, from the neighbour",
    PathKind.LAN_CONTAINER: "at its own address, from the neighbour",
    PathKind.PEER_ADDRESS: "from the other host",
    PathKind.PEER_PUBLISHED: "at its published port, from the other host",
    PathKind.PEER_CONTAINER: "at its own address, from the other host",
    PathKind.REMOTE_ADDRESS: "from the container on the other host",
    PathKind.REMOTE_PUBLISHED: "at its published port, from the container on the other host",
    PathKind.REMOTE_CONTAINER: "at its own address, from the container on the other host",
    PathKind.REMOTE_OVERLAY: "over the overlay network, from the container on the other host",
    PathKind.HAIRPIN: "at its own published port, from itself",
    PathKind.FROM_MACHINE_ADDRESS: "at the machine's address, from {}",
    PathKind.FROM_MACHINE_PUBLISHED: "at its published port, from {}",
    PathKind.FROM_MACHINE_CONTAINER: "at its own address, from {}",
    PathKind.FROM_MACHINE_OVERLAY: "over the overlay network, from {}",
}


#: The number of trials of a launch that are always stored; later ones only if their results differ.
MAX_TRIALS = 50
#: The maximum number of stored attempts of one trial, and of stored characters of each response.
MAX_ATTEMPTS = 100
MAX_BODY = 400


def next_trial(before: Trial, attempts: Sequence[Attempt], at: float) -> Trial | None:
    """Returns the trial to store after ``before``, with the time ``at``; None if there is nothing to store.

    Nothing is stored if nothing was requested. After ``MAX_TRIALS`` trials of a launch, a trial is stored only if its
    results differ from those in ``before``, so that the journal stays small.
    """
    kept = tuple(replace(attempt, body_start=attempt.body_start[:MAX_BODY]) for attempt in attempts[:MAX_ATTEMPTS])
    if not kept or (before.number >= MAX_TRIALS and _outcomes(kept) == _outcomes(before.attempts)):
        return None
    return Trial(kept, at, before.number + 1)


def _outcomes(attempts: Sequence[Attempt]) -> list[tuple[object, ...]]:
    """Returns what is compared to see whether two trials have the same results. Times, client ports and texts are left
    out, because they differ at each request."""
    return [(one.key, one.status, one.error, one.unavailable, address_of(one.client_seen)) for one in attempts]


def name_client(origin: str, columns: Sequence[Column]) -> str:
    """Returns the name of the client ``origin``: the title of this column or, if the client is another machine
    (``@lab2``), the machine's name."""
    if origin.startswith(MACHINE_KEY):
        return f"machine {origin.removeprefix(MACHINE_KEY)}"
    return next((column.title for column in columns if column.key == origin), origin)


def machine_of(server: str, columns: Sequence[Column]) -> str:
    """Returns the machine of the column ``server``. Empty if the experiment runs on one machine only."""
    return next((column.machine for column in columns if column.key == server), "")


def group_attempts(
    attempts: Sequence[Attempt], columns: Sequence[Column]
) -> tuple[tuple[str, tuple[Attempt, ...]], ...]:
    """Groups attempts by the machine of the server. Each group has the name of the machine, empty if the experiment
    runs on one machine only."""
    groups: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        groups.setdefault(machine_of(attempt.server, columns), []).append(attempt)
    return tuple((machine, tuple(group)) for machine, group in groups.items())


def describe_attempts(attempts: Sequence[Attempt], columns: Sequence[Column]) -> str:
    """Describes how many paths answered, which did not, which client IP the published services saw, and which
    containers received multicast. Empty if nothing was requested."""
    requested = [attempt for attempt in attempts if not attempt.unavailable and attempt.path != MULTICAST]
    datagrams = [attempt for attempt in attempts if attempt.url and attempt.path == MULTICAST]
    titles = {column.key: column.title for column in columns}
    parts = list(_describe_requests(requested, titles)) if requested else []
    parts += _describe_datagrams(datagrams, titles)
    return f"{'; '.join(parts)}." if parts else ""


def _describe_requests(requested: Sequence[Attempt], titles: Mapping[str, str]) -> Iterator[str]:
    failed = [attempt for attempt in requested if attempt.error or attempt.status is None]
    yield f"{_count(len(requested), len(failed))}{_describe_failures(failed, titles, len(requested))}"
    yield from _describe_clients(requested, titles)


def _describe_datagrams(datagrams: Sequence[Attempt], titles: Mapping[str, str]) -> Iterator[str]:
    """Yields for each link which containers received the datagram and which did not."""
    links: dict[str, tuple[list[str], list[str]]] = {}
    for one in datagrams:
        arrived, missing = links.setdefault(link_of(one), ([], []))
        (missing if one.error or one.unavailable else arrived).append(titles.get(one.server, one.server))
    for link, (arrived, missing) in links.items():
        reached = f"reached {', '.join(arrived)}" if arrived else "reached no container"
        yield f"multicast on {link} {reached}{f', not {" or ".join(missing)}' if arrived and missing else ''}"


def _count(requested: int, failed: int) -> str:
    if failed == 0:
        return "Every path answered" if requested > 1 else "The only path answered"
    if failed == requested:
        return "No path answered"
    return f"{requested - failed} of {requested} paths answered"


def _describe_failures(failed: Sequence[Attempt], titles: Mapping[str, str], requested: int) -> str:
    if not failed:
        return ""
    places = dict.fromkeys(_describe_place(attempt, titles) for attempt in failed)
    reasons = dict.fromkeys(attempt.error.rstrip(".") for attempt in failed if attempt.error)
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return f"{':' if len(failed) == requested else ', not'} {', '.join(places)}{why}"


def _describe_place(attempt: Attempt, titles: Mapping[str, str]) -> str:
    if attempt.path == PathKind.TO_LAN:
        return f"the neighbour from {titles.get(attempt.origin, attempt.origin)}"
    place = _PLACES.get(PathKind(attempt.path), f"over {attempt.path}")
    return f"{titles.get(attempt.server, attempt.server)} {place.format(attempt.origin.removeprefix(MACHINE_KEY))}"


def _describe_clients(requested: Sequence[Attempt], titles: Mapping[str, str]) -> Iterator[str]:
    """Yields which client IP each published service saw through docker-proxy, DNAT or Podman's forwarder, and which
    client IP the neighbour saw. A request to loopback may have another client IP than one to the machine's address; of
    several address families, the first is described."""
    seen: dict[str, dict[str, dict[str, str]]] = {}
    for attempt in requested:
        through = _THROUGH.get(PathKind(attempt.path))
        client = address_of(attempt.client_seen)
        if through and client:
            endpoint = attempt.url.partition("//")[2].partition("/")[0]
            place = "over loopback" if is_loopback(address_of(endpoint)) else "at the machine's address"
            clients = seen.setdefault(attempt.server, {}).setdefault(through, {})
            if family_of(next(iter(clients.values()), client)) is family_of(client):
                clients.setdefault(place, client)
    for server, ways in seen.items():
        parts: list[str] = []
        for through, clients in ways.items():
            differ = len(set(clients.values())) > 1
            parts += dict.fromkeys(
                f"{client} through {through}{f' {place}' if differ else ''}" for place, client in clients.items()
            )
        yield f"{titles.get(server, server)} saw the client {' and '.join(parts)}"
    sources: dict[str, list[str]] = {}
    for attempt in requested:
        if attempt.path == PathKind.TO_LAN and (client := address_of(attempt.client_seen)):
            sources.setdefault(client, []).append(titles.get(attempt.origin, attempt.origin))
    if sources:
        yield "the neighbour saw " + ", ".join(f"{join_names(keys)} as {client}" for client, keys in sources.items())
