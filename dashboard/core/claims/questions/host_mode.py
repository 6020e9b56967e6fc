"""Questions about host mode: its ports, where it works, and how containers on bridges are reached from it."""

from dashboard.core.claims.question import Link, Question

QUESTIONS = (
    Question(
        id="ports-ignored",
        title="Why is -p ignored with --network host?",
        symptoms=(
            "Published ports are discarded when using host network mode",
            "port mapping does not work in host mode",
            "connection refused on the published port",
            "network_mode: host with ports",
        ),
        answer="In host mode the program listens on the machine itself, so there is nothing to map: the "
        "Engine discards -p with a warning and -P without one. Configure the program to use another "
        "port, or use bridge mode.",
        claims=(
            "host-mode-own-port",
            "discarded-publish",
            "warning-only-at-create",
            "publish-all-silent",
            "host-port-without-p",
        ),
        documented=Link(
            "Given that the container does not have its own IP-address when using host mode "
            "networking, port-mapping doesn't take effect",
            "https://docs.docker.com/engine/network/drivers/host/",
        ),
        asked=(
            (
                "docker/docs#16805: Note that the -p option is unavailable when using host networking, and "
                "explain how to open ports in the container since that option is unavailable."
            ),
            "docker/for-mac#3143: Can I run multi containers on one server using --network=host mode?",
        ),
    ),
    Question(
        id="ps-without-ports",
        title="Why does docker ps show no ports?",
        symptoms=(
            "docker ps PORTS column is empty",
            "80/tcp without an arrow",
            "docker port prints nothing",
            "port in docker inspect but not published",
        ),
        answer="docker ps shows the Engine's ports, not sockets: one with an arrow is published, one without is only "
        "exposed, and host mode publishes none. Ask the kernel which process listens instead: ss -Hltnp.",
        claims=(
            "discarded-mapping-stays",
            "exposed-not-published",
            "host-port-without-p",
            "publish-all-random",
            "random-port-changes",
        ),
        documented=Link(
            "if you run a container which binds to port 80 and you use host networking, the "
            "container's application is available on port 80 on the host's IP address",
            "https://docs.docker.com/engine/network/drivers/host/",
        ),
        asked=(
            "moby/moby#8373: Proposal: Display when a container is in --net=host in docker ps",
            "docker/compose#1868: net host options does not show ports in ps",
        ),
    ),
    Question(
        id="host-mode-on-desktop",
        title="Why does host mode not work on Docker Desktop?",
        symptoms=(
            "localhost refuses with --network host on a Mac",
            "host mode on Windows",
            "host networking does nothing",
            "works on Linux, not on macOS",
        ),
        answer="Host mode shares the network namespace of the Engine's process, and on Docker Desktop that "
        "process runs in a Linux virtual machine: the server listens there. Since version 4.34 Desktop "
        "can forward TCP and UDP ports of host mode if you enable it in the settings.",
        claims=(
            "host-mode-is-the-engines",
            "linux-kernel",
            "host-shares-netns",
            "host-sees-interfaces",
        ),
        documented=Link(
            "Docker Desktop version 4.34 and later (requires enabling the feature in Settings)",
            "https://docs.docker.com/engine/network/drivers/host/",
        ),
        asked=(
            'docker/for-mac#1031: network_mode: "host" probably not working as expected',
            "docker/for-mac#2716: Block/disallow --net=host (host networking) on Mac OS",
        ),
    ),
    Question(
        id="rootless-host-mode",
        title="Why is a server in host mode not reachable with rootless Docker?",
        symptoms=(
            "connection refused with --net=host in rootless mode",
            "works from another container, not from the host",
            "rootlesskit host network",
            "slirp4netns",
        ),
        answer="A rootless Engine before 29.5 runs in a network namespace that RootlessKit created, and host mode "
        "uses that namespace, not the machine's. Publish the port with -p, or upgrade to 29.5.",
        claims=(
            "host-mode-is-the-engines",
            "host-shares-netns",
            "host-sysctls",
            "low-port-in-host-mode",
        ),
        documented=Link(
            "This meant that ports listened by containers with --net=host were not reachable from the "
            "real host network namespace.",
            "https://docs.docker.com/engine/security/rootless/troubleshoot/",
        ),
        asked=(
            (
                "moby/moby#40865: --net host does not allow access to open sockets with rootless Docker, "
                "except from other containers on the same host"
            ),
            (
                "rootless-containers/slirp4netns#301: question: how to enable legacy behavior for "
                "--network=host for rootless"
            ),
        ),
    ),
    Question(
        id="host-and-bridge",
        title="How do a container in host mode and one on a bridge reach each other?",
        symptoms=(
            "could not resolve host",
            "name of the container is unknown",
            "connection refused between host mode and bridge",
            "no such host",
            "network_mode: host cannot find the database container",
        ),
        answer="By address, not by name: a container in host mode reaches a bridge container at its published "
        "port on 127.0.0.1 or at its own address, and a bridge container reaches host mode at the "
        "gateway's address. Names do not resolve in either direction.",
        claims=(
            "host-mode-reaches-published",
            "bridge-reaches-host-mode",
            "host-mode-name-unknown",
            "names-not-in-host-mode",
            "machine-reaches-bridge",
        ),
        documented=Link("Containers can also share networking stacks", "https://docs.docker.com/engine/network/"),
        asked=(
            "docker/docs#16473: Docker Networking",
            "docker/compose#7476: Unable to override host network -> bridge",
        ),
    ),
)
