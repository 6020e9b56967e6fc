"""Observes the first packet of a connection: the links that it passes, the rules that it reaches, and why it is
dropped."""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from typing import Literal

from dashboard.core.namespaces.state import Family
from dashboard.core.paths.drops import describe_drops, read_drops
from dashboard.core.paths.model import Path
from dashboard.core.paths.packets import FirstPacket, RuleStep, choose_packet, describe_reason, read_rule_texts
from dashboard.lab.context import Context
from dashboard.netns.firewall import has_legacy_rules, read_counted_listing, read_numbered_rules
from dashboard.netns.namespace import Namespace, NamespaceGone, in_own_thread
from dashboard.netns.packet_events import connect_observed
from dashboard.netns.rule_traces import TraceUnavailableError, remove_left_table, trace_rules

TIMEOUT_S = 1.0
UNCHANGED = "only rules of private hosts are traced: a trace adds a table to the packet filter for a moment"
LOST = "the kernel dropped messages of the trace, because there were too many"
LEGACY = "iptables has rules of its legacy backend, which are not traced"
REWRITTEN = "packets reached rules, but none from the client's own address: the client's host may have rewritten it"


async def observe_first_packet(client: Namespace, machine: Namespace, path: Path, *, private: bool) -> FirstPacket:
    """Opens a connection over the path from the namespace ``client``, and closes it again. Returns what the kernel
    reports about the connection's first packet.

    If ``private`` is true, the machine is a private host, and the rules that the packet reaches are traced as well.
    Raises NamespaceGone or OSError.
    """
    rules_error = "" if private else UNCHANGED
    seen: tuple[RuleStep, ...] = ()
    async with AsyncExitStack() as stack:
        traced = None
        if private:
            try:
                traced = await stack.enter_async_context(trace_rules(machine, path.address, path.port))
            except TraceUnavailableError as error:
                rules_error = str(error)
        # Not in the loop's thread pool: calls to an engine that hangs can occupy all its threads.
        connection = await in_own_thread(lambda: connect_observed(client, path.address, path.port, TIMEOUT_S))
        if traced is not None:
            seen = traced.read()
            rules_error = "" if traced.is_complete else LOST
    rules = () if rules_error else choose_packet(seen, connection.client)
    if not rules:
        if seen and not rules_error:
            rules_error = REWRITTEN
        elif not rules_error and await has_legacy_rules(machine, ipv6=path.family is Family.INET6):
            rules_error = LEGACY
        return FirstPacket(connection.events, (), {}, connection.error, rules_error)
    return FirstPacket(connection.events, rules, await _texts(machine, path.family), connection.error, rules_error)


async def remove_left_trace(context: Context) -> None:
    """Removes the rules that a trace has left on the server's private host because the server was killed. Does nothing
    on other engines."""
    pid = context.info.pid
    if context.private and pid is not None:
        with suppress(NamespaceGone, OSError), Namespace.of_machine(pid, context.info.netns) as machine:
            await remove_left_table(machine)


async def _texts(machine: Namespace, family: Family) -> dict[tuple[str, str, int], str]:
    ruleset, saved = await read_numbered_rules(machine, ipv6=family is Family.INET6)
    kind: Literal["ip", "ip6"] = "ip6" if family is Family.INET6 else "ip"
    return read_rule_texts(ruleset.text.splitlines(), saved.text.splitlines(), kind)


async def explain_drop(client: Namespace, machine: Namespace, path: Path, backend: str, *, private: bool) -> str:
    """Repeats an unanswered request, and returns a sentence about what dropped it; empty if nothing is known.

    The sentence comes from the kernel's report about the packet. Without such a report, it comes from the counters of
    the rules. ``backend`` is the firewall backend that the engine names. ``private`` is true if the machine is a
    private host. Raises NamespaceGone or OSError.
    """
    ipv6 = path.family is Family.INET6
    before = await read_counted_listing(machine, backend, ipv6=ipv6)
    first = await observe_first_packet(client, machine, path, private=private)
    if rule := first.dropping_rule:
        return f"The machine dropped it: {rule}."
    reason = f"The kernel dropped it. {describe_reason(first.reason)}." if first.reason else ""
    if reason and first.reason != "NETFILTER_DROP":
        return reason
    after = await read_counted_listing(machine, backend, ipv6=ipv6)
    if error := before.error or after.error:
        return reason or f"The machine's rules cannot be read: {error}"
    counted = describe_drops(read_drops(before.text.splitlines(), after.text.splitlines()))
    return f"{reason} {counted}".strip()
