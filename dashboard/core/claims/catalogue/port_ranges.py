"""Claims about the cost of a published range of ports: processes, memory, rules and time."""

import re

from dashboard.core.claims.constructors import NO_RULES
from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import Proxies, observe_proxies, run_lines
from dashboard.core.claims.testbed import Testbed


def publish(ports: range, options: str = "") -> str:
    """Returns the ``docker run`` line that publishes each of these ports under the same number on the machine.
    ``options`` are added to the line."""
    whole = f"{ports[0]}-{ports[-1]}"
    return f"docker run -d{options} -p {whole}:{whole} IMAGE sleep 60"


#: Each claim has ports of its own, so that those without timings may run at the same time.
PROCESSES, MEMORY, RULES, HOST_MODE = range(8200, 8210), range(8210, 8215), range(8260, 8270), range(8270, 8290)
RULES_LINE = publish(RULES)
DOCKER_PROXY = "Moby, cmd/docker-proxy; Docker documentation, “Host network driver”"
NEEDS_DOCKER_PROXY = (
    Expectation(EngineCondition(userland_proxy=False), not_testable="This Engine runs without docker-proxy."),
    Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
)
TIMED = (
    "docker run -d -p 8220:8220 IMAGE sleep 60",
    "docker run -d -p 8230-8249:8230-8249 IMAGE sleep 60",
    "docker run -d -p 8221:8221 IMAGE sleep 60",
    "docker run -d -p 8290-8309:8290-8309 IMAGE sleep 60",
)


def _proxies_evidence(observed: Proxies, ports: range) -> tuple[str, str]:
    processes, memory_kib = observed
    return f"docker-proxy processes for {len(ports)} ports: {processes}", f"their memory: {memory_kib} KiB"


def judge_processes(observed: Proxies) -> Judgement:
    """The claim holds if 20 docker-proxy processes run for the 10 ports."""
    return holds_if(
        observed[0] == 20, "The number of docker-proxy processes is not 20.", *_proxies_evidence(observed, PROCESSES)
    )


def judge_memory(observed: Proxies) -> Judgement:
    """The claim holds if docker-proxy uses more than 1024 KiB for each port."""
    return holds_if(
        observed[1] > len(MEMORY) * 1024, "The processes hold less memory.", *_proxies_evidence(observed, MEMORY)
    )


def judge_no_processes(observed: Proxies) -> Judgement:
    """The claim holds if no docker-proxy process runs for the ports."""
    return holds_if(observed[0] == 0, "docker-proxy processes run.", *_proxies_evidence(observed, HOST_MODE))


async def observe_rules(testbed: Testbed) -> tuple[str, ...]:
    """Publishes 10 ports; returns the DNAT rules for these ports."""
    await run_lines(testbed, RULES_LINE)
    ports = "|".join(map(str, RULES))
    rules = await testbed.nat_rules()
    return tuple(rule for rule in rules if "DNAT" in rule and re.search(rf"--dport ({ports})\b", rule))


def judge_rules(rules: tuple[str, ...]) -> Judgement:
    """The claim holds if there are 10 DNAT rules for the 10 ports."""
    evidence = (f"DNAT rules for 10 ports: {len(rules)}", *(f"rule: {rule}" for rule in rules[:2]))
    return holds_if(len(rules) == 10, "The number of DNAT rules is not 10.", *evidence)


async def observe_start(testbed: Testbed) -> tuple[float, float]:
    """Returns how many seconds the Engine took to start a container with one published port, and one with 20. Each
    number is the shorter time of two starts."""
    first, first_range, second, second_range = await run_lines(testbed, *TIMED)
    return min(first.start_s, second.start_s), min(first_range.start_s, second_range.start_s)


def judge_start(observed: tuple[float, float]) -> Judgement:
    """The claim holds if the start with 20 ports took more than twice as long as the start with one port."""
    single, whole = observed
    evidence = (f"start with one port: {single:.2f} s", f"start with the range: {whole:.2f} s")
    return holds_if(whole > 2 * single, "The start took less than twice as long.", *evidence)


CLAIMS = (
    Claim(
        id="range-processes",
        topic=Topic.PUBLISHING,
        statement="A published range of 10 ports starts 20 processes: docker-proxy for each port, for IPv4 and for "
        "IPv6.",
        source=DOCKER_PROXY,
        observe=observe_proxies(publish(PROCESSES), PROCESSES),
        judge=judge_processes,
        lines=(publish(PROCESSES), "pgrep -c docker-proxy"),
        needs=frozenset({Need.PRIVATE, Need.IPV6}),
        mutation={"docker run -d -p": "docker run -d --network host -p"},
        otherwise=NEEDS_DOCKER_PROXY,
    ),
    Claim(
        id="range-memory",
        topic=Topic.PUBLISHING,
        statement="Each published port costs memory: its docker-proxy processes hold more than a megabyte.",
        source=DOCKER_PROXY,
        exact="Pss: shared pages are divided among the processes that map them. A range of 10,000 ports needs "
        "tens of gigabytes.",
        observe=observe_proxies(publish(MEMORY), MEMORY),
        judge=judge_memory,
        lines=(publish(MEMORY), "grep Pss /proc/PID/smaps_rollup"),
        needs=frozenset({Need.PRIVATE, Need.IPV6}),
        mutation={"docker run -d -p": "docker run -d --network host -p"},
        otherwise=NEEDS_DOCKER_PROXY,
    ),
    Claim(
        id="range-host-mode",
        topic=Topic.PUBLISHING,
        statement="In host mode a range of ports costs nothing: no docker-proxy process starts and no rule is written.",
        source=DOCKER_PROXY,
        observe=observe_proxies(publish(HOST_MODE, " --network host"), HOST_MODE),
        judge=judge_no_processes,
        lines=(publish(HOST_MODE, " --network host"), "pgrep -c docker-proxy"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"docker run -d --network host": "docker run -d"},
        otherwise=NEEDS_DOCKER_PROXY,
    ),
    Claim(
        id="range-rules",
        topic=Topic.PUBLISHING,
        statement="A published range of 10 ports adds 10 DNAT rules: Docker writes no rule for a range.",
        source="Moby, libnetwork/drivers/bridge; iptables-extensions(8), DNAT",
        observe=observe_rules,
        judge=judge_rules,
        lines=(RULES_LINE, "iptables-save -t nat | grep -c DNAT"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"docker run -d -p": "docker run -d --network host -p"},
        otherwise=(
            NO_RULES,
            Expectation(PODMAN, not_testable="Podman writes other rules."),
            Expectation(EngineCondition(gateway_mode="routed"), not_testable="A routed network has no such rules."),
        ),
    ),
    Claim(
        id="range-time",
        topic=Topic.PUBLISHING,
        statement="A container that publishes 20 ports takes more than twice as long to start as one that publishes a "
        "single port.",
        source="Moby, libnetwork/portmapper; Docker documentation, “Host network driver”",
        exact="The shorter of two starts counts, to limit the effect of a busy machine.",
        observe=observe_start,
        judge=judge_start,
        lines=TIMED,
        needs=frozenset({Need.MEASURE}),
        mutation={"8230-8249:8230-8249": "8230:8230", "8290-8309:8290-8309": "8290:8290"},
        otherwise=(
            *NEEDS_DOCKER_PROXY,
            Expectation(
                EngineCondition(iptables=False),
                not_testable="With iptables=false the Engine writes no rules, which take most of the time.",
            ),
        ),
    ),
)
