"""``./netmodes doctor``: reports which modes the engine and the kernel support, and why other modes are unavailable."""

import asyncio
import os
import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress

from dashboard import configuration
from dashboard.core.experiments.availability import EngineTraits, availability, parse_version
from dashboard.core.experiments.engine_kind import EngineKind, describe_engine, describe_podman
from dashboard.core.experiments.messages import Check, Doctor, ModeReport
from dashboard.core.modes import Mode, Unavailable
from dashboard.core.namespaces.links import parent_link
from dashboard.core.namespaces.visibility import ROOTLESS_TITLE
from dashboard.engine.daemon_process import port_namespaces
from dashboard.engine.hosts import disk
from dashboard.engine.hosts.limits import missing_controllers
from dashboard.engine.hosts.programs import engine_options, engine_root, engine_setup, missing_requirement
from dashboard.engine.hosts.runtimes import Runtime, sharing_refusal, suitable_runtime
from dashboard.engine.hosts.syscall_filter import filter_refusal
from dashboard.engine.lans.lan import list_lans
from dashboard.engine.protocol import Engine, EngineError, EngineInfo
from dashboard.lab.engine.daemon_options import read_daemon_options
from dashboard.netns.kernel import can_enter_namespaces, link_kinds
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.interfaces import read_interfaces, read_routes
from dashboard.netns.netlink.listeners import read_listeners

TOOLS = {"ip": "iproute2", "ss": "iproute2", "netstat": "net-tools", "nslookup": "busybox", "nsenter": "util-linux"}
#: The effects of ``iptables=false`` other than on published ports (dockerd(8), ``--iptables``).
NO_RULES = (
    "the Engine sets no rules (iptables=false): it does not isolate its networks from each other, and does not "
    "masquerade requests from containers to other machines"
)


def _has_parent(pid: int, path: str) -> bool:
    """Returns whether the machine has a link on which a launch can base macvlan and ipvlan networks.

    ``pid`` is the pid of the engine's daemon. ``path`` is the path of the machine's namespace as the daemon sees it. If
    ``path`` is empty, the namespace of the daemon itself is read.
    """
    with Namespace.of_machine(pid, path) as namespace:
        return parent_link(read_interfaces(namespace), read_routes(namespace)) is not None


def free_port(info: EngineInfo, first: int = 8080, reserved: Collection[int] = (), count: int = 1) -> int:
    """Returns the lowest port, from ``first`` on, that is not ``reserved`` and on which no process listens where the
    Engine ``info`` binds published ports. The same holds for the ports after it, ``count`` in total. Listeners that
    cannot be read are ignored."""
    taken = set(reserved)
    for pid, path in port_namespaces(info):
        with suppress(OSError, NamespaceGone), Namespace.of_machine(pid, path) as namespace:
            taken |= {listener.port for listener in read_listeners(namespace)}
    return next(port for port in range(first, 65537 - count) if taken.isdisjoint(range(port, port + count)))


async def modes_of(engine: Engine, info: EngineInfo) -> tuple[ModeReport, ...]:
    """Returns one report per mode: whether the engine and the kernel support it, with the reason if they do not. Raises
    EngineError."""
    # Which links the kernel of another machine supports cannot be tried from here.
    kinds = {} if info.invisible else await asyncio.to_thread(link_kinds)
    has_parent = False
    if info.pid is not None:
        with suppress(OSError, NamespaceGone):
            has_parent = await asyncio.to_thread(_has_parent, info.pid, info.netns)
    networks = await engine.networks({})
    traits = EngineTraits(
        version=info.version,
        desktop=info.desktop,
        rootless=info.rootless,
        userns_remap=info.userns_remap,
        swarm_active=info.swarm_active,
        network_plugins=info.network_plugins,
        default_bridge=any(network.name == "bridge" for network in networks),
        nftables=info.nftables,
        desktop_version=parse_version(info.platform.removeprefix("Docker Desktop ")) if info.desktop else (0, 0),
        invisible=info.invisible,
        kind=info.kind,
        programs=info.programs,
    )
    modes = availability(traits, kinds, has_parent=has_parent)
    return tuple(
        ModeReport(mode, available=False, reason=result.reason)
        if isinstance(result, Unavailable)
        else ModeReport(mode, available=True, note=result.note)
        for mode, result in modes.items()
    )


def _tools() -> list[Check]:
    return [
        Check(tool, path is not None, path or f"missing: apt-get install {package}")
        for tool, package in TOOLS.items()
        for path in [shutil.which(tool) or (shutil.which("busybox") if tool == "nslookup" else None)]
    ]


def unavailable_report(problem: str, checks: Sequence[Check] = ()) -> Doctor:
    """Returns the doctor's report for an engine that does not answer. ``problem`` is the reason, and ``checks`` are the
    checks of the machine, which need no engine."""
    reports = tuple(ModeReport(mode, available=False, reason="No Docker Engine answers.") for mode in Mode)
    return Doctor(None, reports, (Check("engine", ok=False, detail=problem), *checks))


def _machine_check(info: EngineInfo) -> Check:
    if info.invisible:
        detail = (
            f"network stacks are not visible: {info.invisible}. Experiments show only what the Engine's API reports."
        )
        return Check("machine", ok=False, detail=detail)
    detail = f"the engine is process {info.pid} of this machine"
    if info.machine_title == ROOTLESS_TITLE:
        detail += f". {info.notice}"
    return Check("machine", ok=True, detail=detail)


def _host_check() -> Check:
    """Checks whether private hosts can be started. The detail of the check also states whether root of a private host
    is root of this machine."""
    problem = missing_requirement(engine_root(), engine_setup())
    if problem:
        return Check("private hosts", ok=False, detail=problem)
    if suitable_runtime(engine_setup(), engine_options()) is Runtime.USER_NAMESPACE:
        detail = "root of a private host is an ordinary user of this machine"
        reason = sharing_refusal(configuration.data_dir())
        copies = f"each has a copy of the lab image, because its layers cannot be shared ({reason})" if reason else ""
        reason = disk.refusal(configuration.data_dir())
        unlimited = f"their disks are not limited ({reason})" if reason else ""
        parts = (detail, filter_refusal(), copies, unlimited, _missing_limits())
        return Check("private hosts", ok=True, detail="; ".join(filter(None, parts)))
    detail = "root of a private host is root of this machine: give it only to people who may be root on the machine"
    return Check("private hosts", ok=True, detail="; ".join(filter(None, (detail, _missing_limits()))))


def _missing_limits() -> str:
    """Returns a statement about the limits that this machine cannot impose on private hosts; empty if it can impose
    all."""
    missing = ", ".join(missing_controllers())
    return f"no limits of {missing}: this machine lacks the cgroup controllers" if missing else ""


def _lan_checks() -> list[Check]:
    """Returns one check per LAN, which states how many of its hosts run. The check fails if a host has ended."""
    checks = []
    for lan in list_lans(configuration.data_dir()):
        running, ended = len(lan.hosts), len(lan.ended)
        detail = f"running private hosts: {running}"
        if ended:
            detail += (
                f"; ended: {ended}. The server starts them again, or run "
                f"{configuration.COMMAND} lan start {lan.name}, or remove the LAN: "
                f"{configuration.COMMAND} lan remove {lan.name}"
            )
        checks.append(Check(f"LAN {lan.name}", ok=not ended, detail=detail))
    return checks


async def examine(engine: Engine, *, private: bool) -> Doctor:
    """Checks the machine and the engine, and returns the report. The report's JSON format is ``doctor/1``.

    ``private`` is true if the engine runs on a private host. If the engine does not answer, the report states that; no
    exception is raised.
    """
    may_enter = await asyncio.to_thread(can_enter_namespaces)
    checks = [
        Check("root", os.geteuid() == 0, "runs as root" if os.geteuid() == 0 else "not root: run sudo ./netmodes up"),
        Check(
            "namespaces",
            may_enter,
            "namespaces can be entered"
            if may_enter
            else "entering network namespaces requires root: run sudo ./netmodes up",
        ),
        *_tools(),
        await asyncio.to_thread(_host_check),
        *await asyncio.to_thread(_lan_checks),
    ]
    try:
        info = await engine.info()
        modes = await modes_of(engine, info)
    except EngineError as error:
        return unavailable_report(str(error), checks)
    checks.insert(0, Check("engine", ok=True, detail=f"{describe_engine(info.kind, info.version)} at {info.endpoint}"))
    checks.append(_machine_check(info))
    options = await asyncio.to_thread(read_daemon_options, info.pid)
    if info.kind is EngineKind.DOCKER and options.iptables is False:
        forwarded = "nothing forwards" if options.userland_proxy is False else "only docker-proxy forwards"
        checks.append(Check("firewall", ok=True, detail=f"{NO_RULES}: {forwarded} published ports"))
    if info.kind is EngineKind.PODMAN:
        checks.append(Check("podman", ok=True, detail=describe_podman(info.programs, rootless=info.rootless)))
    return Doctor(info.reference(private=private), modes, tuple(checks))
