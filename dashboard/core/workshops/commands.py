"""The commands of a workshop, read: what a button does is what the line says, and no more than what is listed here.

Nothing is handed to a shell. A line that cannot be read is a ValueError with a sentence.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dashboard.core.experiments.docker_run import RunCommand, parse_run
from dashboard.core.workshops.observation import is_image


@dataclass(frozen=True, slots=True)
class Launch:
    """``docker run -d …``."""

    run: RunCommand


@dataclass(frozen=True, slots=True)
class Stop:
    """``docker stop NAME…``."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """``docker rm [-f] NAME…``."""

    names: tuple[str, ...]
    force: bool = False


@dataclass(frozen=True, slots=True)
class MakeNetwork:
    """``docker network create NAME``, a bridge."""

    name: str
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    """``docker network rm NAME``."""

    name: str


@dataclass(frozen=True, slots=True)
class Pull:
    """``docker pull IMAGE``; where no registry answers the lab image is made."""

    image: str


@dataclass(frozen=True, slots=True)
class ListContainers:
    """``docker ps [-a]``."""

    ended_too: bool = False


@dataclass(frozen=True, slots=True)
class ShowLogs:
    """``docker logs NAME``."""

    name: str


@dataclass(frozen=True, slots=True)
class ShowPorts:
    """``docker port NAME``."""

    name: str


@dataclass(frozen=True, slots=True)
class Ask:
    """``curl [-i] URL`` on the machine."""

    address: str
    port: int
    path: str = "/"


@dataclass(frozen=True, slots=True)
class Look:
    """A command that only reads, in the machine's namespace or a container's. ``keep`` is what ``| grep`` keeps."""

    argv: tuple[str, ...]
    container: str = ""
    keep: str = ""


Action = (
    Launch | Stop | Remove | MakeNetwork | RemoveNetwork | Pull | ListContainers | ShowLogs | ShowPorts | Ask | Look
)

LABELS: dict[type, str] = {
    Launch: "Launch it",
    Stop: "Stop it",
    Remove: "Remove it",
    MakeNetwork: "Make the network",
    RemoveNetwork: "Remove the network",
    Pull: "Get the image",
    Ask: "Request it",
    Look: "Look",
    ListContainers: "Look",
    ShowLogs: "Look",
    ShowPorts: "Look",
}

LONGEST = 400
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}", re.ASCII)
_URL = r"http://[A-Za-z0-9.:\[\]-]{1,100}(/[A-Za-z0-9._~/-]{0,100})?"
#: What may be looked at, as whole lines; each only reads.
LOOKS = tuple(
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
        raise ValueError(f"“{text[:60]}” is no name of a container or network.")
    return text


def _names(words: list[str]) -> tuple[str, ...]:
    if not 0 < len(words) <= 10:
        raise ValueError("Name the container.")
    return tuple(_name(one) for one in words)


def _docker(words: list[str]) -> Action:
    match words:
        case ["run", *rest]:
            if not {"-d", "--detach"} & set(rest):
                raise ValueError("A launch needs -d: without it docker run waits until the container ends.")
            return Launch(parse_run(rest))
        case ["stop", *names]:
            return Stop(_names(names))
        case ["rm", "-f" | "--force", *names]:
            return Remove(_names(names), force=True)
        case ["rm", *names]:
            return Remove(_names(names))
        case ["network", "create", *options, name]:
            return MakeNetwork(_name(name), _network_options(options))
        case ["network", "rm", name]:
            return RemoveNetwork(_name(name))
        case ["pull", image]:
            return Pull(image)
        case ["ps"]:
            return ListContainers()
        case ["ps", "-a"]:
            return ListContainers(ended_too=True)
        case ["logs", name]:
            return ShowLogs(_name(name))
        case ["port", name]:
            return ShowPorts(_name(name))
        case ["exec", name, *argv] if argv:
            return _look(argv, _name(name))
    raise ValueError(f"There is no button for “docker {' '.join(words)[:60]}”.")


def _network_options(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    left = list(words)
    while left:
        option, sign, value = left.pop(0).partition("=")
        if option not in {"--subnet", "--gateway"}:
            raise ValueError(f"docker network create is read without {option}: leave it out.")
        if not sign and not left:
            raise ValueError(f"{option} needs a value.")
        found[option.removeprefix("--")] = value if sign else left.pop(0)
    return found


def _look(argv: list[str], container: str = "", keep: str = "") -> Look:
    line = " ".join(argv)
    if not any(pattern.fullmatch(line) for pattern in LOOKS):
        raise ValueError(f"There is no button for “{line[:60]}”: only commands that read are run.")
    return Look(tuple(argv), container, keep)


def _curl(words: list[str]) -> Ask:
    options, urls = [w for w in words if w.startswith("-")], [w for w in words if not w.startswith("-")]
    if len(urls) != 1 or set(options) - {"-i", "-s", "-sS", "-I"}:
        raise ValueError("curl is read as curl [-i] http://ADDRESS:PORT/.")
    url = urls[0] if "://" in urls[0] else f"http://{urls[0]}"
    if not re.fullmatch(_URL, url, re.ASCII):
        raise ValueError(f"“{urls[0][:60]}” is no address of the form http://ADDRESS:PORT/.")
    parts = urlsplit(url)  # ValueError for a bracket that is not closed
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    if not re.fullmatch(r"[0-9.]+|[0-9a-f:]+", host):
        raise ValueError("The machine is asked by address: write 127.0.0.1 or localhost.")
    return Ask(host, parts.port or 80, parts.path or "/")


def read_command(line: str) -> Action:
    """What one line does."""
    if len(line) > LONGEST or not line.isprintable():
        raise ValueError(f"A command is one line of at most {LONGEST} characters.")
    front, pipe, back = line.partition(" | ")
    try:
        words, filter_words = shlex.split(front), shlex.split(back)
    except ValueError:
        raise ValueError("A quotation mark in the command is not closed.") from None
    if not words:
        raise ValueError("The command is empty.")
    if pipe:
        if len(filter_words) != 2 or filter_words[0] != "grep" or filter_words[1].startswith("-"):
            raise ValueError("Only “| grep TEXT” may follow a command.")
        return _look(words, keep=filter_words[1])
    if words[0] == "docker":
        return _docker(words[1:])
    if words[0] == "curl":
        return _curl(words[1:])
    return _look(words)


def with_image(line: str, images: frozenset[str]) -> str:
    """The line for an engine that has the lab image in place of nginx: what is shown must work when it is typed."""
    if not line.startswith("docker run ") or any(one.partition(":")[0] == "nginx" for one in images):
        return line
    stand_in = next((one for one in sorted(images) if is_image(one, "nginx")), None)
    return line if stand_in is None else re.sub(r"(?<= )nginx(?= |$)", stand_in, line)
