"""Named LANs: several private hosts and neighbours on one switch, with a router.

Each host keeps the namespaces of the LAN alive. After the last host has ended, for example because the machine was
restarted, the first host that is started again creates them anew. For the requirements, see ``private_host``.
"""

import asyncio
import fcntl
import os
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.daemon_process import find_daemon
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.limits import processes
from dashboard.engine.hosts.registry import LanPlace, PrivateHost, lan_hosts, list_hosts
from dashboard.engine.hosts.runtimes import SEARCH_PATH
from dashboard.interrupts import uninterrupted

MAX_HOSTS = 8
MAX_NEIGHBOURS = 4
#: The smallest and the largest MTU: IPv6 needs 1280 bytes (RFC 8200, section 5), veth carries up to 65535.
MTUS = range(1280, 65536)
MAX_DELAY_MS = 1000
MAX_LOSS_PERCENT = 50
#: Tests the queueing discipline in a network namespace that ends with the command.
NETEM = "ip link add name a type veth peer name b && tc qdisc add dev a root netem delay 1ms"
NETEM_TIMEOUT_S = 10.0
#: How often a process looks whether another one has finished with a LAN, or whether a host has its namespaces.
POLL_S = 0.1


#: Starts an ended host again, on the LAN of another host or, with None, on a new one.
StartAgain = Callable[[PrivateHost, PrivateHost | None], Awaitable[PrivateHost]]


@dataclass(frozen=True, slots=True)
class Lan:
    """A LAN. ``hosts`` are the hosts that run. ``ended`` are the hosts that do not run but have kept their files. Both
    are in the order of the hosts' numbers; only one of them may be empty."""

    name: str
    hosts: tuple[PrivateHost, ...]
    ended: tuple[PrivateHost, ...] = ()

    @property
    def all_hosts(self) -> tuple[PrivateHost, ...]:
        """The running hosts, then the ended ones."""
        return (*self.hosts, *self.ended)

    @property
    def place(self) -> LanPlace:
        """The place of one of the hosts, no matter which. Its number is that of this host; its other fields (such as
        name, neighbours, MTU, delay, loss) are the properties of the LAN."""
        return self.all_hosts[0].lan

    @property
    def missing(self) -> int:
        """The number of its hosts that are still being created or were removed."""
        return max(0, self.place.hosts - len(self.all_hosts))

    @property
    def neighbours(self) -> tuple[tuple[int, tuple[str, str]], ...]:
        """For each neighbour, the inode of its network namespace and its two addresses (IPv4, IPv6). Empty while no
        host runs. Neighbours may be missing while a host is being started or stopped."""
        found = []
        for number in range(self.place.neighbours if self.hosts else 0):
            file = self.hosts[0].folder / f"netns-neighbour{number + 1 if number else ''}"
            with suppress(FileNotFoundError, ValueError):
                found.append((int(file.read_text()), (f"192.0.2.{number + 10}", f"2001:db8::{number + 10}")))
        return tuple(found)


def describe_problem(place: LanPlace, hosts: int) -> str:
    """Returns the reason why a LAN with ``hosts`` hosts and the properties in ``place`` (name, neighbours, MTU, delay,
    loss) cannot be created; empty if it can."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", place.name):
        return "The name of a LAN has 1 to 20 lower-case letters, digits and hyphens, and begins with a letter."
    limits = (
        ("number of hosts", hosts, range(1, MAX_HOSTS + 1)),
        ("number of neighbours", place.neighbours, range(1, MAX_NEIGHBOURS + 1)),
        ("MTU", place.mtu, MTUS),
        ("delay in milliseconds", place.delay_ms, range(MAX_DELAY_MS + 1)),
        ("loss in percent", place.loss_percent, range(MAX_LOSS_PERCENT + 1)),
    )
    for what, value, allowed in limits:
        if value not in allowed:
            return f"The {what} must be from {allowed.start} to {allowed.stop - 1}, not {value}."
    return ""


def netem_refusal() -> str:
    """Returns the reason why links cannot have delay and loss on this machine; empty if they can. Blocks."""
    try:
        done = subprocess.run(
            ["unshare", "--net", "--", "sh", "-c", NETEM],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=NETEM_TIMEOUT_S,
            env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        return f"tc netem did not answer within {NETEM_TIMEOUT_S:g} s: try again, or leave out delay and loss."
    if done.returncode == 0:
        return ""
    reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return f"This kernel cannot delay or lose packets (tc netem: {reason[:200]}): leave out delay and loss."


def lans_of(hosts: Iterable[PrivateHost], ended: Iterable[PrivateHost] = ()) -> tuple[Lan, ...]:
    """Returns the named LANs to which these hosts belong, sorted by name. ``hosts`` are the running hosts, ``ended``
    the others."""
    found: dict[str, tuple[list[PrivateHost], list[PrivateHost]]] = {}
    for kind, several in enumerate((hosts, ended)):
        for host in several:
            if host.lan.name:
                found.setdefault(host.lan.name, ([], []))[kind].append(host)
    return tuple(Lan(name, *map(_by_number, found[name])) for name in sorted(found))


def _by_number(hosts: Iterable[PrivateHost]) -> tuple[PrivateHost, ...]:
    return tuple(sorted(hosts, key=lambda host: host.lan.number))


def list_lans(data_dir: Path) -> tuple[Lan, ...]:
    """Returns the named LANs of a data folder, sorted by name. Each has at least one host that runs or has kept its
    files."""
    running = list_hosts(data_dir)
    ids = {host.id for host in running}
    return lans_of(running, (host for host in lan_hosts(data_dir) if host.id not in ids))


def other_hosts(data_dir: Path, endpoint: str) -> tuple[PrivateHost, ...]:
    """Returns the other running hosts on the named LAN of the host whose engine is at ``endpoint``; empty if that host
    is not on a named LAN."""
    for lan in list_lans(data_dir):
        others = tuple(host for host in lan.hosts if host.endpoint != endpoint)
        if len(others) < len(lan.hosts):
            return others
    return ()


async def create_lan(data_dir: Path, place: LanPlace, count: int, limits: HostLimits | None = None) -> Lan:
    """Creates a LAN with ``count`` hosts, each with these ``limits``. ``place`` contains the LAN's name, neighbours,
    MTU, delay and loss. Raises PrivateHostError and leaves nothing if a host cannot be started, or if a LAN with this
    name exists."""
    place = replace(place, hosts=count)
    async with _only_one(data_dir, place.name):
        if any(host.lan.name == place.name for host in await asyncio.to_thread(lan_hosts, data_dir)):
            raise private_host.PrivateHostError(
                f"The LAN {place.name} already exists: choose another name, or remove it first."
            )
        first = await private_host.start(data_dir, lan=replace(place, number=1), limits=limits)
        hosts = [first]

        async def join(number: int) -> None:
            started = await private_host.start(data_dir, lan=replace(place, number=number), joined=first, limits=limits)
            hosts.append(started)

        joining = [asyncio.ensure_future(join(number)) for number in range(2, count + 1)]
        try:
            await asyncio.gather(*joining)
        except BaseException:
            await uninterrupted(undo_starts(joining, hosts))
            raise
        return Lan(place.name, _by_number(hosts))


async def _cancel(starts: Iterable[asyncio.Future[Any]]) -> None:
    """Cancels starts of hosts, and waits until they have removed what they created."""
    for start in starts:
        start.cancel()
    await asyncio.gather(*starts, return_exceptions=True)


async def undo_starts(starts: Iterable[asyncio.Future[Any]], hosts: Collection[PrivateHost]) -> None:
    """Cancels ``starts``, which add hosts to ``hosts``. Once they have ended, stops and removes these hosts."""
    await _cancel(starts)
    await stop_hosts(hosts)


async def start_lan_again(data_dir: Path, name: str, start: StartAgain) -> None:
    """Starts the ended hosts of a LAN again, by calling ``start`` for each. If no host of the LAN runs, the first one
    that starts creates the namespaces of the LAN, and the others join it. If a host does not start, raises
    PrivateHostError after all others have been started."""
    async with _only_one(data_dir, name):
        lan = next((lan for lan in await asyncio.to_thread(list_lans, data_dir) if lan.name == name), Lan(name, ()))
        joined = lan.hosts[0] if lan.hosts else None
        starts: list[asyncio.Future[PrivateHost]] = []
        try:
            for host in lan.ended:
                starts.append(asyncio.ensure_future(start(host, joined)))
                joined = joined or await _joinable(host, starts[-1])
            results = await asyncio.gather(*starts, return_exceptions=True)
        except BaseException:
            await uninterrupted(_cancel(starts))
            raise
        for result in results:
            if isinstance(result, BaseException):
                raise result


async def _joinable(host: PrivateHost, start: asyncio.Future[PrivateHost]) -> PrivateHost | None:
    """Waits until other hosts can join ``host``, and returns ``host`` with the pid of its dockerd. ``start`` is the
    task that starts it. Returns None if it does not start.

    Others can join as soon as dockerd listens: by then the host holds the namespaces of the LAN. The engine may answer
    much later, because a member of a swarm waits for the other managers (moby, daemon/cluster).
    """
    while not start.done():
        pid = await asyncio.to_thread(find_daemon, host.endpoint)
        if pid in await asyncio.to_thread(processes, host.name):
            return replace(host, pid=pid or 0)
        await asyncio.wait([start], timeout=POLL_S)
    return None if start.cancelled() or start.exception() else start.result()


@asynccontextmanager
async def _only_one(data_dir: Path, name: str) -> AsyncIterator[None]:
    """Holds a lock on the LAN within the ``async with`` block. Waits until no other process creates the LAN, starts its
    hosts or removes it. The kernel releases the lock when a process ends."""
    file = data_dir / f"lan-{name}.lock"
    while True:
        with file.open("w") as lock:
            if _is_locked(lock, file):
                try:
                    yield
                finally:
                    file.unlink(missing_ok=True)
                return
        await asyncio.sleep(POLL_S)


def _is_locked(lock: IO[str], file: Path) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The previous holder has removed the file: a lock on the removed file does not count.
        return os.path.samestat(os.fstat(lock.fileno()), file.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


async def remove_lan(data_dir: Path, lan: Lan) -> None:
    """Stops and removes all hosts of a LAN. This includes hosts that were created after the caller listed them, but not
    the hosts of a later LAN with the same name. If the caller is cancelled, this stops waiting for the lock, but
    completes a removal that has begun."""
    async with _only_one(data_dir, lan.name):
        hosts = {host.id: host for host in lan.all_hosts}
        for now in await asyncio.to_thread(list_lans, data_dir):
            found = {host.id: host for host in now.all_hosts}
            if hosts.keys() & found.keys():
                hosts |= found
        await uninterrupted(stop_hosts(hosts.values()))


async def stop_hosts(hosts: Iterable[PrivateHost]) -> None:
    """Stops hosts and removes their files. A LAN ends with its last host. If some cannot be removed, raises
    PrivateHostError after the others have been removed."""
    results = await asyncio.gather(*map(private_host.stop, hosts), return_exceptions=True)
    failures = [result for result in results if result is not None]
    for failure in failures:
        if not isinstance(failure, OSError):
            raise failure
    if failures:
        reasons = "; ".join(map(str, failures))
        raise private_host.PrivateHostError(f"Private hosts cannot be removed: {reasons}. Try again.")
