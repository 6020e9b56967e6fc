"""Judgements that several claims share."""

from dashboard.core.claims.extract import nameservers, on_one_line
from dashboard.core.claims.model import Judgement, differs, holds_if, not_testable
from dashboard.core.claims.observers import EXIT_TRIES, AddressedLookup, ContainerState, Files, ServerOutcome
from dashboard.core.claims.prepared import prepared
from dashboard.core.claims.testbed import Container, Datagram, Timing, Transfer
from dashboard.core.namespaces.resolver import is_loopback
from dashboard.core.namespaces.state import Lookup


def judge_slower(timing: Timing) -> Judgement:
    """The claim holds if the path ``slow`` takes longer than the path ``fast``: the confidence interval of the
    difference is above zero. The claim is not testable if the measurement is inconclusive."""
    if timing.verdict == "inconclusive":
        return not_testable(f"The blocks are inconclusive: {timing.reason}.", timing.summary)
    return holds_if(timing.verdict == "slower", f"The measured difference is: {timing.verdict}.", timing.summary)


def judge_refused(container: Container) -> Judgement:
    """The claim holds if the Engine refused to create or to start the container."""
    return holds_if(bool(container.refused), "The Engine accepted the command.", f"docker run: {container.summary}")


def judge_exit(outcome: ServerOutcome, error: str, otherwise: str, *evidence: str) -> Judgement:
    """The claim holds if the program exited with ``error`` in its log. ``error`` is in lower case. If the program
    serves, or exited without this error, the verdict is ``differs`` with the reason ``otherwise``. If it neither served
    nor exited in time, the claim is not testable."""
    container, serves = outcome
    if container.status == "running" and not serves:
        return not_testable(f"The program neither served nor exited within {EXIT_TRIES} s.", *evidence)
    exited = container.status == "exited" and any(error in line.lower() for line in container.logs)
    return holds_if(exited, otherwise, *evidence)


def judge_stripped(files: Files) -> Judgement:
    """The claim holds if the container has the machine's name servers, without those at loopback addresses."""
    machine, inside = files
    evidence = (f"resolv.conf of the machine: {on_one_line(machine)}", f"in the container: {on_one_line(inside)}")
    expected = tuple(server for server in nameservers(machine) if not is_loopback(server))
    return holds_if(nameservers(inside) == expected, "The container has other name servers.", *evidence)


@prepared
def judge_arrived(datagram: Datagram, source: str = "") -> Judgement:
    """The claim holds if the datagram arrived, and came from the address ``source`` if one is given."""
    evidence = f"the datagram: {datagram.summary}"
    if not datagram.arrived:
        return differs("The datagram did not arrive.", evidence)
    return holds_if(not source or datagram.source == source, "The datagram came from another address.", evidence)


def judge_lost(datagram: Datagram) -> Judgement:
    """The claim holds if the datagram did not arrive."""
    return holds_if(not datagram.arrived, "The datagram arrived.", f"the datagram: {datagram.summary}")


def judge_complete(transfers: tuple[Transfer, ...]) -> Judgement:
    """The claim holds if all bytes of every transfer arrived."""
    evidence = _transfers(transfers)
    return holds_if(all(transfer.complete for transfer in transfers), "A transfer is incomplete.", *evidence)


def judge_stalled(transfers: tuple[Transfer, ...]) -> Judgement:
    """The claim holds if the first, small transfer is complete, and the second, large one stalls on an open
    connection."""
    small, large = transfers
    evidence = _transfers(transfers)
    if not small.complete:
        return differs("The small transfer is incomplete.", *evidence)
    return holds_if(not large.complete and not large.error, "The large transfer did not stall.", *evidence)


def _transfers(transfers: tuple[Transfer, ...]) -> tuple[str, ...]:
    return tuple(f"transfer of {transfer.sent} bytes: {transfer.summary}" for transfer in transfers)


def judge_names(lookups: tuple[Lookup, ...]) -> Judgement:
    """The claim holds if every name resolves to an address."""
    evidence = tuple(describe_lookup(lookup) for lookup in lookups)
    return holds_if(all(lookup.answers for lookup in lookups), "A name does not resolve.", *evidence)


def judge_no_names(lookups: tuple[Lookup, ...]) -> Judgement:
    """The claim holds if no name resolves to an address."""
    evidence = tuple(describe_lookup(lookup) for lookup in lookups)
    return holds_if(not any(lookup.answers for lookup in lookups), "A name resolves.", *evidence)


def describe_lookup(lookup: Lookup) -> str:
    """Formats a lookup as evidence: ``lookup of web: answer, 172.18.0.2 (asked 127.0.0.11)``."""
    answers = ", ".join(lookup.answers) or "no address"
    return f"lookup of {lookup.name}: {lookup.outcome}, {answers} (asked {lookup.server or 'no server'})"


def judge_not_found(observed: AddressedLookup) -> Judgement:
    """The claim holds if the name of the container does not resolve."""
    return holds_if(not observed[0].answers, "The name resolves.", _evidence(observed))


def judge_resolved(observed: AddressedLookup) -> Judgement:
    """The claim holds if the name of the container resolves to the address that the Engine assigned."""
    lookup, address = observed
    return holds_if(
        address in lookup.answers, "The name does not resolve to the container's address.", _evidence(observed)
    )


def _evidence(observed: AddressedLookup) -> str:
    lookup, address = observed
    return f"{describe_lookup(lookup)}; the container has {address}"


@prepared
def judge_default_network(observed: ContainerState, name: str) -> Judgement:
    """The claim holds if the container is on two networks and its default route leads through the network ``name``."""
    container, state = observed
    networks = container.setting("NetworkSettings", "Networks") or {}
    gateways = {full.rpartition("-")[2]: (network or {}).get("Gateway", "") for full, network in networks.items()}
    default = next(
        (route.gateway for route in state.routes if route.destination == "default" and route.family == "inet"), ""
    )
    evidence = (
        *(f"gateway of the network {network}: {gateway}" for network, gateway in gateways.items()),
        f"default route of the container: {default or 'none'}",
    )
    proved = len(gateways) == 2 and default == gateways.get(name)
    return holds_if(proved, "The default route goes elsewhere.", *evidence)
