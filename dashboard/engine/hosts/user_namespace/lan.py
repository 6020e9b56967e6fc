"""Creates the LAN of a private host, so that the host looks like a machine.

The host gets eth0 with an address. The switch and the router share another network namespace. Each neighbour, a machine
without Docker, has a namespace of its own.

The router rejects packets to all other networks with a firewall rule. Without the rule, the kernel would limit the rate
of its ICMP errors (net.ipv4.route.error_cost), and every name lookup would take seconds to fail. Its other limits on
ICMP errors are off (net.ipv4.icmp_ratemask). With them, a series of lookups would fail in different ways.

A neighbour has routes through the first host to the networks from which Docker takes its subnets. So only the host's
rules decide whether the neighbour's packets reach a container.

The mounts that ``create_lan`` makes keep the namespaces alive until the last host on the LAN stops. A host that is
started again joins a host that still runs, or creates the namespaces anew.

Runs at each start of a host, and so imports little.
"""

import os
import sys

from dashboard.engine.hosts.user_namespace.calls import BIND, mount
from dashboard.engine.hosts.user_namespace.files import read_lines, run_program, write

OWN = "/proc/self/ns/net"
#: Calls ``create_lan`` for the network namespace of this process. The arguments are the folder that contains the
#: package, and ``folder`` and ``run``.
COMMAND = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from dashboard.engine.hosts.user_namespace.lan import OWN, create_lan; create_lan(*sys.argv[2:], OWN)"
)
#: What ``folder`` has in its file ``lan`` for a host on a LAN of its own.
ALONE = "1 1 1500 - - - -"
#: Settings of the router. Frames between ports of the switch do not pass its firewall.
SETTINGS = (
    ("bridge/bridge-nf-call-iptables", "0"),
    ("bridge/bridge-nf-call-ip6tables", "0"),
    ("ipv4/ip_forward", "1"),
    ("ipv4/icmp_ratemask", "0"),
)
REJECT = "iptables -w 5 -A FORWARD -j REJECT --reject-with icmp-admin-prohibited"
IPV6_DISABLED = "/proc/sys/net/ipv6/conf/default/disable_ipv6"


def create_lan(folder: str, run: str, network: str) -> None:
    """Creates the LAN of a host, or connects the host to the LAN of another one.

        folder   the host's folder. The file ``lan`` in it is the result of ``lan_line``. The inodes of the namespaces
                 are written to files in it
        run      the folder for sockets, where the namespaces are mounted
        network  the path of the host's network namespace

    This process is in its own network namespace again afterwards. Exits with status 1 if a step fails in another
    program, which has printed why.
    """
    line = (read_lines(f"{folder}/lan") or [ALONE])[0]
    number, neighbours, mtu, delay, loss, joined, files = line.split(maxsplit=6)
    own, host = os.open(OWN, os.O_RDONLY), os.open(network, os.O_RDONLY)
    spaces = ["neighbour", *(f"neighbour{index}" for index in range(2, int(neighbours) + 1))][: int(neighbours)]
    # The switch and the router come last: the process remains in their namespace.
    for space in (*spaces, "lan"):
        if joined == "-":
            os.unshare(os.CLONE_NEWNET)
        else:
            _join(f"{joined}/{space}", read_lines(f"{files}/netns-{space}"))
        _hold(space, folder, run)

    uplink, ipv4, ipv6 = f"uplink{number}", f"192.0.2.{int(number) + 1}", f"2001:db8::{int(number) + 1}"
    # The link address (RFC 7042, documentation) depends on the number only: the other machines on the LAN still know it
    # when the host is started again.
    links = {uplink: f"netns /proc/{os.getpid()}/fd/{host} address 00:00:5e:00:53:0{number}"}
    commands = []
    if joined == "-":
        links |= {space: f"netns {run}/{space}" for space in spaces}
        _set_up_router()
        commands = [
            "link add lan type bridge",
            *_addresses("lan", "192.0.2.1", "2001:db8::1"),
            "route add default dev lo",
        ]
    else:
        spaces = []
        # The host is started again: the kernel removes the link to its former namespace only some time after that has
        # ended.
        run_program(["ip", "-force", "-batch", "-"], f"link delete {uplink}", is_required=False)
    for name, options in links.items():
        commands.append(f"link add {name} mtu {mtu} type veth peer name eth0 mtu {mtu} {options}")
        commands.append(f"link set {name} master lan up")
    _configure(commands)
    for name in links:
        _shape(name, delay, loss)

    os.setns(host, os.CLONE_NEWNET)
    _configure([*_addresses("eth0", ipv4, ipv6), "route add default via 192.0.2.1 dev eth0"])
    for index, space in enumerate(spaces, 10):
        _enter(f"{run}/{space}")
        commands = [*_addresses("eth0", f"192.0.2.{index}", f"2001:db8::{index}")]
        commands += ["route add default via 192.0.2.1 dev eth0", f"route add 172.16.0.0/12 via {ipv4} dev eth0"]
        commands += [f"route add 192.168.0.0/16 via {ipv4} dev eth0"]
        _configure(commands + [f"route add fd00::/8 via {ipv6} dev eth0"] * _has_ipv6())
    os.setns(own, os.CLONE_NEWNET)
    os.close(own)
    os.close(host)


def _enter(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.setns(descriptor, os.CLONE_NEWNET)
    os.close(descriptor)


def _join(path: str, recorded: list[str]) -> None:
    """Enters the network namespace at ``path``, which is in the file system of another host. ``recorded`` are the lines
    of the file in which ``_hold`` has recorded the namespace's inode. Exits with status 1 if the inode is a different
    one: root of the other host may have replaced the file at ``path``."""
    try:
        _enter(path)
    except OSError:
        recorded = []
    if recorded != [str(os.stat(OWN).st_ino)]:
        sys.exit(f"{path} is not a namespace of the LAN.")


def _hold(space: str, folder: str, run: str) -> None:
    """Mounts the network namespace of this process at ``run``/``space``. The mount keeps the namespace alive without
    processes. Records the namespace's inode in ``folder``."""
    write(f"{run}/{space}", "")
    mount(OWN, f"{run}/{space}", flags=BIND)
    write(f"{folder}/netns-{space}", f"{os.stat(OWN).st_ino}\n")


def _set_up_router() -> None:
    for name, value in SETTINGS:
        try:
            write(f"/proc/sys/net/{name}", value)
        except OSError:
            pass  # this kernel does not have it, or the container may not change it
    run_program(REJECT.split(), is_required=False)


def _has_ipv6() -> bool:
    return read_lines(IPV6_DISABLED) == ["0"]


def _addresses(link: str, ipv4: str, ipv6: str) -> list[str]:
    """Returns the commands of ip(8) that activate a link with these addresses. If IPv6 is disabled, the commands omit
    ``ipv6``."""
    commands = ["link set lo up", f"address add {ipv4}/24 dev {link}", f"link set {link} up"]
    return commands + [f"address add {ipv6}/64 dev {link} nodad"] * _has_ipv6()


def _configure(commands: list[str]) -> None:
    """Executes commands of ip(8) in the network namespace of this process."""
    run_program(["ip", "-batch", "-"], "\n".join(commands) + "\n")


def _shape(link: str, delay: str, loss: str) -> None:
    """Gives a link of the switch a delay in milliseconds and a loss in percent. A hyphen means none."""
    options = ([] if delay == "-" else ["delay", f"{delay}ms"]) + ([] if loss == "-" else ["loss", f"{loss}%"])
    if options:
        run_program(["tc", "qdisc", "add", "dev", link, "root", "netem", *options])
