"""Help texts on the start page, the experiment page with the sections of its table, and the page of the doctor."""

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

HELP: tuple[Help, ...] = (
    Help(
        "launch",
        _("a new experiment"),
        _(
            "One image and one port, launched in all selected modes at the same time. Each container is an arm; its "
            "column shows the equivalent docker run line. If this engine or kernel does not support a mode, the form "
            "shows the reason beside it."
        ),
        "Docker documentation, “Network drivers”; docs/modes.md",
    ),
    Help(
        "lans",
        _("LANs"),
        _(
            "A LAN connects private hosts, each with its own Docker Engine, neighbours without Docker, and a router. "
            "An experiment on one of its hosts has columns for the neighbour, for another host and for a container "
            "there, and requests the service from each of them. If the hosts form a swarm, the mode overlay is "
            "available."
        ),
        "docs/from-another-machine.md",
        "./netmodes lan list",
    ),
    Help(
        "create-lan",
        _("a new LAN"),
        _(
            "Each private host runs a Docker Engine in its own namespaces and takes about 60 MB of memory. The hosts "
            "have the addresses 192.0.2.2 and so on, the neighbours 192.0.2.10 and so on."
        ),
        "docs/from-another-machine.md",
    ),
    Help(
        "presets",
        _("presets"),
        _(
            "Prepared experiments. Each shows one known difference between modes on its experiment's page. A preset "
            "runs a well-known image if the Engine has it, otherwise the lab image. “Open in the form” fills the form "
            "with the options of the preset."
        ),
        "docs/tutorial.md",
    ),
    Help(
        "running",
        _("the running experiments"),
        _(
            "An experiment runs until you stop it. If the server crashes, the containers keep running. After a "
            "restart, the server finds them by their labels and continues, or removes them if they are no longer "
            "wanted."
        ),
        "docs/architecture.md",
        "docker ps",
    ),
    Help(
        "example",
        _("the example"),
        _("A real experiment, saved as a report that comes with Netmodes. Its figures are from another machine."),
        "docs/report-format.md",
    ),
    Help(
        "past",
        _("the past experiments"),
        _(
            "Containers and networks of a stopped experiment are removed. Its journal is kept: the page shows its last "
            "state, and “Launch again” creates the same arms."
        ),
        "docs/architecture.md",
    ),
    Help(
        "comparison",
        _("the table"),
        _(
            "Each row is a fact, each column a network stack as one container sees it. The first column is the "
            "machine; host mode shares its stack. The sign before a row: an equals sign means the same in all "
            "columns, a crossed-out one different, a half circle in one column only, a question mark unknown. Every "
            "cell was read from the kernel or the Engine, not derived from the mode."
        ),
        "docs/reading-a-comparison.md",
    ),
    Help(
        "launched",
        _("how each arm was launched"),
        _(
            "The docker run line, the Engine's warnings, and the requested and published ports. The Engine returns "
            "warnings only when it creates a container: docker inspect does not show them."
        ),
        "Docker Engine API, ContainerCreate: Warnings; docs/modes.md",
    ),
    Help(
        "identity",
        _("identity"),
        _(
            "A network namespace is one complete network stack: interfaces, addresses, routes, ports, firewall. Its "
            "inode identifies it: the same number means the same stack. In host mode the number is the machine's. "
            "Processes, files and host name have other namespaces, which belong to the container in every mode."
        ),
        "namespaces(7); network_namespaces(7)",
        "readlink /proc/self/ns/net",
    ),
    Help(
        "published",
        _("published ports"),
        _(
            "-p requests a port of the machine. NetworkSettings.Ports has what the Engine published; "
            "HostConfig.PortBindings keeps the request, even if it was discarded. Host mode discards -p with a "
            "warning, and -P without one."
        ),
        "Docker documentation, “Port publishing and mapping”; docs/modes.md",
        "docker port NAME",
    ),
    Help(
        "listeners",
        _("listeners"),
        _(
            "A port belongs to a network namespace: two bridge containers can both listen on 80, two in host mode "
            "cannot. In bridge mode docker-proxy listens on the machine's port, one process per address family, "
            "unless the Engine runs without it (userland-proxy=false); in host mode the program itself listens on it."
        ),
        "sock_diag(7); ip(7); Moby, cmd/docker-proxy",
        "ss -Hltnp 'sport = :80'",
    ),
    Help(
        "interfaces",
        _("interfaces"),
        _(
            "A bridge container has lo and one end of a veth pair; the other end is a port of docker0 or br-… on the "
            "machine. Host mode adds neither an interface nor an address: the container sees the machine's, including "
            "the veth ends of other containers. Mode none has only lo."
        ),
        "veth(4); rtnetlink(7); Docker documentation, “Bridge network driver”",
        "ip -brief address",
    ),
    Help(
        "routes",
        _("routes"),
        _(
            "A bridge container sends traffic for other subnets to the bridge's address on the machine, where "
            "MASQUERADE replaces the source address with the machine's. In host mode the table is the machine's."
        ),
        "ip-route(8); Docker documentation, “Packet filtering and firewalls”",
        "ip route show",
    ),
    Help(
        "dns",
        _("DNS"),
        _(
            "Host mode copies the machine's resolv.conf, 127.0.0.53 included. The default bridge gets its servers "
            "without loopback ones; systemd-resolved's if 127.0.0.53 is the only one; public ones if none is left. "
            "Only user-defined networks have Docker's resolver at 127.0.0.11, which resolves container names."
        ),
        "resolv.conf(5); Docker documentation, “Networking overview”: DNS services",
        "docker exec NAME cat /etc/resolv.conf",
    ),
    Help(
        "hosts",
        _("the hosts file"),
        _(
            "The hosts file is used before any name server. Docker writes a new one for each container. In host mode "
            "the file is a copy of the machine's; with --add-host it is a new file without the machine's lines."
        ),
        "hosts(5); docs/modes.md",
        "docker exec NAME cat /etc/hosts",
    ),
    Help(
        "sysctls",
        _("network sysctls"),
        _(
            "net.* settings belong to the network namespace. In a separate namespace, Docker lets every user bind low "
            "ports (ip_unprivileged_port_start=0) and use ping. Host mode keeps the machine's settings and refuses "
            "--sysctl net.*."
        ),
        "Linux, Documentation/networking/ip-sysctl.rst; Moby, daemon/oci_linux.go",
        "sysctl net.ipv4.ip_unprivileged_port_start",
    ),
    Help(
        "answer",
        _("the answer"),
        _(
            "The differences that matter when you choose a mode, the most important first. Each sentence follows from "
            "a row of the comparison; “evidence” links to it. Latency appears here after a measurement."
        ),
        "docs/architecture.md",
        "",
    ),
    Help(
        "picture",
        _("the diagram"),
        _(
            "Drawn from observed facts. A host-mode container is inside the machine's box, because it shares its "
            "namespace. A bridge container is connected by a veth pair: two interfaces that refer to each other's "
            "index. A published port is reached through docker-proxy or DNAT."
        ),
        "veth(4); docs/architecture.md",
        "ip -details link show type veth",
    ),
    Help(
        "paths",
        _("paths"),
        _(
            "A path is the sequence of hops that one request takes. If a nat rule of the machine matches the address "
            "of a published port, the kernel translates the destination (DNAT). Otherwise docker-proxy answers if it "
            "listens; on rootless Podman, rootlessport or pasta does. While docker-proxy runs, Docker's rules exclude "
            "127.0.0.0/8. A path is listed only if observed facts prove it."
        ),
        "iptables-extensions(8): DNAT; Moby, cmd/docker-proxy; docs/measuring.md",
        "iptables-save -c -t nat",
    ),
    Help(
        "timeline",
        _("the timeline"),
        _(
            "The journal: numbered entries, each with its cause, such as an event of the kernel or the Engine, or a "
            "process. Select a time to see the state at that entry."
        ),
        "rtnetlink(7); Docker documentation, “docker system events”; docs/architecture.md",
        "ip monitor",
    ),
    Help(
        "proof",
        _("the cleanup check"),
        _(
            "After a stop Netmodes checks that every object it created is gone: “removed” is what was observed, not "
            "what was requested. It removes only objects with the label of this installation."
        ),
        "docs/architecture.md",
        "docker ps --all",
    ),
    Help(
        "try",
        _("requests over every path"),
        _(
            "One real request over each path. The client address is read from the server's socket: behind "
            "docker-proxy it is the bridge's gateway, in host mode 127.0.0.1. If you select multicast, the machine "
            "also sends a datagram with TTL 1 to the group of mDNS over each link, and a socket in each container's "
            "network namespace joins that group. Machines that have joined the installation send requests, too."
        ),
        "sock_diag(7); Moby, cmd/docker-proxy",
        "curl -i http://127.0.0.1:8080/",
    ),
    Help(
        "inspect",
        _("inspecting a column"),
        _(
            "Runs commands such as ip and ss in the column's network namespace with its resolver files. The programs "
            "are the machine's, so images without tools can be inspected."
        ),
        "setns(2); nsenter(1)",
        "nsenter --net=/proc/PID/ns/net ip address show",
    ),
    Help(
        "trace",
        _("a trace"),
        _(
            "One request, with facts read before, during and after it: counters of nat rules, connection tracking, "
            "accepted sockets, and packet counters of interfaces. A hop is “taken” or “not seen” only if one of these "
            "proves it; otherwise it is “unknown”. Requests from another machine of the installation are not traced: a "
            "trace reads the kernel of one machine."
        ),
        "iptables-save(8); conntrack(8); sock_diag(7); docs/modes.md",
        "iptables-save -c -t nat",
    ),
    Help(
        "engine",
        _("the Docker Engine"),
        _(
            "The engine at the API socket that Netmodes uses. A private host is an engine in namespaces of its own, "
            "with its own docker0, firewall rules and ports. Root on a private host is an ordinary user of the "
            "machine, unless Netmodes runs with --privileged-hosts."
        ),
        "docs/sessions.md",
        "docker info",
    ),
    Help(
        "modes",
        _("modes"),
        _(
            "host shares the machine's network stack; bridge and user-bridge are connected to a bridge; none has only "
            "loopback; container shares another container's stack; macvlan and ipvlan use an interface of the machine; "
            "overlay spans machines. pasta, slirp4netns, private and ns exist on Podman. The table has the reason for "
            "an unavailable mode."
        ),
        "Docker documentation, “Network drivers”; docs/modes.md",
        "./netmodes doctor",
    ),
    Help(
        "checks",
        _("checks"),
        _(
            "What Netmodes needs on this machine: permissions, programs, files of the kernel. If something is missing, "
            "only the functions that need it are unavailable."
        ),
        "docs/installing.md",
        "./netmodes doctor",
    ),
)
