"""Judgements that several claims share: the same question about other modes, options and paths."""

from __future__ import annotations

from dashboard.core.claims.extract import nameservers, on_one_line
from dashboard.core.claims.model import Judgement, holds_if, not_testable
from dashboard.core.claims.observers import AddressedLookup, Files
from dashboard.core.claims.testbed import Container, Timing


def judge_slower(timing: Timing) -> Judgement:
    """Holds if the whole interval of the difference is above zero."""
    if timing.verdict == "inconclusive":
        return not_testable(f"The blocks are inconclusive: {timing.reason}.", timing.summary)
    return holds_if(timing.verdict == "slower", f"It is {timing.verdict}.", timing.summary)


def judge_refused(container: Container) -> Judgement:
    """Holds if the Engine refused the container."""
    return holds_if(bool(container.refused), "It was accepted.", f"docker run: {container.summary}")


def judge_stripped(files: Files) -> Judgement:
    """Holds if the container has the machine's name servers without the loopback ones."""
    machine, inside = files
    evidence = (f"resolv.conf of the machine: {on_one_line(machine)}", f"in the container: {on_one_line(inside)}")
    expected = tuple(server for server in nameservers(machine) if not server.startswith("127."))
    return holds_if(nameservers(inside) == expected, "It has other servers.", *evidence)


def judge_not_found(observed: AddressedLookup) -> Judgement:
    """Holds if the name has no address."""
    return holds_if(not observed[0].answers, "The name resolves.", _evidence(observed))


def judge_resolved(observed: AddressedLookup) -> Judgement:
    """Holds if the name has the address that the Engine gave."""
    lookup, address = observed
    return holds_if(address in lookup.answers, "The name does not resolve to it.", _evidence(observed))


def _evidence(observed: AddressedLookup) -> str:
    lookup, address = observed
    answers = ", ".join(lookup.answers) or "no address"
    server = lookup.server or "no server"
    return f"lookup of {lookup.name}: {lookup.outcome}, {answers} (asked {server}); the container has {address}"
