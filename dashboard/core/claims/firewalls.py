"""Runs claims about firewall programs: executes their commands, sends a request, and reads the counters of the rules
that drop packets."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dashboard.core.claims.exchanges import Ask, Exchanges, Expected, count_packets, differs_from, exchange, run_script
from dashboard.core.claims.model import Judgement, differs, holds
from dashboard.core.claims.prepared import prepared
from dashboard.core.claims.testbed import Container, NotTestableError, Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.paths.drops import Drop, read_drops

PROGRAMS = ("ufw ", "firewall-cmd ")


@dataclass(frozen=True, slots=True)
class FirewallExchange:
    """The result of a request while a firewall is active. ``exchanges`` has the request and its response. ``drops`` are
    the rules that dropped packets while the request was sent. ``status`` are the lines in which the firewall program
    prints its state."""

    exchanges: Exchanges = field(default_factory=Exchanges)
    drops: tuple[Drop, ...] = ()
    status: tuple[str, ...] = ()

    @property
    def evidence(self) -> tuple[str, ...]:
        """Lines with the responses, the rules that dropped packets, and the output of the firewall program."""
        moved = tuple(f"{drop.rule} dropped {drop.packets} packets" for drop in self.drops)
        return (*self.exchanges.evidence, *(moved or ("no rule dropped a packet",)), *self.status)


@prepared
async def observe_firewall(
    testbed: Testbed, daemon: str, lines: Sequence[str], status: str, ask: Ask, setup: str = ""
) -> FirewallExchange:
    """Starts an engine for the claim, executes ``lines`` there, and sends the request ``ask``.

    ``daemon`` is the line ``dockerd …`` that starts the engine. ``status`` is a command that prints the firewall's
    state; it runs after the request. ``setup`` names a program to start before the engine, such as ``firewalld``. The
    engine ends with the claim, so no firewall rules remain. Raises NotTestableError if a command of ufw or firewalld
    fails.
    """
    other = await testbed.start_engine(daemon, setup)
    containers: dict[str, Container] = {}
    for line in lines:
        if line.startswith(PROGRAMS):
            code, output = await other.execute(MACHINE, line)
            if code != 0:
                raise NotTestableError(f"{line} failed: {output.strip()}")
        else:
            containers |= await run_script(other, [line])
    before = await _rules(other)
    exchanges = await exchange(other, (), ask)
    drops = read_drops(before, await _rules(other))
    exchanges = replace(exchanges, packets=await count_packets(other, lines))
    _code, shown = await other.execute(MACHINE, status)
    return FirewallExchange(exchanges, drops, (f"$ {status}", *_without_blanks(shown)))


async def _rules(testbed: Testbed) -> list[str]:
    _code, output = await testbed.execute(MACHINE, "iptables-save -c")
    return output.splitlines()


def _without_blanks(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@prepared
def judge_firewall(
    observed: FirewallExchange, expected: Expected, dropping: str = "", *, matched: bool | None = None
) -> Judgement:
    """The claim holds if the response is as expected. If ``dropping`` is given, a rule that contains this text must
    also have dropped packets. ``matched`` is about the firewall rules with a ``--comment`` that the claim adds: if it
    is True, they must have matched packets; if it is False, none may have."""
    for request, response in observed.exchanges.responses:
        if reason := differs_from(request, response, expected, observed.exchanges):
            return differs(reason, *observed.evidence)
    rules = [drop.rule for drop in observed.drops]
    if dropping and not any(dropping in rule for rule in rules):
        return differs(f"No rule with {dropping} dropped a packet.", *observed.evidence)
    if matched is not None and any((count > 0) is not matched for _rule, count in observed.exchanges.packets):
        return differs(f"The rule matched {'no ' if matched else ''}packets.", *observed.evidence)
    return holds(*observed.evidence)
