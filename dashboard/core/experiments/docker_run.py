"""Parses ``docker run`` and ``docker network create`` lines of claims and workshops.

Only options that concern network modes are supported. A container gets the limits of ``core.experiments.launch``.
Sources: docker-run(1), Docker Engine API reference, docker/cli ``cli/command/container/opts.go``.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboard.core.experiments.launch import extra_host, limits
from dashboard.core.experiments.validation import parse_publish


class UnsupportedOptionError(ValueError):
    """Raised for an ``option`` of ``docker run`` that Netmodes does not support. Its text is a message for users."""

    def __init__(self, option: str) -> None:
        super().__init__(f"docker run: {option} is not supported, omit it.")
        self.option = option


@dataclass(frozen=True, slots=True)
class RunCommand:
    """A parsed ``docker run`` line. ``name`` is empty if the Engine chooses the name. ``config`` is the body of ``POST
    /containers/create``, without labels."""

    line: str
    image: str
    name: str = ""
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> str:
        """The value of ``--network``, or ``bridge`` if the line has none."""
        return str(self.config["HostConfig"]["NetworkMode"])

    def labelled(self, labels: Mapping[str, str]) -> dict[str, Any]:
        """Returns ``config`` with these labels."""
        return {**self.config, "Labels": dict(labels)}


#: Options with a value, and the fields that they set.
_LISTS = {
    "--dns": "Dns",
    "--dns-search": "DnsSearch",
    "--dns-option": "DnsOptions",
    "--cap-add": "CapAdd",
    "--cap-drop": "CapDrop",
    "--link": "Links",
}
_HOST_FIELDS = {"--uts": "UTSMode", "--pid": "PidMode", "--ipc": "IpcMode", "--userns": "UsernsMode"}
_CONFIG_FIELDS = {"--hostname": "Hostname", "-h": "Hostname", "--user": "User", "-u": "User"}
_SWITCHES = {"-d": None, "--detach": None, "--rm": "AutoRemove", "-P": "PublishAllPorts", "--init": "Init"}
_RANGE = re.compile(r"([^/]*:)?(\d{1,5})-(\d{1,5}):(\d{1,5})-(\d{1,5})(/[a-z]+)?", re.ASCII)
MAX_RANGE = 1000
_ALIASES = {"--net": "--network", "--publish": "-p", "--env": "-e", "--publish-all": "-P"}


class _Options:
    """Collects options of ``docker run`` into the body of the create request."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {"Env": [], "ExposedPorts": {}}
        self.host: dict[str, Any] = {**limits(), "NetworkMode": "bridge", "PortBindings": {}, "Sysctls": {}}
        self.endpoint: dict[str, Any] = {}
        self.attached: dict[str, dict[str, Any]] = {}
        self.name = ""
        self._has_network = False

    def add(self, option: str, value: str) -> None:
        """Adds an option with its value. Raises UnsupportedOptionError if the option is not supported."""
        special: dict[str, Callable[[str], None]] = {
            "--name": self._name,
            "--network": self._network,
            "-p": self._publish,
            "-e": self.config["Env"].append,
            "--expose": lambda port: self.config["ExposedPorts"].update({port if "/" in port else f"{port}/tcp": {}}),
            "--add-host": lambda entry: self.host.setdefault("ExtraHosts", []).append(extra_host(entry)),
            "--sysctl": self._sysctl,
            "--ip": lambda address: self.endpoint.update(IPAMConfig={"IPv4Address": address}),
            "--network-alias": lambda alias: self.endpoint.setdefault("Aliases", []).append(alias),
            "--mac-address": self._mac,
        }
        if option in special:
            special[option](value)
        elif option in _LISTS:
            self.host.setdefault(_LISTS[option], []).append(value)
        elif option in _HOST_FIELDS:
            self.host[_HOST_FIELDS[option]] = value
        elif option in _CONFIG_FIELDS:
            self.config[_CONFIG_FIELDS[option]] = value
        else:
            raise UnsupportedOptionError(option)

    def _name(self, value: str) -> None:
        self.name = value

    def _network(self, value: str) -> None:
        """Adds a ``--network``. The first one is the network mode, further ones are additional networks. The long form
        ``name=NAME,gw-priority=N,driver-opt=KEY=VALUE`` also sets options of the endpoint."""
        name, endpoint = _parse_network(value)
        if self._has_network:
            self.attached[name] = endpoint
            return
        self._has_network = True
        self.host["NetworkMode"] = name
        self.endpoint.update(endpoint)

    def _publish(self, value: str) -> None:
        for single in _expand_range(value):
            self._publish_port(single)

    def _publish_port(self, value: str) -> None:
        publish = parse_publish(value)
        port = f"{publish.container_port}/{publish.protocol}"
        self.config["ExposedPorts"][port] = {}
        binding = {"HostIp": publish.host_address, "HostPort": str(publish.host_port or "")}
        self.host["PortBindings"].setdefault(port, []).append(binding)

    def _sysctl(self, value: str) -> None:
        key, _, setting = value.partition("=")
        self.host["Sysctls"][key] = setting

    def _mac(self, value: str) -> None:
        self.config["MacAddress"] = value
        self.endpoint["MacAddress"] = value


def _expand_range(value: str) -> list[str]:
    """Expands a port range such as ``8000-8002:80-82`` to one mapping for each port (docker/go-connections,
    ``nat.ParsePortSpec``). A text without a range is returned unchanged. Raises ValueError if the two ranges differ in
    length or have more than ``MAX_RANGE`` ports."""
    match = _RANGE.fullmatch(value)
    if match is None:
        return [value]
    address, outer, outer_end, inner, inner_end, protocol = match.groups(default="")
    count = int(outer_end) - int(outer) + 1
    if count != int(inner_end) - int(inner) + 1 or not 0 < count <= MAX_RANGE:
        raise ValueError(f"docker run: the ranges of -p {value} must have the same length, at most {MAX_RANGE} ports.")
    return [f"{address}{int(outer) + index}:{int(inner) + index}{protocol}" for index in range(count)]


def _parse_network(value: str) -> tuple[str, dict[str, Any]]:
    """Parses the value of ``--network``: returns the network's name and the settings of the endpoint (docker/cli,
    ``opts/network.go``). Raises ValueError with a message for the user."""
    if "=" not in value:
        return value, {}
    name, endpoint = "", dict[str, Any]()
    for option in value.split(","):
        key, _, setting = option.partition("=")
        if key == "name":
            name = setting
        elif key == "alias":
            endpoint.setdefault("Aliases", []).append(setting)
        elif key == "ip":
            endpoint.setdefault("IPAMConfig", {})["IPv4Address"] = setting
        elif key == "ip6":
            endpoint.setdefault("IPAMConfig", {})["IPv6Address"] = setting
        elif key == "mac-address":
            endpoint["MacAddress"] = setting
        elif key == "gw-priority" and setting.removeprefix("-").isdigit():
            endpoint["GwPriority"] = int(setting)
        elif key == "driver-opt":
            driver_option, _, text = setting.partition("=")
            endpoint.setdefault("DriverOpts", {})[driver_option] = text
        else:
            raise ValueError(f"docker run: {option[:60]} is not a supported option of --network.")
    if not name:
        raise ValueError("docker run: --network with options needs name=NAME.")
    return name, endpoint


def _words(line: str | Sequence[str]) -> list[str]:
    words = shlex.split(line) if isinstance(line, str) else list(line)
    return words[2:] if words[:2] == ["docker", "run"] else words


def image_place(words: Sequence[str]) -> int:
    """Returns the index of the image in the words of a ``docker run`` line; the number of words or more if the image is
    missing. Also takes options that ``parse_run`` does not support."""
    place = 2
    while place < len(words) and words[place].startswith("-"):
        alone = "=" in words[place] or _ALIASES.get(words[place], words[place]) in {*_SWITCHES, "--privileged"}
        place += 1 if alone else 2
    return place


def parse_run(line: str | Sequence[str]) -> RunCommand:
    """Parses ``docker run [options] IMAGE [command]``. The words ``docker run`` may be omitted. Raises ValueError with
    a message for the user."""
    words = _words(line)
    options, rest = _Options(), list(words)
    while rest and rest[0].startswith("-"):
        option, sign, value = rest.pop(0).partition("=") if rest[0].startswith("--") else (rest.pop(0), "", "")
        option = _ALIASES.get(option, option)
        if option in _SWITCHES:
            if sign and value not in {"true", "false"}:
                raise ValueError(f"docker run: {option}={value[:60]} is not supported, use true or false.")
            if (key := _SWITCHES[option]) is not None:
                options.host[key] = value != "false"
            continue
        if not sign:
            if not rest:
                raise ValueError(f"{option} needs a value.")
            value = rest.pop(0)
        options.add(option, value)
    if not rest:
        raise ValueError("The image is missing: docker run [options] IMAGE [command].")
    image, *command = rest
    config = {"Image": image, **options.config, "HostConfig": options.host}
    if command:
        config["Cmd"] = command
    if options.endpoint or options.attached:
        endpoints = {options.host["NetworkMode"]: options.endpoint, **options.attached}
        config["NetworkingConfig"] = {"EndpointsConfig": endpoints}
    return RunCommand(shlex.join(["docker", "run", *words]), image, options.name, config)


@dataclass(frozen=True, slots=True)
class NetworkCommand:
    """A parsed ``docker network create`` line. ``options`` are those of ``Engine.create_network``."""

    line: str
    name: str
    driver: str = "bridge"
    options: dict[str, Any] = field(default_factory=dict)


_NETWORK_VALUES = {"--subnet": "subnet", "--gateway": "gateway"}
_NETWORK_SWITCHES = {"--internal": "internal", "--ipv6": "ipv6", "--attachable": "attachable"}


def parse_network_create(line: str) -> NetworkCommand:
    """Parses ``docker network create [options] NAME``. Raises ValueError with a message for the user."""
    words = shlex.split(line)
    rest = words[3:] if words[:3] == ["docker", "network", "create"] else words
    driver, options = "bridge", dict[str, Any]()
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in _NETWORK_SWITCHES:
            options[_NETWORK_SWITCHES[option]] = True
            continue
        if not rest:
            raise ValueError(f"{option} needs a value.")
        value = rest.pop(0)
        if option in {"-d", "--driver"}:
            driver = value
        elif option in {"-o", "--opt"}:
            key, _, setting = value.partition("=")
            options[key] = setting
        elif option in _NETWORK_VALUES:
            options[_NETWORK_VALUES[option]] = value
        else:
            raise ValueError(f"docker network create: {option} is not supported, omit it.")
    if len(rest) != 1:
        raise ValueError("Give one network name: docker network create [options] NAME.")
    return NetworkCommand(line, rest[0], driver, options)
