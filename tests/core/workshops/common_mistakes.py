"""Common mistakes in a step that launches nginx in host mode, and what the advice for each must contain."""

from __future__ import annotations

from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.workshops.checks.check_types import Check
from dashboard.core.workshops.commands import parse_command
from dashboard.core.workshops.model import Command
from dashboard.core.workshops.observation import Observation
from tests.core.builders import make_listener
from tests.core.observations import answered, make_connection, make_container, make_machine, make_observation

LAUNCH = "docker run --rm -d --name web --network host nginx"
RUN = tuple(Command(line, parse_command(line)) for line in (LAUNCH, "curl http://127.0.0.1/"))
TAKEN = "bind() to 0.0.0.0:80 failed (98: Address already in use)"
ALLOCATED = "Bind for 0.0.0.0:8080 failed: port is already allocated"
HOST_RUNS = Check("container-running", {"mode": "host", "image": "nginx"})
APACHE = make_machine(make_listener(80, "apache2", 4242))
EMPTY = make_observation()
HOST = make_observation(make_container("web", "host"))
BRIDGE = make_observation(make_container("web", "bridge"))
PUBLISHED = make_observation(make_container("web", "bridge", publish=8081))
#: what is expected, what is observed, and what the advice must contain.
TABLE: list[tuple[str, Check, Observation, tuple[str, ...]]] = [
    ("nothing launched", HOST_RUNS, EMPTY, ("Nothing was launched", LAUNCH, "press “Launch”")),
    (
        "wrong mode",
        HOST_RUNS,
        BRIDGE,
        ("runs in mode bridge, not in mode host", "--network host", "before the image", "docker stop web"),
    ),
    (
        "wrong mode, several",
        HOST_RUNS,
        make_observation(make_container("one"), make_container("two")),
        ("No running container is in mode host", "one in mode bridge", "--network host"),
    ),
    (
        "wrong image",
        HOST_RUNS,
        make_observation(make_container("web", "host", image="httpd")),
        ("runs httpd, not nginx",),
    ),
    (
        "wrong name",
        Check("container-running", {"name": "shop", "mode": "host"}),
        HOST,
        ("under the name web", "--name shop"),
    ),
    (
        "wrong published port",
        Check("container-running", {"mode": "bridge", "publish": 8080}),
        PUBLISHED,
        ("web publishes 8081, not port 8080",),
    ),
    (
        "no published port",
        Check("container-running", {"mode": "bridge", "publish": 8080}),
        BRIDGE,
        ("web publishes no port, not port 8080",),
    ),
    (
        "two servers",
        Check("container-running", {"mode": "host", "count": 1}),
        make_observation(make_container("a", "host"), make_container("b", "host")),
        ("2 containers match", "docker rm -f"),
    ),
    ("too few", Check("container-running", {"mode": "host", "count": 2}), HOST, ("1 of 2",)),
    (
        "something else runs",
        HOST_RUNS,
        make_observation(make_container("db", image="postgres")),
        ("One container runs, but not", LAUNCH),
    ),
    (
        "port taken by another container",
        HOST_RUNS,
        make_observation(
            make_container("web", "host", running=False, exit_code=1, last_log_lines=(TAKEN,)),
            make_container("old", "bridge", publish=80),
        ),
        ("exited with code 1", "Address already in use", "docker-proxy", "docker stop old", "docker rm web"),
    ),
    (
        "port taken by the machine",
        HOST_RUNS,
        make_observation(
            make_container("web", "host", running=False, exit_code=1, last_log_lines=(TAKEN,)), machine=APACHE
        ),
        ("apache2", "4242"),
    ),
    (
        "refused by the engine",
        Check("container-running", {"mode": "bridge"}),
        make_observation(
            make_container(
                "web", running=False, status="created", error=ALLOCATED, requested=(PublishedPort(80, "tcp", "", 8080),)
            )
        ),
        ("created but never started", "already allocated", "docker rm web"),
    ),
    (
        "left over",
        Check("removed", {"name": "web"}),
        make_observation(make_container("web", running=False)),
        ("without --rm", "docker rm web"),
    ),
    ("still runs", Check("removed", {"name": "web"}), HOST, ("web still runs", "docker stop web")),
    (
        "port held by another program",
        Check("listener", {"port": 80, "process": "nginx"}),
        make_observation(machine=APACHE),
        ("in use by apache2", "4242"),
    ),
    (
        "listens elsewhere",
        Check("listener", {"port": 80, "mode": "host"}),
        make_observation(make_container("web", "host", port=8080)),
        ("listens on port 8080, not on port 80",),
    ),
    (
        "bridge without -p",
        Check("listener", {"port": 80, "image": "nginx"}),
        make_observation(make_container("web", port=None)),
        ("mode bridge", "publishes nothing"),
    ),
    (
        "nothing listens yet",
        Check("listener", {"port": 80, "place": "container"}),
        make_observation(make_container("web", port=None)),
        ("nothing in it listens yet", "docker logs web"),
    ),
    ("nothing to listen", Check("listener", {"port": 80}), EMPTY, ("Nothing was launched",)),
    (
        "port not free",
        Check("no-listener", {"port": 80}),
        HOST,
        ("in use by nginx of container web", "docker stop web"),
    ),
    (
        "not requested",
        Check("requested", {"port": 80}),
        HOST,
        ("no request within the last minute", "leaves no trace", "curl http://127.0.0.1/"),
    ),
    (
        "requested by another client",
        Check("requested", {"port": 80, "client": "127.0.0.1"}),
        make_observation(make_container("web", "host"), connections=(make_connection(server="::1", client="[::1]:1"),)),
        ("no request from 127.0.0.1 within the last minute",),
    ),
    ("requested, and no server", Check("requested", {"port": 80}), EMPTY, ("Nothing was launched",)),
    ("no such status", Check("container-status", {"name": "second", "status": "exited"}), HOST, ("leave --rm out",)),
    (
        "another status",
        Check("container-status", {"name": "web", "status": "exited"}),
        HOST,
        ("web runs; it should be exited",),
    ),
    ("no network", Check("network-present", {"name": "lab"}), EMPTY, ("docker network create lab",)),
    (
        "network in use",
        Check("network-absent", {"name": "lab"}),
        make_observation(make_container("shop", "user-bridge"), networks={"lab": "bridge"}),
        ("In use by shop", "docker network rm lab"),
    ),
    (
        "network left over",
        Check("network-absent", {"name": "lab"}),
        make_observation(networks={"lab": "bridge"}),
        ("Remove the network: docker network rm lab",),
    ),
    ("namespace of nothing", Check("namespace-is-machine", {"mode": "host"}), EMPTY, ("Nothing was launched",)),
    (
        "another namespace",
        Check("namespace-is-machine", {"name": "web"}),
        BRIDGE,
        ("Expected: net:[", "Observed: net:["),
    ),
    (
        "name unknown",
        Check("name-resolves", {"lookup": "two"}),
        make_observation(make_container("one", lookups=answered("two"))),
        ("Expected:", "finds no address"),
    ),
]
