"""The start page, the page of an experiment and the sections of its table, and the doctor."""

from __future__ import annotations

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

HELP: tuple[Help, ...] = (
    Help(
        "launch",
        _("a new experiment"),
        _(
            "One image and one port, launched in every mode that is ticked, all at once. Each container is an arm. "
            "The line above its column on the next page is the docker run line that does the same. A mode that this "
            "engine or kernel cannot do says why."
        ),
        "Docker documentation, “Network drivers”; docs/modes.md",
    ),
    Help(
        "running",
        _("the running experiments"),
        _(
            "An experiment runs until somebody stops it. What is wanted stands in the database, so a server that was "
            "killed finds its containers again by their label, and goes on with them or removes them."
        ),
        "docs/architecture.md",
        "docker ps",
    ),
    Help(
        "example",
        _("the example"),
        _("A real run that was saved as a report and is kept with Netmodes. Its figures are those of another machine."),
        "docs/report-format.md",
    ),
    Help(
        "past",
        _("the past experiments"),
        _(
            "Containers and networks of a stopped experiment are gone. Its journal is kept: the page shows how it "
            "was, and Launch again makes the same arms anew."
        ),
        "docs/architecture.md",
    ),
    Help(
        "comparison",
        _("the table"),
        _(
            "A row is a fact, a column is a network stack as one container sees it. The first column is the machine, "
            "whose stack host mode shares. = is the same everywhere, ≠ differs, ◐ stands in one column only. Every "
            "cell was read; none follows from the name of the mode."
        ),
        "docs/reading-a-comparison.md",
    ),
    Help(
        "launched",
        _("how each arm was launched"),
        _(
            "The docker run line, then what the Engine warned of, then the ports as asked and as really published. A "
            "warning is in the Engine's answer to create and nowhere else: docker inspect never shows it."
        ),
        "Docker Engine API, ContainerCreate: Warnings; docs/modes.md",
    ),
    Help(
        "identity",
        _("identity"),
        _(
            "A network namespace is one complete network stack: links, addresses, routes, ports, firewall. Its inode "
            "names it: the same number is the same stack. Host mode carries the machine's number. Processes, files "
            "and host name have namespaces of their own, which stay the container's in every mode."
        ),
        "namespaces(7); network_namespaces(7)",
        "readlink /proc/self/ns/net",
    ),
    Help(
        "published",
        _("published ports"),
        _(
            "-p asks for a port of the machine. What the Engine did stands in NetworkSettings.Ports; "
            "HostConfig.PortBindings keeps what was asked, even where it was discarded. Host mode discards -p with a "
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
            "cannot. In bridge mode the machine's port is held by docker-proxy, one process for each address family; "
            "in host mode by the program itself."
        ),
        "sock_diag(7); ip(7); Moby, cmd/docker-proxy",
        "ss -Hltnp 'sport = :80'",
    ),
    Help(
        "interfaces",
        _("interfaces"),
        _(
            "A bridge container has lo and one end of a veth pair; the other end is a port of docker0 or br-… on the "
            "machine. Host mode adds no link and gives no address: the container sees the machine's, with the veth "
            "ends of all others. Mode none has lo alone."
        ),
        "veth(4); rtnetlink(7); Docker documentation, “Bridge network driver”",
        "ip -brief address",
    ),
    Help(
        "routes",
        _("routes"),
        _(
            "A bridge container sends what is not for its own subnet to the bridge's address on the machine, where "
            "MASQUERADE gives it the machine's address. In host mode the table is the machine's own."
        ),
        "ip-route(8); Docker documentation, “Packet filtering and firewalls”",
        "ip route show",
    ),
    Help(
        "dns",
        _("DNS"),
        _(
            "Host mode gets a copy of the machine's resolv.conf, 127.0.0.53 included. The default bridge gets its "
            "servers without loopback ones, and public ones if none is left. Only networks that somebody made have "
            "Docker's own resolver at 127.0.0.11, which knows containers by name."
        ),
        "resolv.conf(5); Docker documentation, “Networking overview”: DNS services",
        "docker exec NAME cat /etc/resolv.conf",
    ),
    Help(
        "hosts",
        _("the hosts file"),
        _(
            "It is asked before any server. Docker writes a fresh one for each container. Host mode copies the "
            "machine's, unless --add-host is given: then the copied lines are gone."
        ),
        "hosts(5); docs/modes.md",
        "docker exec NAME cat /etc/hosts",
    ),
    Help(
        "sysctls",
        _("network sysctls"),
        _(
            "net.* settings belong to the network namespace. In one of its own Docker lets everybody bind low ports "
            "(ip_unprivileged_port_start=0) and ping. Host mode keeps the machine's, and --sysctl net.* is refused."
        ),
        "Linux, Documentation/networking/ip-sysctl.rst; Moby, daemon/oci_linux.go",
        "sysctl net.ipv4.ip_unprivileged_port_start",
    ),
    Help(
        "picture",
        _("the picture"),
        _(
            "Drawn from what was observed. A host-mode container sits inside the machine's box, since it shares its "
            "namespace. A bridge container hangs on a veth pair: two links, each of which names the other's index. "
            "docker-proxy and DNAT are the two doors of a published port."
        ),
        "veth(4); docs/architecture.md",
        "ip -details link show type veth",
    ),
    Help(
        "paths",
        _("paths"),
        _(
            "A path is how one request travels. At a published port 127.0.0.1 goes through docker-proxy, because the "
            "nat OUTPUT rule leaves 127.0.0.0/8 out; every other address of the machine is translated by the kernel "
            "(DNAT). A path is named only where what was observed proves it."
        ),
        "iptables-extensions(8): DNAT; Moby, cmd/docker-proxy; docs/measuring.md",
        "iptables-save -c -t nat",
    ),
    Help(
        "timeline",
        _("what happened"),
        _(
            "The journal: numbered entries, each with its cause, which is an event of the kernel or of the Engine, or "
            "a process. It is the only history there is. Press a time and the page shows the state at that entry."
        ),
        "rtnetlink(7); Docker documentation, “docker system events”; docs/architecture.md",
        "ip monitor",
    ),
    Help(
        "proof",
        _("what was looked at after the cleanup"),
        _(
            "After a stop everything that was made is looked for again, so that “removed” is an observation. Only "
            "what carries the label of this installation is ever removed."
        ),
        "docs/architecture.md",
        "docker ps --all",
    ),
    Help(
        "try",
        _("trying every path"),
        _(
            "One real request on each path. Whom the server had as its client is read from the server's own socket: "
            "behind docker-proxy it is the bridge's gateway, in host mode 127.0.0.1."
        ),
        "sock_diag(7); Moby, cmd/docker-proxy",
        "curl -i http://127.0.0.1:8080/",
    ),
    Help(
        "inspect",
        _("inspecting a column"),
        _(
            "The commands of the workshop, run for real in the column's network namespace and with its resolver "
            "files. The programs are the machine's: an image without tools can be looked into as well."
        ),
        "setns(2); nsenter(1)",
        "nsenter --net=/proc/PID/ns/net ip address show",
    ),
    Help(
        "trace",
        _("a trace"),
        _(
            "One request, and what was read right before, during and after it: counters of nat rules, connection "
            "tracking, accepted sockets, packet counters of links. A hop is “taken” or “not seen” only where one of "
            "them proves it; otherwise it is “unknown”."
        ),
        "iptables-save(8); conntrack(8); sock_diag(7); docs/modes.md",
        "iptables-save -c -t nat",
    ),
    Help(
        "engine",
        _("the Docker Engine"),
        _(
            "The engine that answers at the socket. A private host is an engine in a network namespace of its own, "
            "with its own docker0, firewall rules and ports. It keeps people out of each other's way; it is no "
            "security boundary."
        ),
        "docs/sessions.md",
        "docker info",
    ),
    Help(
        "modes",
        _("modes"),
        _(
            "host shares the machine's network stack, bridge and user-bridge hang on a bridge, none has loopback "
            "only, container shares another container's stack, macvlan and ipvlan sit on a link of the machine, "
            "overlay spans machines. What is missing here is said with the reason."
        ),
        "Docker documentation, “Network drivers”; docs/modes.md",
        "./netmodes doctor",
    ),
    Help(
        "checks",
        _("checks"),
        _(
            "What Netmodes needs of this machine: a right, a program, a file of the kernel. What is missing switches "
            "off what needs it, and nothing else."
        ),
        "docs/installing.md",
        "./netmodes doctor",
    ),
)
