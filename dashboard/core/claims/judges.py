"""Judgements that several claims share: the same question, asked of other modes and paths."""

from __future__ import annotations

from dashboard.core.claims.extract import say_lines, servers_in
from dashboard.core.claims.model import Judgement, Timing, not_testable, proves
from dashboard.core.namespaces.state import Lookup


def judge_slower(seen: Timing) -> Judgement:
    """Slower, by an interval that leaves zero out."""
    if seen.verdict == "inconclusive":
        return not_testable(f"The blocks do not decide: {seen.reason}.", seen.said)
    return proves(seen.verdict == "slower", f"It is {seen.verdict}.", seen.said)


def judge_stripped(seen: tuple[str, str]) -> Judgement:
    """The machine's resolv.conf and the container's: what is not loopback stays."""
    machine, inside = seen
    evidence = (f"resolv.conf of the machine: {say_lines(machine)}", f"in the container: {say_lines(inside)}")
    left = tuple(one for one in servers_in(machine) if not one.startswith("127."))
    return proves(servers_in(inside) == left, "The servers are others.", *evidence)


def judge_not_found(seen: Lookup) -> Judgement:
    """No answer of any kind."""
    evidence = f"lookup of the name: {seen.outcome} {', '.join(seen.answers)} (asked {seen.server or 'nobody'})"
    return proves(not seen.answers, "The name is found.", evidence)
