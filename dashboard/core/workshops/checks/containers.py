"""Checks of containers, images, published ports and Docker's networks: what the Engine says."""

from __future__ import annotations

from dashboard.core.workshops.checks.check_types import WHICH, Arguments, Finding, Kind, missing, said, which_of
from dashboard.core.workshops.observation import Observation, is_image, newest, running, told


def _container_running(arguments: Arguments, observation: Observation) -> Finding:
    which, count = which_of(arguments), arguments.get("count")
    found = running(observation, which)
    expected = (
        which.said("a container" if count is None else "one container" if count == 1 else f"{count} containers")
        + " running"
    )
    if port := arguments.get("publish"):
        expected += f", asked to publish port {port}"
        found = tuple(one for one in found if any(asked.host_port == port for asked in one.asked))
    ok = len(found) == count if count is not None else bool(found)
    if not found:
        return missing(observation, expected)
    return Finding(ok, expected, told((said(one) for one in found), ""))


def _container_status(arguments: Arguments, observation: Observation) -> Finding:
    which, wanted = which_of(arguments), str(arguments["status"])
    there = [one for one in observation.containers if which.fits(one)]
    found = [one for one in there if one.status == wanted]
    observed = told((said(one) for one in found or there), f"there is no {which.said('container')}")
    return Finding(bool(found), f"{which.said()} that is {wanted}", observed)


def _removed(arguments: Arguments, observation: Observation) -> Finding:
    which = which_of(arguments)
    there = [one for one in observation.containers if which.fits(one)]
    return Finding(not there, f"no {which.said('container')}", told((said(one) for one in there), "none is left"))


def _image_present(arguments: Arguments, observation: Observation) -> Finding:
    wanted = str(arguments["image"])
    found = sorted(one for one in observation.images if is_image(one, wanted))
    return Finding(bool(found), f"the image {wanted} on this engine", told(found, "it is not there"))


def _asked_not_published(arguments: Arguments, observation: Observation) -> Finding:
    expected = f"{which_of(arguments).said()} that was asked for a port and publishes none"
    found = newest(observation, which_of(arguments))
    if found is None:
        return missing(observation, expected)
    asked = told((str(one.host_port) for one in found.asked), "nothing")
    published = told((str(one.host_port) for one in found.published), "nothing")
    return Finding(bool(found.asked) and not found.published, expected, f"asked: {asked}; published: {published}")


def _published(arguments: Arguments, observation: Observation) -> Finding:
    port, expected = arguments["port"], f"port {arguments['port']} of this machine published"
    found = [
        one for one in running(observation, which_of(arguments)) if any(p.host_port == port for p in one.published)
    ]
    others = told((str(p.host_port) for one in observation.running for p in one.published), "no port")
    return Finding(bool(found), expected, told((f"by {one.name}" for one in found), f"published: {others}"))


def _network_present(arguments: Arguments, observation: Observation) -> Finding:
    name = str(arguments["name"])
    there = told(observation.networks, "no network besides Docker's own")
    return Finding(name in observation.networks, f"a network called {name}", there)


def _network_absent(arguments: Arguments, observation: Observation) -> Finding:
    name = str(arguments["name"])
    ok = name not in observation.networks
    return Finding(ok, f"no network called {name}", "none is left" if ok else "it is still there")


KINDS: dict[str, Kind] = {
    "image-present": Kind("The engine has the image.", {"image": "text"}, ("image",), _image_present),
    "container-running": Kind(
        "A container runs. `count` asks for so many, `publish` for one that was asked to publish that port.",
        {**WHICH, "count": "number", "publish": "port"},
        (),
        _container_running,
    ),
    "container-status": Kind(
        "A container is in this status.",
        {**WHICH, "status": "created|running|exited|paused"},
        ("status",),
        _container_status,
    ),
    "removed": Kind("No such container is there, running or not.", WHICH, (), _removed),
    "published": Kind("The Engine publishes the machine's port.", {**WHICH, "port": "port"}, ("port",), _published),
    "asked-not-published": Kind(
        "A port was asked for with `-p`, and none is published.", WHICH, (), _asked_not_published
    ),
    "network-present": Kind("There is a Docker network of this name.", {"name": "text"}, ("name",), _network_present),
    "network-absent": Kind("There is no such network.", {"name": "text"}, ("name",), _network_absent),
}
