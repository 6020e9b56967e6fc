"""The presets of the start page."""

from dashboard.core.experiments.presets.preset import LAB_IMAGE, LaunchValues, Preset, Program
from dashboard.core.modes import Mode

#: Ports of the service that listens on many, in the container; the machine publishes each at ``PUBLISHED_FROM`` and up.
MANY_PORTS = range(9001, 9011)
PUBLISHED_FROM = 19001
#: The port of the lab image's stand-in for a database, PostgreSQL's.
DATABASE_PORT = 5432
_NGINX = (Program("nginx", 80), Program(LAB_IMAGE, 80))
#: Each of these listens on 127.0.0.1 only (options of the server programs; ``/bin/serve`` of the lab image).
_DATABASES = (
    Program("postgres", DATABASE_PORT, "postgres -c listen_addresses=127.0.0.1", "POSTGRES_HOST_AUTH_METHOD=trust"),
    Program(LAB_IMAGE, DATABASE_PORT, environment=f"NETMODES_ADDRESS=127.0.0.1\nNETMODES_PORT={DATABASE_PORT}"),
)
#: busybox's web server on each port: Try gets a response.
_LISTEN_ON_MANY = "echo OK >/tmp/index.html; " + "".join(f"httpd -f -p {port} -h /tmp & " for port in MANY_PORTS)


def _arms(program: Program, *modes: Mode) -> list[dict[str, str]]:
    return [{"mode": str(mode), **program.arm} for mode in modes]


def _web(program: Program, free_port: int) -> LaunchValues:
    return {"modes": [Mode.HOST, Mode.BRIDGE], "publish": f"{free_port}:{program.port}"}


def _database(program: Program, free_port: int) -> LaunchValues:
    return {"arms": _arms(program, Mode.HOST, Mode.BRIDGE), "publish": f"{free_port}:{program.port}"}


def _names(program: Program, free_port: int) -> LaunchValues:
    database = {"mode": str(Mode.USER_BRIDGE), "key": "db", **program.arm}
    return {"modes": [Mode.HOST, Mode.BRIDGE, Mode.USER_BRIDGE], "arms": [database], "names": "db"}


def _many_ports(program: Program, free_port: int) -> LaunchValues:
    publish = " ".join(f"{PUBLISHED_FROM + number}:{port}" for number, port in enumerate(MANY_PORTS))
    return {"arms": _arms(program, Mode.HOST, Mode.BRIDGE), "publish": publish}


def _multicast(program: Program, free_port: int) -> LaunchValues:
    return {"modes": [Mode.HOST, Mode.BRIDGE]}


PRESETS: tuple[Preset, ...] = (
    Preset(
        "web",
        "Web server",
        "In bridge mode -p publishes a port of the machine. In host mode -p is discarded, and the program listens on "
        "the machine's port 80 itself.",
        "published/80/tcp/published",
        "answer",
        _NGINX,
        _web,
    ),
    Preset(
        "database",
        "Database on localhost",
        "The program listens only on 127.0.0.1. In host mode that is the machine's loopback, and every program on the "
        "machine reaches it; in bridge mode it is the container's own, and nothing answers at the published port.",
        f"listeners/tcp :{DATABASE_PORT}/",
        "try",
        _DATABASES,
        _database,
    ),
    Preset(
        "names",
        "Service that looks up another by name",
        "A container called db runs on the user-defined network. Its name resolves only there, where Docker's "
        "resolver answers; host and bridge ask the machine's name servers.",
        "dns/lookup db/",
        "table",
        _NGINX,
        _names,
    ),
    Preset(
        "ports",
        "Service with many ports",
        f"bridge needs docker-proxy processes and a mapping for each of {len(MANY_PORTS)} ports; host needs neither, "
        "but uses all these ports of the machine itself.",
        f"published/{MANY_PORTS[0]}/tcp/published",
        "table",
        (Program(LAB_IMAGE, MANY_PORTS[0], f"sh -c '{_LISTEN_ON_MANY}wait'"),),
        _many_ports,
    ),
    Preset(
        "multicast",
        "Multicast discovery",
        "mDNS and SSDP do not leave their link. In host mode a container receives what is sent on the machine's link; "
        "in bridge mode it receives only what is sent on docker0. “Try” sends a datagram on each link and shows which "
        "container receives it.",
        "routes/default/inet",
        "try",
        _NGINX,
        _multicast,
        "?multicast=1",
    ),
)


def find_preset(key: str) -> Preset | None:
    """The preset with this key, or None."""
    return next((preset for preset in PRESETS if preset.key == key), None)
