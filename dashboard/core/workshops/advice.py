"""What helps somebody whose step is not done yet: the likeliest wrong turn, from what is observed, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dashboard.core.experiments.docker_run import RunCommand
from dashboard.core.namespaces.state import Listener
from dashboard.core.workshops.checks.check_types import Check, place_of
from dashboard.core.workshops.checks.vocabulary import VOCABULARY, judge
from dashboard.core.workshops.commands import Ask, Launch
from dashboard.core.workshops.model import Command, Judged, Step
from dashboard.core.workshops.observation import (
    Observation,
    SeenContainer,
    Which,
    is_image,
    listeners_on,
    mode_of,
    newest,
    owner_of,
    running,
    told,
)

_TAKEN = ("address already in use", "address in use", "port is already allocated")
_OPTION = {
    "host": "--network host",
    "none": "--network none",
    "user-bridge": "--network and the name of your network",
    "container": "--network container: and the other container",
    "bridge": "no --network",
}


@dataclass(frozen=True, slots=True)
class Known:
    """The step, and every launch that somebody was told so far: its own first, then those before, the newest first."""

    step: Step
    launches: tuple[Command, ...]

    def launch(self, check: Check) -> str:
        """The line that makes what the check asks for; empty where none does, or where it gives a challenge away."""
        if self.step.folded:
            return ""
        fitting = (
            one.line for one in self.launches if isinstance(one.action, Launch) and _makes(one.action.run, check)
        )
        return next(fitting, "")


def _makes(run: RunCommand, check: Check) -> bool:
    which, port = check.which, check.arguments.get("publish")
    ports = {binding["HostPort"] for one in run.config["HostConfig"]["PortBindings"].values() for binding in one}
    return (
        which.mode in {"", mode_of(run.network, {})}
        and which.name in {"", run.name}
        and (not which.image or is_image(run.image, which.image))
        and (port is None or str(port) in ports)
    )


def known(step: Step, before: Sequence[Step] = ()) -> Known:
    """What somebody knows in a step who has gone through those before."""
    return Known(step, (*step.run, *(command for one in reversed(before) for command in reversed(one.run))))


def advise(step: Step, observation: Observation, judged: Judged, before: Sequence[Step] = ()) -> str:
    """One or two sentences for the first check that fails; empty if all is done. ``before`` are the steps so far."""
    failing = judged.failing
    if failing is None:
        return ""
    for turn in step.wrong:
        if judge(turn.when, observation).ok:
            return turn.say
    check = step.checks[failing]
    rule = _RULES.get(check.kind)
    said = rule(check, observation, known(step, before)) if rule else ""
    return " ".join(part for part in (said, check.otherwise) if part) or _plainly(judged, failing)


def _plainly(judged: Judged, number: int) -> str:
    finding = judged.findings[number]
    return f"Expected: {finding.expected}. Observed: {finding.observed}."


def _running(check: Check, observation: Observation, told_so_far: Known) -> str:
    which = check.which
    fitting = [one for one in observation.containers if which.fits(one)]
    alive = running(observation, which)
    count, port = check.arguments.get("count"), check.arguments.get("publish")
    if count is not None and len(alive) > int(count):
        names = [one.name for one in alive]
        return f"{len(alive)} containers fit: {', '.join(names)}. One is too many: docker rm -f {names[0]}."
    if port is not None and alive:
        asked = told((str(p.host_port) for one in alive for p in one.asked), "no port")
        return f"{alive[0].name} was asked to publish {asked}, not port {port}: {_again(alive[0])}"
    if ended := next((one for one in fitting if not one.running), None):
        return _why_not_running(ended, observation)
    near = [one for one in observation.running if not which.image or is_image(one.image, which.image)]
    others = [
        one for one in near if which.mode and one.mode != which.mode and (not which.name or one.name == which.name)
    ]
    if others and not alive:
        option = _OPTION.get(which.mode, f"mode {which.mode}")
        if len(others) > 1:
            modes = told((f"{one.name} in mode {one.mode}" for one in others), "")
            return (
                f"None of those that run is in mode {which.mode}: {modes}. Launch one with {option}{_before(option)}."
            )
        said = f"{others[0].name} runs in mode {others[0].mode}, not in mode {which.mode}."
        return f"{said} The launch needs {option}{_before(option)}: {_again(others[0])}"
    foreign = newest(observation, Which(mode=which.mode, name=which.name))
    if which.image and foreign is not None and not is_image(foreign.image, which.image):
        return f"{foreign.name} runs {foreign.image}, not {which.image}."
    if which.name and (which.mode or which.image) and (nameless := newest(observation, Which(which.mode, which.image))):
        said = f"The right container runs under the name {nameless.name}, and here it is called {which.name}."
        return f"{said} Stop it, and launch it again with --name {which.name}."
    if count is not None and alive:
        return f"{len(alive)} of {count} containers run. Launch the missing ones."
    return _nothing(check, observation, told_so_far)


def _before(option: str) -> str:
    return " before the image's name" if option.startswith("--") else ""


def _again(one: SeenContainer) -> str:
    return f"stop it (docker stop {one.name}) and launch it again."


def _nothing(check: Check, observation: Observation, told_so_far: Known) -> str:
    launch = told_so_far.launch(check)
    here = any(command.line == launch for command in told_so_far.step.run)
    how = f" Type {launch}{', or press the button' if here else ''}." if launch else ""
    others = len(observation.running)
    if others:
        said = "One container runs, but not" if others == 1 else f"{others} containers run, but none of them is"
        return f"{said} the one that is asked for.{how}"
    return f"Nothing was launched: no container runs on this engine.{how}"


def _why_not_running(one: SeenContainer, observation: Observation) -> str:
    words = one.error or (one.last_words[-1] if one.last_words else "")
    how = "was created but never started" if one.status == "created" else f"ended with code {one.exit_code}"
    said = f"{one.name} {how}"
    said += f": {words.rstrip('.')}." if words else "."
    if any(sign in text.lower() for text in (one.error, *one.last_words) for sign in _TAKEN):
        ports = {port.host_port for port in one.asked if port.host_port} or {80}
        holders = [x for port in sorted(ports) for x in listeners_on(observation.machine, port)]
        who = told((owner_of(observation, x) for x in holders), "")
        said += f" The port is held by {who}." if who else ""
        said += " ".join(("", _free(observation, holders)))
    return f"{said} Then remove what is left: docker rm {one.name}."


def _free(observation: Observation, holders: list[Listener] | tuple[Listener, ...]) -> str:
    """How to free a port."""
    names = [found.name for x in holders if x.container and (found := observation.by_id(x.container))]
    if not names:
        names = [
            one.name for one in observation.running if {p.host_port for p in one.published} & {x.port for x in holders}
        ]
    if names:
        return f"Stop the other one first: docker stop {names[0]}."
    process = next((x for x in holders if x.pid), None)
    return f"Stop that process first: its number is {process.pid}." if process else "Free the port first."


def _listener(check: Check, observation: Observation, told_so_far: Known) -> str:
    port = int(check.arguments["port"])
    state, where = place_of(check.arguments, observation)
    holders = listeners_on(state, port)
    if holders:
        who = told((owner_of(observation, one) for one in holders), "")
        return f"Port {port} of {where} is held by {who}. {_free(observation, holders)}"
    found = newest(observation, check.which)
    if found is None:
        return _running(Check("container-running", check.arguments), observation, told_so_far)
    own = sorted({one.port for one in (found.state.listeners if found.state else ()) if one.container == found.id})
    if own:
        return f"{found.name} listens on port {told(map(str, own), '')}, not on port {port}."
    if check.arguments.get("place", "machine") == "machine" and found.mode not in {"host", "container"}:
        mapped = told((str(p.host_port) for p in found.published), "nothing")
        return (
            f"{found.name} runs in mode {found.mode} and publishes {mapped}: port {port} of the machine is not its own."
        )
    return f"{found.name} runs, but nothing in it listens yet. Wait a moment, then read docker logs {found.name}."


def _no_listener(check: Check, observation: Observation, _known: Known) -> str:
    state, where = place_of(check.arguments, observation)
    holders = listeners_on(state, int(check.arguments["port"]))
    who = told((owner_of(observation, one) for one in holders), "")
    return (
        f"Port {check.arguments['port']} of {where} is still held by {who}. {_free(observation, holders)}"
        if who
        else ""
    )


def _requested(check: Check, observation: Observation, told_so_far: Known) -> str:
    port = int(check.arguments["port"])
    state, where = place_of(check.arguments, observation)
    if not listeners_on(state, port):
        return _listener(Check("listener", check.arguments), observation, told_so_far)
    curl = next((command.line for command in told_so_far.step.run if isinstance(command.action, Ask)), "")
    how = f" Type {curl}, or press the button." if curl else ""
    return (
        f"The server waits on port {port} of {where}, and nobody has asked it within the last minute. A request to a "
        f"port where nobody listens is refused and leaves no trace.{how}"
    )


def _removed(check: Check, observation: Observation, _known: Known) -> str:
    there = [one for one in observation.containers if check.which.fits(one)]
    alive = [one.name for one in there if one.running]
    if alive:
        return f"{told(alive, '')} still {'runs' if len(alive) == 1 else 'run'}: docker stop {' '.join(alive)}."
    names = [one.name for one in there]
    return (
        f"{told(names, '')} ended but was not removed: it was launched without --rm. "
        f"Remove it by hand: docker rm {' '.join(names)}."
    )


def _mode(check: Check, observation: Observation, told_so_far: Known) -> str:
    """A check of a namespace that fails: nothing runs, or something runs in another mode."""
    if newest(observation, check.which) is not None:
        return ""
    return _running(Check("container-running", check.arguments), observation, told_so_far)


def _status(check: Check, observation: Observation, told_so_far: Known) -> str:
    which, wanted = check.which, str(check.arguments["status"])
    there = [one for one in observation.containers if which.fits(one)]
    if there:
        return f"{there[0].name} {'runs' if there[0].running else f'is {there[0].status}'}; it should be {wanted}."
    if wanted in {"exited", "created"}:
        gone = "One that was launched with --rm has removed itself: leave --rm out, so that it can still be seen."
        return f"{_nothing(check, observation, told_so_far)} {gone}"
    return _nothing(check, observation, told_so_far)


def _network(check: Check, _observation: Observation, _known: Known) -> str:
    return f"Make it: docker network create {check.arguments['name']}."


def _no_network(check: Check, observation: Observation, _known: Known) -> str:
    name = str(check.arguments["name"])
    inside = [one.name for one in observation.running if name in one.networks]
    first = (
        f"{told(inside, '')} still uses it: docker stop {' '.join(inside)}. Then remove it" if inside else "Remove it"
    )
    return f"{first}: docker network rm {name}."


_RULES: dict[str, Callable[[Check, Observation, Known], str]] = {
    "container-running": _running,
    "container-status": _status,
    "removed": _removed,
    "listener": _listener,
    "no-listener": _no_listener,
    "requested": _requested,
    "network-present": _network,
    "network-absent": _no_network,
    **dict.fromkeys(
        (
            "published",
            "asked-not-published",
            "namespace-is-machine",
            "namespace-differs",
            "address-absent",
            "address-present",
            "resolver",
            "name-resolves",
            "name-unknown",
        ),
        _mode,
    ),
}
assert set(_RULES) <= set(VOCABULARY)  # noqa: S101 - a rule for a check that is not there would never be used
