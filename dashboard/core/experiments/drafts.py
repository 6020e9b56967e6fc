"""Parses an experiment from the data of a form, the API or the command line.

A value may be a text or a list of texts. Every problem names its field and is one sentence.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dashboard.core.experiments.networks import parse_attachment
from dashboard.core.experiments.validation import (
    MAX_ARMS,
    Problem,
    parse_add_host,
    parse_command,
    parse_environment,
    parse_publish,
    parse_sysctls,
    problems,
)
from dashboard.core.modes import FORWARDING, ArmSpec, ExperimentSpec, IPv6, Mode, NetworkAttachment, Publish

DEFAULT_IMAGE = "nginx"
DEFAULT_PORT = 80
ARM_FIELDS = frozenset(
    {
        "key", "mode", "image", "target", "command", "port", "publish", "publish_all", "environment",
        "hostname", "dns", "add_host", "sysctls", "user", "ipv6", "networks", "machine", "netns",
    }
)  # fmt: skip
FIELDS = frozenset({"title", "image", "port", "modes", "publish", "names", "arms", "machines"})


@dataclass(frozen=True, slots=True)
class Draft:
    """An experiment as far as it could be parsed, and the problems. It can be launched if it has no problems."""

    spec: ExperimentSpec
    problems: tuple[Problem, ...]


def default_title(image: str, port: int) -> str:
    """The title of an experiment for which the user gave none."""
    return f"{image[:180]} on port {port}"


def parse_mode(text: str) -> tuple[Mode, str | None]:
    """Parses ``bridge``, ``container:ARM`` or ``ns:PATH``. Returns the mode and the text after the colon, by default
    “1” (the first arm) for ``container`` and None for other modes. Raises ValueError with a message for the user."""
    name, colon, target = str(text).strip().partition(":")
    try:
        mode = Mode(name)
    except ValueError:
        raise ValueError(f"Unknown mode “{name[:40]}”: choose one of {', '.join(Mode)}.") from None
    if colon and mode not in {Mode.CONTAINER, Mode.NS}:
        raise ValueError(f"Only container takes an arm after the colon, not {mode}: write for example container:1.")
    return mode, target or ("1" if mode is Mode.CONTAINER else None)


def parse_port(value: object) -> int:
    """Parses a port from 1 to 65535, a number or a text. Raises ValueError with a message for the user."""
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 7 and 0 < int(text) < 65536):
        raise ValueError(f"The port must be a number from 1 to 65535, not “{text[:40]}”.")
    return int(text)


def _strings(value: object) -> tuple[str, ...]:
    """Returns the items of a list, or splits a text at white space and commas."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return tuple(_word(item) for item in value)
    raise ValueError("Write a list of texts.")


def _word(value: object) -> str:
    """Returns a text unchanged, and a number as text. Raises ValueError for anything else, including booleans."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("Write a text here.")
    return str(value)


def _publish(value: object) -> tuple[Publish, ...]:
    return tuple(parse_publish(text) for text in _strings(value))


def _command(value: object) -> tuple[str, ...]:
    return parse_command(value) if isinstance(value, str) else _strings(value)


def _pairs(parse: Callable[[str], dict[str, str]]) -> Callable[[object], dict[str, str]]:
    def read(value: object) -> dict[str, str]:
        if isinstance(value, Mapping):  # values may contain line breaks
            return {str(name).strip(): _word(text) for name, text in value.items()}
        return parse(value if isinstance(value, str) else "\n".join(_strings(value)))

    return read


def _hosts(value: object) -> tuple[str, ...]:
    return parse_add_host(value if isinstance(value, str) else "\n".join(_strings(value)))


def _flag(value: object) -> bool:
    if value in (True, "on", "true", "1", "yes"):
        return True
    if value in (False, "off", "false", "0", "no"):
        return False
    raise ValueError("Write true or false.")


def _networks(value: object) -> tuple[NetworkAttachment, ...]:
    return tuple(map(parse_attachment, value.split() if isinstance(value, str) else _strings(value)))


def _ipv6(value: object) -> IPv6:
    if isinstance(value, str) and value in {IPv6.ON, IPv6.ONLY}:
        return IPv6(value)
    try:
        return IPv6.ON if _flag(value) else IPv6.OFF
    except ValueError:
        raise ValueError("Write “yes”, or “only” for a network without IPv4.") from None


def _text(value: object) -> str:
    return _word(value).strip()


_READERS: dict[str, Callable[[Any], Any]] = {
    "image": _text,
    "command": _command,
    "port": parse_port,
    "publish": _publish,
    "publish_all": _flag,
    "environment": _pairs(parse_environment),
    "hostname": _text,
    "dns": _strings,
    "add_host": _hosts,
    "sysctls": _pairs(parse_sysctls),
    "user": _text,
    "ipv6": _ipv6,
    "networks": _networks,
    "machine": _text,
}


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value in ([], {}, ())


def _parse_arm(place: str, data: Mapping[str, Any], base: ArmSpec, taken: set[str]) -> tuple[ArmSpec, list[Problem]]:
    """Parses one arm. ``base`` has the values that all arms share. ``place`` is the prefix of the arm's fields in the
    form, such as ``arms-0``. An arm without a key gets one that is not in ``taken``. Adds the key to ``taken``."""
    found: list[Problem] = []
    mode, target = base.mode, None
    try:
        mode, target = parse_mode(str(data.get("mode", "")))
    except ValueError as error:
        found.append(Problem(None, f"{place}-mode", str(error)))

    def text_of(name: str) -> str:
        value = data.get(name)
        try:
            return "" if _is_empty(value) else _text(value)
        except ValueError as error:
            found.append(Problem(None, f"{place}-{name}", str(error)))
            return ""

    key = text_of("key") or _free_key(mode, text_of("machine"), taken)
    taken.add(key)
    given = {name: text_of(name) for name in ("target", "netns")}
    fields: dict[str, Any] = {"key": key, "mode": mode}
    if mode is Mode.NS:
        fields["netns"] = given["netns"] or target or ""
    if mode is Mode.CONTAINER:
        fields |= {"target": given["target"] or target, "publish": ()}
    for name, value in data.items():
        if name not in ARM_FIELDS:
            known = ", ".join(sorted(ARM_FIELDS))
            found.append(Problem(key, name, f"An arm has no field “{str(name)[:40]}”: choose from {known}."))
        elif name in _READERS and not _is_empty(value):
            try:
                fields[name] = _READERS[name](value)
            except ValueError as error:
                found.append(Problem(key, name, str(error)))
    return replace(base, **fields), found


def _free_key(mode: Mode, machine: str, taken: set[str]) -> str:
    """Returns a free key: the mode or, if the mode is taken, ``bridge-lab2`` (with the machine) or ``bridge-2``."""
    stem = f"{mode}-{machine}" if machine and mode in taken else str(mode)
    key, number = stem, 1
    while key in taken:
        number += 1
        key = f"{stem}-{number}"
    return key


def _on_machines(modes: tuple[str, ...], machines: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """Returns the data of one arm for each mode on each machine, ordered by machine. ``container:1`` is renumbered, so
    that the arm shares the namespace of an arm on its own machine."""
    if not machines:
        return [{"mode": mode} for mode in modes]
    arms: list[Mapping[str, Any]] = []
    for machine in machines:
        shift = len(arms)
        for mode in modes:
            name, _, target = mode.partition(":")
            moved = name == Mode.CONTAINER and (target or "1").isdecimal() and len(target) < 4
            arms.append({"mode": f"{name}:{int(target or 1) + shift}" if moved else mode, "machine": machine})
    return arms


def _resolve_target(arm: ArmSpec, arms: list[ArmSpec]) -> ArmSpec:
    """Replaces the number of a target, as in ``container:1``, by the key of the target. Other targets are keys already.
    An arm that names no machine gets the machine of its target."""
    number = arm.target or ""
    if number.isascii() and number.isdigit() and len(number) < 5 and 0 < int(number) <= len(arms):
        arm = replace(arm, target=arms[int(number) - 1].key)
    target = next((other for other in arms if arm.target and other.key == arm.target), None)
    return replace(arm, machine=target.machine) if target is not None and not arm.machine else arm


def _spread_ports(arms: list[ArmSpec], shared: tuple[Publish, ...]) -> list[ArmSpec]:
    """Makes the host ports of arms on one machine distinct. ``shared`` are the ports that were requested for all arms.
    Each arm that publishes them gets the requested host port or, if it is taken, the next free one."""
    given = {(arm.machine, p.host_port, p.protocol) for arm in arms for p in arm.publish if arm.publish is not shared}
    held = {(machine, port, protocol) for machine, port, protocol in given if port}
    spread = []
    for arm in arms:
        if arm.publish is shared and arm.mode in FORWARDING:
            ports = []
            for mapping in shared:
                port = mapping.host_port
                while port and (arm.machine, port, mapping.protocol) in held and port < 65535:
                    port += 1
                held.add((arm.machine, port, mapping.protocol))
                ports.append(replace(mapping, host_port=port))
            spread.append(replace(arm, publish=tuple(ports)))
        else:
            spread.append(arm)
    return spread


def parse_draft(data: Mapping[str, Any]) -> Draft:
    """Parses an experiment from ``data`` (keys: ``FIELDS``). Unknown fields and wrong types become problems.

    Each mode in the field ``modes`` becomes an arm with default options, on each of ``machines`` if any are given. The
    field ``arms`` has further arms (``ARM_FIELDS``). ``image``, ``port`` and ``publish`` are defaults of all arms.
    """
    found = [
        Problem(None, str(name)[:40], f"Unknown field “{str(name)[:40]}”: choose from {', '.join(sorted(FIELDS))}.")
        for name in data
        if name not in FIELDS
    ]

    def read[T](name: str, reader: Callable[[Any], T], default: T) -> T:
        value = data.get(name)
        if _is_empty(value):
            return default
        try:
            return reader(value)
        except ValueError as error:
            found.append(Problem(None, name, str(error)))
            return default

    image = read("image", _text, DEFAULT_IMAGE)
    port = read("port", parse_port, DEFAULT_PORT)
    publish: tuple[Publish, ...] = read("publish", _publish, ())
    names: tuple[str, ...] = read("names", _strings, ())
    modes: tuple[str, ...] = read("modes", _strings, ())
    machines: tuple[str, ...] = read("machines", _strings, ())
    wanted = _on_machines(modes, tuple(dict.fromkeys(machines)))
    ticked = len(wanted)
    given = data.get("arms") or ()
    if not isinstance(given, list | tuple) or not all(isinstance(arm, Mapping) for arm in given):
        found.append(Problem(None, "arms", "Write the arms as a list of objects, each with a mode."))
        given = ()
    wanted += list(given)
    if len(wanted) > MAX_ARMS:
        found.append(Problem(None, "arms", f"There are {len(wanted)} arms: at most {MAX_ARMS} are allowed."))
        wanted = wanted[:MAX_ARMS]
    base = ArmSpec("", Mode.BRIDGE, image=image, port=port, publish=publish)
    taken: set[str] = set()
    arms: list[ArmSpec] = []
    places = [
        *(f"modes-{number}" for number in range(ticked)),
        *(f"arms-{number}" for number in range(len(wanted))),
    ]
    for place, options in zip(places, wanted, strict=False):
        arm, arm_problems = _parse_arm(place, options, base, taken)
        arms.append(arm)
        found += arm_problems
    arms = [_resolve_target(arm, arms) for arm in _spread_ports(arms, publish)]
    title = read("title", _text, "") or default_title(image, port)
    spec = ExperimentSpec(title, image, port, tuple(arms), names)
    reported = {(problem.arm, problem.field) for problem in found}
    found += [problem for problem in problems(spec) if (problem.arm, problem.field) not in reported]
    return Draft(spec, tuple(found))
