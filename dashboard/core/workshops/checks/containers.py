"""Checks of containers, images, published ports and Docker networks, as the Engine reports them."""

from dashboard.core.workshops.checks.check_types import (
    SELECTOR,
    Arguments,
    CheckType,
    Finding,
    describe_container,
    no_match,
    selector_of,
)
from dashboard.core.workshops.observation import Observation, format_list, is_image, matching, newest, running


def _container_running(arguments: Arguments, observation: Observation) -> Finding:
    selector, count = selector_of(arguments), arguments.get("count")
    containers = running(observation, selector)
    article = "a container" if count is None else "one container" if count == 1 else f"{count} containers"
    expected = f"{selector.describe(article)} running"
    if port := arguments.get("publish"):
        expected += f", with -p for port {port}"
        containers = tuple(c for c in containers if any(requested.host_port == port for requested in c.requested))
    if not containers:
        return no_match(observation, expected)
    return Finding(count in {None, len(containers)}, expected, format_list(map(describe_container, containers)))


def _container_status(arguments: Arguments, observation: Observation) -> Finding:
    selector, wanted = selector_of(arguments), str(arguments["status"])
    candidates = matching(observation, selector)
    found = [container for container in candidates if container.status == wanted]
    observed = format_list(
        map(describe_container, found or candidates), f"there is no {selector.describe('container')}"
    )
    return Finding(bool(found), f"{selector.describe()} with status {wanted}", observed)


def _removed(arguments: Arguments, observation: Observation) -> Finding:
    selector = selector_of(arguments)
    remaining = matching(observation, selector)
    observed = format_list(map(describe_container, remaining), "none is left")
    return Finding(not remaining, f"no {selector.describe('container')}", observed)


def _image_present(arguments: Arguments, observation: Observation) -> Finding:
    wanted = str(arguments["image"])
    found = sorted(image for image in observation.images if is_image(image, wanted))
    return Finding(bool(found), f"the image {wanted} on this engine", format_list(found, "it is missing"))


def _asked_not_published(arguments: Arguments, observation: Observation) -> Finding:
    expected = f"{selector_of(arguments).describe()} that requested a port and publishes none"
    container = newest(observation, selector_of(arguments))
    if container is None:
        return no_match(observation, expected)
    requested = format_list((str(port.host_port) for port in container.requested), "nothing")
    published = format_list((str(port.host_port) for port in container.published), "nothing")
    ok = bool(container.requested) and not container.published
    return Finding(ok, expected, f"requested: {requested}; published: {published}")


def _published(arguments: Arguments, observation: Observation) -> Finding:
    wanted = arguments["port"]
    publishers = [
        f"by {container.name}"
        for container in running(observation, selector_of(arguments))
        if any(port.host_port == wanted for port in container.published)
    ]
    others = format_list((str(p.host_port) for c in observation.running for p in c.published), "no port")
    expected = f"port {wanted} of this machine published"
    return Finding(bool(publishers), expected, format_list(publishers, f"published: {others}"))


def _network_present(arguments: Arguments, observation: Observation) -> Finding:
    name = str(arguments["name"])
    networks = format_list(observation.networks, "only Docker's predefined networks")
    return Finding(name in observation.networks, f"a network named {name}", networks)


def _network_absent(arguments: Arguments, observation: Observation) -> Finding:
    name = str(arguments["name"])
    ok = name not in observation.networks
    return Finding(ok, f"no network named {name}", "none is left" if ok else "it still exists")


CHECK_TYPES: dict[str, CheckType] = {
    "image-present": CheckType("The engine has the image.", {"image": "text"}, ("image",), _image_present),
    "container-running": CheckType(
        "A matching container runs. `count`: exactly so many run. `publish`: it has `-p` for this port.",
        {**SELECTOR, "count": "number", "publish": "port"},
        (),
        _container_running,
    ),
    "container-status": CheckType(
        "A container has this status.",
        {**SELECTOR, "status": "created|running|exited|paused"},
        ("status",),
        _container_status,
    ),
    "removed": CheckType("No matching container exists, running or not.", SELECTOR, (), _removed),
    "published": CheckType(
        "The Engine publishes the machine's port.", {**SELECTOR, "port": "port"}, ("port",), _published
    ),
    "asked-not-published": CheckType(
        "A port was requested with `-p`, and none is published.", SELECTOR, (), _asked_not_published
    ),
    "network-present": CheckType("A Docker network has this name.", {"name": "text"}, ("name",), _network_present),
    "network-absent": CheckType("No Docker network has this name.", {"name": "text"}, ("name",), _network_absent),
}
