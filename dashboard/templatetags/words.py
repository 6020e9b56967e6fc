"""The words and symbols with which pages show values of ``core``: ``{{ run.state|word:"run" }}``, ``{{
verdict|sign:"verdict" }}``."""

from collections.abc import Mapping

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from dashboard.core.claims.model import Topic
from dashboard.core.experiments.engine_kind import ENGINE_NAMES
from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import Probe, Stop
from dashboard.core.modes import Mode
from dashboard.core.operations.machines import MachineState
from dashboard.core.reports.model import ClaimVerdict, Origin
from dashboard.core.training.session import HelpReason
from dashboard.core.workshops.progress import StepStage

register = template.Library()

#: The word for each value by subject; the values ``""`` and None are those of something that has none yet.
WORDS: dict[str, Mapping[str, str | Promise]] = {
    "run": {
        "waiting": _("waiting"),
        "running": _("running"),
        "finished": _("finished"),
        "cancelled": _("cancelled"),
        "failed": _("failed"),
        "incomplete": _("incomplete"),
    },
    "engine": ENGINE_NAMES,
    "mode": {
        Mode.HOST: _("the machine's own network stack, no isolation"),
        Mode.BRIDGE: _("a separate stack behind docker0, the default"),
        Mode.USER_BRIDGE: _("a user-defined bridge, with Docker's DNS"),
        Mode.NONE: _("a stack with only loopback"),
        Mode.CONTAINER: _("shares the stack of another arm"),
        Mode.MACVLAN: _("its own MAC address on an interface of the machine"),
        Mode.IPVLAN: _("its own address on an interface of the machine, with the same MAC address"),
        Mode.OVERLAY: _("a network across machines, needs a swarm"),
        Mode.PASTA: _("a separate stack with the machine's address; pasta forwards its traffic"),
        Mode.SLIRP4NETNS: _("a separate stack with an address of its own; slirp4netns forwards its traffic"),
        Mode.PRIVATE: _("a separate stack, as Podman creates it by default"),
        Mode.NS: _("the network namespace at a path"),
    },
    "verdict": {
        "slower": _("slower"),
        "faster": _("faster"),
        "same": _("same"),
        "inconclusive": _("inconclusive"),
    },
    "probe": {
        Probe.TCP_RR: _("request and response on one TCP connection"),
        Probe.TCP_CRR: _("connect, request, response and close for each request"),
        Probe.UDP_RR: _("a datagram and its answer"),
        Probe.TCP_STREAM: _("throughput of one connection"),
        Probe.HTTP: _("GET / over a kept-alive connection, answered by the container's own server"),
        Probe.DNS: _("a lookup through each column's own resolver"),
    },
    "conditions": {
        Conditions.QUIET: _("real-time priority, cores kept awake, to show the cost of the path alone"),
        Conditions.ORDINARY: _(
            "normal priority, idle cores may sleep: the latency that an ordinary program on this machine gets"
        ),
    },
    "stop": {
        Stop.NARROW: _("Every interval is as narrow as requested."),
        Stop.TIME: _("The time limit was reached."),
        Stop.CANCELLED: _("It was cancelled."),
        Stop.FAILED: _("It could not continue."),
    },
    "claim": {
        ClaimVerdict.HOLDS: _("confirmed"),
        ClaimVerdict.DIFFERS: _("differs"),
        ClaimVerdict.NOT_TESTABLE: _("not testable here"),
        "": _("not run yet"),
    },
    "saved claim": {
        ClaimVerdict.HOLDS: _("confirmed"),
        ClaimVerdict.DIFFERS: _("differs"),
        ClaimVerdict.NOT_TESTABLE: _("not testable"),
    },
    "topic": {
        Topic.ISOLATION: _("What host mode shares with the machine, and what stays isolated"),
        Topic.PERFORMANCE: _("Performance, path by path"),
        Topic.PUBLISHING: _("Ports: -p and -P, listeners, and how a request arrives"),
        Topic.INTERFERENCE: _("Conflicts between containers and with the machine"),
        Topic.DNS: _("DNS, hosts file and names"),
        Topic.WHEN: _("Where host mode works, and what is refused"),
        Topic.BRIDGE: _("How the other modes behave"),
        Topic.LIFECYCLE: _("Container statistics; stopping and removing containers"),
    },
    "origin": {
        Origin.EXPERIMENT: _("experiment"),
        Origin.MEASUREMENT: _("measurement"),
        Origin.CLAIMS: _("claims"),
    },
    "step": {
        StepStage.LOCKED: _("locked"),
        StepStage.PREDICT: _("open"),
        StepStage.RUN: _("in progress"),
        StepStage.DONE: _("done"),
    },
    "progress": {
        StepStage.LOCKED: _("not opened"),
        StepStage.PREDICT: _("opened"),
        StepStage.RUN: _("in progress"),
        StepStage.DONE: _("done"),
    },
    "help": {
        HelpReason.HAND: _("hand raised"),
        HelpReason.FAILS: _("failed checks"),
        HelpReason.SLOW: _("a long time in this step"),
    },
    "machine_state": {
        MachineState.CONNECTED: _("connected"),
        MachineState.DRAINING: _("draining"),
        MachineState.NO_ENGINE: _("no engine"),
        MachineState.WRONG_VERSION: _("other version"),
        MachineState.ABSENT: _("absent"),
        MachineState.NO_LAB: _("no lab"),
        MachineState.REVOKED: _("revoked"),
    },
    "machine": {
        "present": _("responds"),
        "draining": _("drained"),
        "absent": _("does not respond"),
    },
    "host": {
        "unplaced": _("waiting for a machine"),
        "unreachable": _("unreachable"),
        "queued": _("queued"),
        "starting": _("starting"),
        "ready": _("ready"),
        "failed": _("failed"),
        "stopped": _("stopped"),
    },
}
#: The symbols of templates/diagram/_mode_icons.html that stand beside words: ``sign-NAME``.
SIGNS: dict[str, Mapping[str, str]] = {
    "verdict": {"slower": "up", "faster": "down", "same": "same", "inconclusive": "unknown"},
    "claim": {ClaimVerdict.HOLDS: "done", ClaimVerdict.DIFFERS: "differs", ClaimVerdict.NOT_TESTABLE: "unknown"},
    "saved claim": {"holds": "done", "differs": "fails", "not-testable": "absent"},
    "progress": {
        StepStage.DONE: "done",
        StepStage.RUN: "forward",
        StepStage.PREDICT: "unknown",
        StepStage.LOCKED: "closed",
    },
}

#: Texts for reading the values of a chart; scripts fill in ``{…}``.
CHART_WORDS = {
    "read": _("Read the values of the chart"),
    "hint": _("Point at the chart or use the arrow keys on the slider to read values."),
    "seconds": _("{value} s"),
    "within": _("within {value} µs"),
}


@register.filter
def word(value: str | None, subject: str) -> str | Promise:
    """Returns the translated word for a value; the value itself if it has no word; an empty text for None. ``subject``
    is a key of ``WORDS``."""
    return "" if value is None else WORDS[subject].get(value, value)


@register.filter
def sign(value: str, subject: str) -> str:
    """Returns the name of the symbol for a value; ``closed``, a dot, if it has none. ``subject`` is a key of
    ``SIGNS``."""
    return SIGNS[subject].get(value, "closed")
