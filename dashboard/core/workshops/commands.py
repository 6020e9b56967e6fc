"""Parses the commands of a workshop. A button performs its command, so only commands that this module knows are
accepted.

No shell is involved. For a line that cannot be parsed, ValueError is raised with a message for the user.
"""

import re
import shlex
from dataclasses import replace
from urllib.parse import urlsplit

from dashboard.core.experiments.docker_run import image_place
from dashboard.core.workshops.actions import (
    Action,
    ChangeFirewall,
    ChangeSwarm,
    CreateNetwork,
    Curl,
    Inspect,
    ListContainers,
    OnOtherHost,
    Pull,
    Remove,
    RemoveNetwork,
    ShowLogs,
    ShowPorts,
    Stop,
)
from dashboard.core.workshops.launches import Launch, parse_launch
from dashboard.core.workshops.observation import is_image

MAX_CHARS = 400
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}", re.ASCII)
_URL = r"http://[A-Za-z0-9.:\[\]-]{1,100}(/[A-Za-z0-9._~/-]{0,100})?"
#: The ending of a line that runs on another machine on the LAN.
OUTSIDE = " # on another machine"
#: The ending of a line that runs on the other private host of a LAN, and the commands that can run there.
ON_OTHER_HOST = " # on the other host"
_ON_OTHER_HOST = (Launch, Stop, Remove, Curl, Inspect, ListContainers, ShowLogs, ShowPorts)
_RULE = r"( -i eth0)?( -s [0-9./]{7,18})?( -p (tcp|udp) --dport [0-9]{1,5})? -j (DROP|REJECT|ACCEPT)"
#: The commands that change the firewall, as patterns of whole lines.
FIREWALL = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"iptables -[IAD] (INPUT|FORWARD|DOCKER-USER){_RULE}",
        r"ufw (delete )?(allow|deny|reject) [0-9]{1,5}/(tcp|udp)",
        r"ufw --force (enable|disable)",
        r"ufw status( verbose)?",
    )
)
#: The commands that only read, as whole lines.
READ_ONLY = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"ip( -4| -6)?( -br)? (addr|address|a)( show( (dev )?[a-z0-9.@_-]{1,20})?)?",
        r"ip( -4| -6)? (route|r)( show)?",
        r"ip( -br)? link( show)?",
        r"ss -[Hltnup]{2,6}( sport = :[0-9]{1,5})?",
        r"netstat -[tulpn]{2,5}",
        r"cat /etc/(resolv\.conf|hosts)",
        r"cat /proc/sys/net(/[a-z0-9_]+){1,6}",
        r"nslookup [A-Za-z0-9._-]{1,100}",
        r"readlink /proc/self/ns/net",
        rf"wget -qO- {_URL}",
    )
)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"“{text[:60]}” is not a valid name of a container or network.")
    return text


def _names(words: list[str]) -> tuple[str, ...]:
    if not 0 < len(words) <= 10:
        raise ValueError("Name the container.")
    return tuple(_name(word) for word in words)


def _docker(words: list[str]) -> Action:
    match words:
        case ["run", *rest]:
            return parse_launch(rest)
        case ["stop", *names]:
            return Stop(_names(names))
        case ["rm", "-f" | "--force", *names]:
            return Remove(_names(names), force=True)
        case ["rm", *names]:
            return Remove(_names(names))
        case ["network", "create", *options, name]:
            driver = "overlay" if options[:2] == ["-d", "overlay"] else "bridge"
            own = _network_options(options[2:] if driver == "overlay" else options)
            return CreateNetwork(_name(name), own, driver)
        case ["swarm", "init"]:
            return ChangeSwarm()
        case ["swarm", "init", "--advertise-addr", address] if re.fullmatch(r"[0-9.]{7,15}", address, re.ASCII):
            return ChangeSwarm(address)
        case ["swarm", "leave", "--force"]:
            return ChangeSwarm(leave=True)
        case ["network", "rm", name]:
            return RemoveNetwork(_name(name))
        case ["pull", image]:
            return Pull(image)
        case ["ps"]:
            return ListContainers()
        case ["ps", "-a"]:
            return ListContainers(show_all=True)
        case ["logs", name]:
            return ShowLogs(_name(name))
        case ["port", name]:
            return ShowPorts(_name(name))
        case ["exec", name, *argv] if argv:
            return _inspect(argv, _name(name))
    raise ValueError(f"“docker {' '.join(words)[:60]}” is not supported.")


def _network_options(words: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    remaining = list(words)
    while remaining:
        option, equals, value = remaining.pop(0).partition("=")
        if option == "--attachable":
            options["attachable"] = "true"
            continue
        if option not in {"--subnet", "--gateway"}:
            raise ValueError(f"docker network create does not support {option} here: remove it.")
        if not equals and not remaining:
            raise ValueError(f"{option} needs a value.")
        options[option.removeprefix("--")] = value if equals else remaining.pop(0)
    return options


def _inspect(argv: list[str], container: str = "", grep: str = "") -> Inspect:
    line = " ".join(argv)
    if not any(pattern.fullmatch(line) for pattern in READ_ONLY):
        raise ValueError(f"“{line[:60]}” is not supported: only commands that read are allowed.")
    return Inspect(tuple(argv), container, grep)


def _curl(words: list[str]) -> Curl:
    options, urls = [w for w in words if w.startswith("-")], [w for w in words if not w.startswith("-")]
    if len(urls) != 1 or set(options) - {"-i", "-s", "-sS", "-I"}:
        raise ValueError("Write curl as curl [-i] http://ADDRESS:PORT/.")
    url = urls[0] if "://" in urls[0] else f"http://{urls[0]}"
    if not re.fullmatch(_URL, url, re.ASCII):
        raise ValueError(f"“{urls[0][:60]}” is not of the form http://ADDRESS:PORT/.")
    parts = urlsplit(url)  # ValueError for an unclosed bracket
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    if not re.fullmatch(r"[0-9.]+|[0-9a-f:]+", host):
        raise ValueError("Use an address, 127.0.0.1 or localhost.")
    return Curl(host, parts.port or 80, parts.path or "/")


def parse_command(line: str) -> Action:
    """Returns the action of a line. Raises ValueError with a message for the user if the line is not a supported
    command."""
    if any(char.isspace() and not char.isascii() for char in line):
        raise ValueError("The command has a no-break space or another special space: type an ordinary one.")
    if len(line) > MAX_CHARS or not line.isprintable():
        raise ValueError(f"A command must be one line of at most {MAX_CHARS} characters.")
    if line.endswith(OUTSIDE):
        action = parse_command(line.removesuffix(OUTSIDE).rstrip())
        if not isinstance(action, Curl):
            raise ValueError("Only curl can run on another machine.")
        return replace(action, outside=True)
    if line.endswith(ON_OTHER_HOST):
        action = parse_command(line.removesuffix(ON_OTHER_HOST).rstrip())
        if not isinstance(action, _ON_OTHER_HOST) or (isinstance(action, Curl) and action.outside):
            raise ValueError("This command cannot run on the other host.")
        return OnOtherHost(action)
    if any(pattern.fullmatch(line) for pattern in FIREWALL):
        return ChangeFirewall(tuple(line.split()))
    front, pipe, back = line.partition(" | ")
    try:
        words, filter_words = shlex.split(front), shlex.split(back)
    except ValueError:
        raise ValueError("The command has an unclosed quotation mark.") from None
    if not words:
        raise ValueError("The command is empty.")
    if pipe:
        if len(filter_words) != 2 or filter_words[0] != "grep" or filter_words[1].startswith("-"):
            raise ValueError("Only “| grep TEXT” may follow a command.")
        return _inspect(words, grep=filter_words[1])
    if words[0] == "docker":
        return _docker(words[1:])
    if words[0] == "curl":
        return _curl(words[1:])
    return _inspect(words)


def with_image(line: str, images: frozenset[str]) -> str:
    """Returns the line to type. In a ``docker run`` line, the lab image replaces the image nginx if the engine has the
    lab image but not nginx. ``images`` are the images of the engine."""
    if not line.startswith("docker run ") or any(image.partition(":")[0] == "nginx" for image in images):
        return line
    replacement = next((image for image in sorted(images) if is_image(image, "nginx")), None)
    ending = ON_OTHER_HOST if line.endswith(ON_OTHER_HOST) else ""
    words = shlex.split(line.removesuffix(ending))
    place = image_place(words)
    if replacement is None or words[place : place + 1] != ["nginx"]:
        return line
    return shlex.join([*words[:place], replacement, *words[place + 1 :]]) + ending
