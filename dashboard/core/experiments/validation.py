"""Parses options of arms, and checks for values that no engine accepts.

Options that Docker refuses (``-p`` with a shared namespace, ``net.*`` sysctls in host mode …) are accepted on purpose:
the page shows Docker's message.
"""

import ipaddress
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dashboard.core.experiments.networks import check_networks, too_many_networks
from dashboard.core.modes import OBSERVERS, ArmSpec, ExperimentSpec, Mode, Publish

MAX_ARMS = 50
MAX_KEY = 63
MAX_TEXT = 4096
MAX_TITLE = 200
MAX_ITEMS = 100
PROTOCOLS = ("tcp", "udp", "sctp")

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)
_LABEL = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?", re.ASCII)
_VARIABLE = re.compile(r"[^=\0\s]+")
_SYSCTL = re.compile(r"[a-z0-9_-]+([./][a-zA-Z0-9_-]+)+", re.ASCII)
#: distribution/reference, ``reference.go``: a name in lower case, then a tag, a digest or both.
_IMAGE = re.compile(
    r"([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:\w[\w.-]{0,127})?(@[a-zA-Z0-9+._-]+:[0-9a-fA-F]{32,})?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of an experiment: the key of the arm (None for the experiment itself), the field, and a sentence."""

    arm: str | None
    field: str
    sentence: str


def _port(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 0 < int(text) < 65536):
        raise ValueError(f"{what} must be a number from 1 to 65535, not “{text[:40]}”.")
    return int(text)


def parse_publish(text: str) -> Publish:
    """Parses ``[address:][host port:]container port[/protocol]``, as ``docker run -p`` takes it. Raises ValueError with
    a message for the user."""
    mapping, slash, protocol = text.strip().partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in PROTOCOLS:
        raise ValueError(f"The protocol of a port is tcp, udp or sctp, not “{protocol[:40]}”.")
    front, _, container = mapping.rpartition(":")
    container_port = _port(container, "The container port")
    if not front:
        return Publish(container_port, 0, protocol)
    address, colon, host = front.rpartition(":")
    host_port = _port(host, "The host port") if host else 0
    if not colon:
        return Publish(container_port, host_port, protocol)
    address = address.removeprefix("[").removesuffix("]")
    if not _is_address(address):
        raise ValueError(f"“{address[:60]}” is not an IP address: write for example 127.0.0.1:8080:80.")
    return Publish(container_port, host_port, protocol, address)


def _parse_assignments(text: str, name_pattern: re.Pattern[str], advice: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in filter(str.strip, text.splitlines()):
        name, equals, value = line.partition("=")
        if not equals or not name_pattern.fullmatch(name.strip()):
            raise ValueError(f"{advice}, not “{line.strip()[:60]}”.")
        found[name.strip()] = value
    return found


def parse_environment(text: str) -> dict[str, str]:
    """Parses ``NAME=value`` lines; empty lines are ignored. Raises ValueError with a message for the user."""
    return _parse_assignments(text, _VARIABLE, "Write an environment variable as NAME=value")


def parse_sysctls(text: str) -> dict[str, str]:
    """Parses ``name=value`` lines, as ``--sysctl`` takes them. Raises ValueError with a message for the user."""
    found = _parse_assignments(text, _SYSCTL, "Write a sysctl as net.ipv4.ip_forward=1")
    return {name: value.strip() for name, value in found.items()}


def parse_add_host(text: str) -> tuple[str, ...]:
    """Parses ``name:address`` or ``name:host-gateway`` lines of ``--add-host``. Raises ValueError with a message for
    the user if a line has neither form."""
    entries = tuple(line.strip() for line in text.splitlines() if line.strip())
    for entry in entries:
        sentence = _add_host_problem(entry)
        if sentence:
            raise ValueError(sentence)
    return entries


def parse_command(text: str) -> tuple[str, ...]:
    """Splits a command into words as a POSIX shell does, without running a shell. Raises ValueError with a message for
    the user."""
    if "\0" in text:
        raise ValueError("A command cannot contain a NUL character.")
    try:
        return tuple(shlex.split(text))
    except ValueError:
        raise ValueError("A quotation mark in the command is not closed.") from None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _add_host_problem(entry: str) -> str | None:
    name, colon, address = entry.partition("=" if "=" in entry else ":")
    address = address.removeprefix("[").removesuffix("]")
    if not colon or not _is_host_name(name):
        return f"Write an added host as name:address, not “{entry[:60]}”."
    if address != "host-gateway" and not _is_address(address):
        return f"“{address[:60]}” is not an IP address: write name:192.0.2.1 or name:host-gateway."
    return None


def _is_host_name(text: str) -> bool:
    return len(text) <= 253 and all(_is_label(part) for part in text.split("."))


def _is_label(text: str) -> bool:
    return 0 < len(text) <= 63 and _LABEL.fullmatch(text) is not None


def _is_unicode(text: str) -> bool:
    """Whether the text can be encoded as UTF-8. Texts from JSON may contain unpaired surrogates, which cannot be
    encoded (RFC 8259, section 8.2)."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


Check = Callable[[ArmSpec], Iterator[tuple[str, str]]]


def _check_words(arm: ArmSpec) -> Iterator[tuple[str, str]]:
    """Yields the problems of an arm's texts, each as a field and a sentence. The texts reach execve(2), so their
    number, their sizes and their characters are checked."""
    texts: list[tuple[str, str]] = [
        ("image", arm.image),
        ("hostname", arm.hostname),
        ("user", arm.user),
        ("netns", arm.netns),
        *(("command", word) for word in arm.command),
        *(("dns", server) for server in arm.dns),
        *(("add_host", entry) for entry in arm.add_host),
        *(("environment", part) for pair in arm.environment.items() for part in pair),
        *(("sysctls", part) for pair in arm.sysctls.items() for part in pair),
    ]
    for field, value in texts:
        if "\0" in value:
            yield field, f"The {field} contains a NUL character: remove it."
        if not _is_unicode(value):
            yield field, f"The {field} contains an invalid character: type it again."
        if len(value) > MAX_TEXT:
            yield field, f"The {field} is longer than {MAX_TEXT} characters: shorten it."
    counts = (
        ("publish", len(arm.publish)),
        ("environment", len(arm.environment)),
        ("command", len(arm.command)),
        ("dns", len(arm.dns)),
        ("add_host", len(arm.add_host)),
        ("sysctls", len(arm.sysctls)),
    )
    for field, count in counts:
        if count > MAX_ITEMS:
            yield field, f"There are {count} entries in {field}: at most {MAX_ITEMS} are allowed."


def _check_shape(arm: ArmSpec) -> Iterator[tuple[str, str]]:
    if len(arm.key) > MAX_KEY or not _NAME.fullmatch(arm.key):
        yield "key", f"“{arm.key[:60]}” is not a valid name: use up to {MAX_KEY} letters, digits, “.”, “_” and “-”."
    if arm.key in OBSERVERS:
        yield "key", f"“{arm.key}” is the name of a column that is no container: choose another name."
    if len(arm.image) > 512 or not _IMAGE.fullmatch(arm.image):
        yield "image", f"“{arm.image[:60]}” is not the name of an image: write for example nginx or nginx:1.27."
    if arm.hostname and not _is_host_name(arm.hostname):
        yield (
            "hostname",
            "A host name consists of parts of 1 to 63 letters, digits and “-”, joined by “.”: change it.",
        )
    elif len(arm.hostname) > 63:
        yield "hostname", "The kernel allows host names of at most 63 characters: shorten it."
    if arm.user and not re.fullmatch(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]*(:[a-zA-Z0-9_][a-zA-Z0-9_.-]*)?", arm.user, re.ASCII):
        yield "user", "Write a user as name, number, or user:group."


def _check_netns(arm: ArmSpec) -> Iterator[tuple[str, str]]:
    if arm.mode is Mode.NS:
        if not arm.netns.startswith("/"):
            yield "netns", "Name the path of the network namespace: write for example ns:/run/netns/lab."
    elif arm.netns:
        yield "netns", f"Only mode ns joins a network namespace by its path: remove “{arm.netns[:60]}”."


def _check_ports(arm: ArmSpec) -> Iterator[tuple[str, str]]:
    if not 0 < arm.port < 65536:
        yield "port", f"The port must be from 1 to 65535, not {arm.port}."
    for publish in arm.publish:
        if not 0 < publish.container_port < 65536:
            yield "publish", f"The container port must be from 1 to 65535, not {publish.container_port}."
        if not 0 <= publish.host_port < 65536:
            yield "publish", f"The host port must be from 1 to 65535, not {publish.host_port}."
        if publish.protocol not in PROTOCOLS:
            yield "publish", f"The protocol of a port is tcp, udp or sctp, not “{publish.protocol[:40]}”."
        if publish.host_address and not _is_address(publish.host_address):
            yield "publish", f"“{publish.host_address[:60]}” is not an IP address: leave it empty for all addresses."


def _check_names(arm: ArmSpec) -> Iterator[tuple[str, str]]:
    for server in arm.dns:
        if not _is_address(server):
            yield "dns", f"“{server[:60]}” is not the IP address of a name server: write for example 192.0.2.53."
    for entry in arm.add_host:
        sentence = _add_host_problem(entry)
        if sentence:
            yield "add_host", sentence
    for name in arm.environment:
        if not _VARIABLE.fullmatch(name):
            yield "environment", f"“{name[:60]}” is not a valid variable name: it is empty, or contains “=” or spaces."
    for name in arm.sysctls:
        if not _SYSCTL.fullmatch(name):
            yield "sysctls", f"“{name[:60]}” is not the name of a sysctl: write for example net.ipv4.ip_forward."


ARM_CHECKS: tuple[Check, ...] = (_check_shape, _check_words, _check_netns, _check_ports, _check_names, check_networks)


def _check_target(arm: ArmSpec, arms: dict[str, ArmSpec]) -> str | None:
    if arm.mode is not Mode.CONTAINER:
        return f"Only mode container has a target: remove “{arm.target[:60]}”." if arm.target else None
    if not arm.target:
        return "Name the arm that has the namespace to share."
    if arm.target == arm.key:
        return "An arm cannot share its own namespace: name another arm."
    target = arms.get(arm.target)
    if target is None:
        return f"No arm is called “{arm.target[:60]}”: name one of {', '.join(sorted(arms))[:200]}."
    if target.machine != arm.machine:
        return f"“{target.key}” runs on another machine: share the namespace of an arm on the same one."
    if target.mode is Mode.CONTAINER:
        return f"“{target.key}” also shares a namespace: name the arm that owns it."
    return None


def title_problem(title: str) -> str:
    """Returns why an experiment cannot have this title; empty if it can."""
    valid = len(title) <= MAX_TITLE and "\0" not in title and _is_unicode(title)
    return "" if valid else f"The title must have at most {MAX_TITLE} valid characters without NUL."


def problems(experiment: ExperimentSpec) -> tuple[Problem, ...]:
    """Returns all problems that must be fixed before a launch, in the order of the form's fields."""
    found: list[Problem] = []
    if sentence := title_problem(experiment.title):
        found.append(Problem(None, "title", sentence))
    if not 0 < experiment.port < 65536:
        found.append(Problem(None, "port", f"The port must be from 1 to 65535, not {experiment.port}."))
    if not experiment.arms:
        found.append(Problem(None, "arms", "Choose at least one mode."))
    if len(experiment.arms) > MAX_ARMS:
        found.append(Problem(None, "arms", f"There are {len(experiment.arms)} arms: at most {MAX_ARMS} are allowed."))
    if len(experiment.names) > MAX_ITEMS:
        sentence = f"There are {len(experiment.names)} names: at most {MAX_ITEMS} are allowed."
        found.append(Problem(None, "names", sentence))
    networks = too_many_networks(experiment.arms)
    if networks:
        found.append(Problem(None, "networks", networks))
    found += [
        Problem(None, "names", f"“{name[:60]}” is not a host name.")
        for name in experiment.names
        if not _is_host_name(name.removesuffix("."))
    ]
    arms = {arm.key: arm for arm in experiment.arms}
    seen: set[str] = set()
    for arm in experiment.arms[: MAX_ARMS * 2]:
        if arm.key in seen:
            found.append(Problem(arm.key, "key", f"Two arms are called “{arm.key[:60]}”: rename one."))
        seen.add(arm.key)
        target = _check_target(arm, arms)
        if target:
            found.append(Problem(arm.key, "target", target))
        found += [Problem(arm.key, field, sentence) for check in ARM_CHECKS for field, sentence in check(arm)]
    return tuple(found)
