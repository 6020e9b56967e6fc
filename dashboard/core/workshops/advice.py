"""Advises participants whose step is not done: infers the most likely mistake, and how to correct it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dashboard.core.experiments.docker_run import RunCommand
from dashboard.core.namespaces.state import Listener
from dashboard.core.workshops.actions import Curl
from dashboard.core.workshops.checks.check_types import Check, resolve_place
from dashboard.core.workshops.checks.vocabulary import VOCABULARY, judge
from dashboard.core.workshops.launches import Launch
from dashboard.core.workshops.model import Command, Step, StepJudgement
from dashboard.core.workshops.observation import (
    ContainerSelector,
    ContainerSnapshot,
    Observation,
    describe_owner,
    format_list,
    is_image,
    listeners_on,
    matching,
    mode_of,
    newest,
    running,
)

_PORT_TAKEN = ("address already in use", "address in use", "port is already allocated")
_OPTION = {
    "host": "--network host",
    "none": "--network none",
    "user-bridge": "--network and the name of your network",
    "container": "--network container: and the other container",
    "bridge": "no --network",
}


@dataclass(frozen=True, slots=True)
class KnownCommands:
    """A step, and all commands that the participant has seen: first those of this step, then those of earlier steps,
    the latest step first."""

    step: Step
    commands: tuple[Command, ...]

    def launch(self, check: Check) -> str:
        """Returns the line that launches the container that the check expects. Empty if no command launches it, or if
        the step is a challenge, whose commands are hidden."""
        if self.step.folded:
            return ""
        lines = (
            command.line
            for command in self.commands
            if isinstance(command.action, Launch) and _launches(command.action.run, check)
        )
        return next(lines, "")


def _launches(run: RunCommand, check: Check) -> bool:
    selector, port = check.selector, check.arguments.get("publish")
    bindings = run.config["HostConfig"]["PortBindings"].values()
    return (
        selector.mode in {"", mode_of(run.network, {})}
        and selector.name in {"", run.name}
        and (not selector.image or is_image(run.image, selector.image))
        and (port is None or str(port) in {binding["HostPort"] for ports in bindings for binding in ports})
    )


def advise(step: Step, observation: Observation, judgement: StepJudgement, before: Sequence[Step] = ()) -> str:
    """Returns advice for a step; empty if all its checks hold. If one of the step's common mistakes was made, returns
    the advice for that mistake. Otherwise, returns one or two sentences about the first failed check. ``before`` are
    the earlier steps."""
    failing = judgement.failing
    if failing is None:
        return ""
    for mistake in step.mistakes:
        if judge(mistake.when, observation).ok:
            return mistake.advice
    check, finding = step.checks[failing], judgement.findings[failing]
    known = KnownCommands(
        step, (*step.run, *(command for earlier in reversed(before) for command in reversed(earlier.run)))
    )
    rule = _RULES.get(check.kind)
    advice = rule(check, observation, known) if rule else ""
    texts = [text for text in (advice, check.otherwise) if text]
    return " ".join(texts) or f"Expected: {finding.expected}. Observed: {finding.observed}."


def _running(check: Check, observation: Observation, known: KnownCommands) -> str:
    selector = check.selector
    alive = running(observation, selector)
    count, port = check.arguments.get("count"), check.arguments.get("publish")
    if count is not None and len(alive) > int(count):
        names = [container.name for container in alive]
        return (
            f"{len(alive)} containers match: {', '.join(names)}. That is too many. Remove one: docker rm -f {names[0]}."
        )
    if port is not None and alive:
        requested = format_list((str(p.host_port) for container in alive for p in container.requested), "no port")
        return f"{alive[0].name} publishes {requested}, not port {port}: {_relaunch(alive[0])}"
    if exited := next((container for container in matching(observation, selector) if not container.running), None):
        return _not_running(exited, observation)
    if not alive and (advice := _wrong_mode(selector, observation)):
        return advice
    other_image = newest(observation, ContainerSelector(mode=selector.mode, name=selector.name))
    if selector.image and other_image is not None and not is_image(other_image.image, selector.image):
        return f"{other_image.name} runs {other_image.image}, not {selector.image}."
    if selector.name and (selector.mode or selector.image):
        other_name = newest(observation, ContainerSelector(selector.mode, selector.image))
        if other_name is not None:
            return (
                f"The right container runs under the name {other_name.name}; this step needs the name {selector.name}. "
                f"Stop it, and launch it again with --name {selector.name}."
            )
    if count is not None and alive:
        return f"{len(alive)} of {count} containers run. Launch the missing ones."
    return _not_launched(check, observation, known)


def _wrong_mode(selector: ContainerSelector, observation: Observation) -> str:
    """Returns advice if a container runs that matches the selector in everything but the mode; otherwise empty."""
    others = [
        container
        for container in running(observation, ContainerSelector(image=selector.image, name=selector.name))
        if selector.mode and container.mode != selector.mode
    ]
    if not others:
        return ""
    option = _OPTION.get(selector.mode, f"mode {selector.mode}")
    position = " before the image's name" if option.startswith("--") else ""
    if len(others) > 1:
        modes = format_list(f"{container.name} in mode {container.mode}" for container in others)
        return f"No running container is in mode {selector.mode}: {modes}. Launch one with {option}{position}."
    return (
        f"{others[0].name} runs in mode {others[0].mode}, not in mode {selector.mode}. "
        f"The launch needs {option}{position}: {_relaunch(others[0])}"
    )


def _relaunch(container: ContainerSnapshot) -> str:
    return f"stop it (docker stop {container.name}) and launch it again."


def _not_launched(check: Check, observation: Observation, known: KnownCommands) -> str:
    launch = known.launch(check)
    has_button = any(command.line == launch for command in known.step.run)
    how = f" Type {launch}{', or press “Launch”' if has_button else ''}." if launch else ""
    match len(observation.running):
        case 0:
            return f"Nothing was launched: no container runs on this engine.{how}"
        case 1:
            return f"One container runs, but not the expected one.{how}"
        case others:
            return f"{others} containers run, but not the expected one.{how}"


def _not_running(container: ContainerSnapshot, observation: Observation) -> str:
    message = container.error or (container.last_log_lines[-1] if container.last_log_lines else "")
    created = container.status == "created"
    end = "was created but never started" if created else f"exited with code {container.exit_code}"
    advice = f"{container.name} {end}" + (f": {message.rstrip('.')}." if message else ".")
    texts = (container.error, *container.last_log_lines)
    if any(sign in text.lower() for text in texts for sign in _PORT_TAKEN):
        ports = {port.host_port for port in container.requested if port.host_port} or {80}
        listeners = [x for port in sorted(ports) for x in listeners_on(observation.machine, port)]
        owners = _owners(observation, listeners)
        advice += f" The port is in use by {owners}." if owners else ""
        advice += f" {_free_port(observation, listeners)}"
    return f"{advice} Then remove the container: docker rm {container.name}."


def _owners(observation: Observation, listeners: Sequence[Listener]) -> str:
    return format_list(describe_owner(observation, listener) for listener in listeners)


def _free_port(observation: Observation, listeners: Sequence[Listener]) -> str:
    owners = (observation.by_id(listener.container) for listener in listeners if listener.container)
    names = [container.name for container in owners if container is not None]
    if not names:
        ports = {listener.port for listener in listeners}
        publishers = (c for c in observation.running if {port.host_port for port in c.published} & ports)
        names = [container.name for container in publishers]
    if names:
        return f"Stop the other container first: docker stop {names[0]}."
    process = next((listener for listener in listeners if listener.pid), None)
    return f"Stop that process first (PID {process.pid})." if process else "Free the port first."


def _listener(check: Check, observation: Observation, known: KnownCommands) -> str:
    port = int(check.arguments["port"])
    state, place = resolve_place(check.arguments, observation)
    if listeners := listeners_on(state, port):
        owners = _owners(observation, listeners)
        return f"Port {port} of {place} is in use by {owners}. {_free_port(observation, listeners)}"
    container = newest(observation, check.selector)
    if container is None:
        return _running(Check("container-running", check.arguments), observation, known)
    listeners = container.state.listeners if container.state else ()
    own = sorted({listener.port for listener in listeners if listener.container == container.id})
    if own:
        return f"{container.name} listens on port {format_list(map(str, own))}, not on port {port}."
    if check.arguments.get("place", "machine") == "machine" and container.mode not in {"host", "container"}:
        published = format_list((str(p.host_port) for p in container.published), "nothing")
        return (
            f"{container.name} runs in mode {container.mode} and publishes {published}, so it is not on port {port} of "
            "the machine."
        )
    return f"{container.name} runs, but nothing in it listens yet. Wait, then read docker logs {container.name}."


def _no_listener(check: Check, observation: Observation, _known: KnownCommands) -> str:
    state, place = resolve_place(check.arguments, observation)
    listeners = listeners_on(state, int(check.arguments["port"]))
    if not listeners:
        return ""
    owners = _owners(observation, listeners)
    return (
        f"Port {check.arguments['port']} of {place} is still in use by {owners}. {_free_port(observation, listeners)}"
    )


def _requested(check: Check, observation: Observation, known: KnownCommands) -> str:
    port = int(check.arguments["port"])
    state, place = resolve_place(check.arguments, observation)
    if not listeners_on(state, port):
        return _listener(Check("listener", check.arguments), observation, known)
    curl = next((command.line for command in known.step.run if isinstance(command.action, Curl)), "")
    how = f" Type {curl}, or press “Send request”." if curl else ""
    client = f" from {check.arguments['client']}" if "client" in check.arguments else ""
    advice = f"The server listens on port {port} of {place}, but there was no request{client} within the last minute."
    return f"{advice} A request to a port without a listener is refused and leaves no trace.{how}"


def _removed(check: Check, observation: Observation, _known: KnownCommands) -> str:
    remaining = matching(observation, check.selector)
    alive = [container.name for container in remaining if container.running]
    if alive:
        return f"{format_list(alive)} still {'runs' if len(alive) == 1 else 'run'}: docker stop {' '.join(alive)}."
    names = [container.name for container in remaining]
    advice = f"{format_list(names)} exited, but a container that was launched without --rm is not removed."
    return f"{advice} Type docker rm {' '.join(names)}."


def _missing_container(check: Check, observation: Observation, known: KnownCommands) -> str:
    """Returns advice if no matching container runs; otherwise empty."""
    if newest(observation, check.selector) is not None:
        return ""
    return _running(Check("container-running", check.arguments), observation, known)


def _status(check: Check, observation: Observation, known: KnownCommands) -> str:
    wanted = str(check.arguments["status"])
    containers = matching(observation, check.selector)
    if containers:
        status = "runs" if containers[0].running else f"is {containers[0].status}"
        return f"{containers[0].name} {status}; it should be {wanted}."
    advice = _not_launched(check, observation, known)
    if wanted in {"exited", "created"}:
        return f"{advice} With --rm a container removes itself when it exits: leave --rm out."
    return advice


def _network(check: Check, _observation: Observation, _known: KnownCommands) -> str:
    return f"Create the network: docker network create {check.arguments['name']}."


def _no_network(check: Check, observation: Observation, _known: KnownCommands) -> str:
    name = str(check.arguments["name"])
    users = [container.name for container in observation.running if name in container.networks]
    if not users:
        return f"Remove the network: docker network rm {name}."
    return f"In use by {format_list(users)}. Type docker stop {' '.join(users)}, then docker network rm {name}."


_RULES: dict[str, Callable[[Check, Observation, KnownCommands], str]] = {
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
        _missing_container,
    ),
}
assert set(_RULES) <= set(VOCABULARY)  # noqa: S101 - a rule for an unknown check would never be used
