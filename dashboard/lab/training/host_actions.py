"""Performs actions on the private hosts of groups (start, restart, adopt, stop, give up, reset), and records the
results."""

import asyncio
import contextlib
import logging
import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.db import DatabaseError

from dashboard.core.training.capacity import parallel_starts
from dashboard.core.training.host_plan import ActionKind, DesiredState, HostAction, HostRecord, HostStage, ObservedHost
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.cleanup import kill_everything
from dashboard.engine.hosts.disk import DamagedDiskError
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.registry import PrivateHost, group_hosts
from dashboard.engine.hosts.template import HostTemplate, host_template
from dashboard.engine.protocol import EngineError
from dashboard.lab.context import Context
from dashboard.lab.engine.restart import finish_starts, start_with_containers
from dashboard.lab.training.group_labs import GroupLabs
from dashboard.lab.training.repeated_steps import repeat_steps
from dashboard.store.training import hosts as group_host_store

log = logging.getLogger(__name__)
READY_S = 60.0
#: Options of the daemon that limit the size of containers' logs, because the disk is not cleaned up during a session.
DAEMON: dict[str, Any] = {"log-driver": "json-file", "log-opts": {"max-size": "1m", "max-file": "2"}}
INTERRUPTED = "Your host was moved to another machine. Repeating your steps there was interrupted. Do the rest again."
RESTARTED = "The engine exited and was restarted. Containers that were running were started again."
SERVER_STOPPED = "The server was stopped."


class HostActions:
    """Holds the private hosts of groups on this machine by id (``hosts``), and performs actions on them.
    ``engine_exits`` contains the times at which each group's engine has ended."""

    def __init__(self, context: Context, labs: GroupLabs, cores: int) -> None:
        self._context = context
        self._labs = labs
        self._slots = asyncio.Semaphore(parallel_starts(cores))
        self._template: HostTemplate | None = None
        self._template_lock = asyncio.Lock()
        self.hosts: dict[str, PrivateHost] = {}
        self.engine_exits: dict[str, list[float]] = defaultdict(list)

    @property
    def has_template(self) -> bool:
        """Whether the template from which hosts are started has been prepared."""
        return self._template is not None

    async def adopt_all(self, recorded: set[str]) -> None:
        """Adopts the hosts that an earlier server has left and whose ids are ``recorded`` in the database. Removes all
        other hosts of groups."""
        await private_host.adopt(self._context.data_dir)
        unknown = []
        for host in await asyncio.to_thread(group_hosts, self._context.data_dir):
            if host.id not in recorded:
                unknown.append(host)
                continue
            self.hosts[host.id] = host
            if not host.netns:  # the earlier server ended while it started the host again
                try:
                    await asyncio.to_thread(kill_everything, host.name)
                except OSError as error:
                    log.warning("the private host %s cannot be stopped: %s", host.id, error)
            elif host.is_running():
                self._labs.add(host)
        await self._remove_all(unknown)

    async def stop_all(self) -> None:
        """Stops and removes all hosts. Records those that are still wanted as queued, so that the next server starts
        them again."""
        try:
            await self._remove_all(list(self.hosts.values()))
            records = await self._context.database.run(group_host_store.load_all, self._context.clock())
            for record in records:
                if record.host:
                    stage = HostStage.QUEUED if record.desired is not DesiredState.STOPPED else HostStage.STOPPED
                    await self._note_end(record, stage, record.desired, SERVER_STOPPED)
        except DatabaseError as error:
            log.warning("the end of the private hosts could not be recorded: %s", error)

    def observe(self) -> dict[str, ObservedHost]:
        """Returns whether each host runs and when it was started, by host id. Forgets hosts whose folder no longer
        exists."""
        self.hosts = {key: host for key, host in self.hosts.items() if host.folder.exists()}
        return {host.id: ObservedHost(host.is_running(), host.started) for host in self.hosts.values()}

    async def prepare_template(self) -> None:
        """Prepares the template from which hosts are started. A failure is ignored: the start of a host tries again."""
        with contextlib.suppress(PrivateHostError, EngineError):
            await self._get_template()

    async def perform(self, action: HostAction, record: HostRecord) -> None:
        """Performs one action on a group's host. ``record`` is the host's record in the database. A failure is stored
        there, not raised."""
        try:
            match action.kind:
                case ActionKind.START:
                    await self._start(record)
                case ActionKind.RESTART:
                    await self._restart(record)
                case ActionKind.ADOPT:
                    await finish_starts([self.hosts[record.host]])
                    await self._note_ready(self.hosts[record.host], record, INTERRUPTED if record.is_moved else "")
                case ActionKind.STOP:
                    await self._stop(record, HostStage.STOPPED, DesiredState.STOPPED, action.reason)
                case ActionKind.GIVE_UP:
                    await self._stop(record, HostStage.FAILED, record.desired, action.reason)
                case ActionKind.RESET:
                    await self._note(record.group, is_moved=False)  # a clean host is wanted, without the steps
                    await self._stop(record, HostStage.QUEUED, DesiredState.RUNNING, "The host was reset.")
                    await self._start(replace(record, host="", is_moved=False))
        except (PrivateHostError, EngineError) as error:
            log.warning("the host of %s failed: %s", record.group, error)
            cause = error.__cause__
            if (
                action.kind is ActionKind.RESTART
                and isinstance(cause, OSError)
                and not isinstance(cause, DamagedDiskError)
            ):
                # The machine lacks a resource now. The host keeps its files, so that the next request can start it.
                self.engine_exits[record.group].pop()  # the engine has not run again: the next attempt counts its exit
                await self._note(record.group, state=HostStage.FAILED, reason=str(error)[:400])
                return
            await self._stop(record, HostStage.FAILED, record.desired, str(error)[:400])
        except Exception as error:
            log.exception("an action on the host of %s failed", record.group)
            await self._note(record.group, state=HostStage.FAILED, reason=f"Internal error: {error}."[:400])

    async def remove(self, host: PrivateHost) -> None:
        """Stops a host and removes its files, even if its end cannot be recorded in the database."""
        try:
            await self._labs.forget(host.id, "Its private host was stopped.")
        finally:
            await private_host.stop(host)
            self.hosts.pop(host.id, None)

    async def _remove_all(self, hosts: Iterable[PrivateHost]) -> None:
        """Removes all ``hosts``. If a host cannot be removed, this is only logged: the next server tries again."""
        results = await asyncio.gather(*map(self.remove, hosts), return_exceptions=True)
        for failure in filter(None, results):
            if not isinstance(failure, OSError):
                raise failure
            log.warning("a private host cannot be removed: %s", failure)

    async def _get_template(self) -> HostTemplate:
        async with self._template_lock:
            if self._template is None:
                self._template = await host_template(self._context.data_dir)
            return self._template

    async def _note(self, group: str, **fields: Any) -> None:
        fields = {name: str(value) if isinstance(value, HostStage) else value for name, value in fields.items()}
        await self._context.database.run(group_host_store.note, group, since=self._context.clock(), **fields)

    async def _note_end(self, record: HostRecord, stage: HostStage, desired: DesiredState, reason: str) -> None:
        await self._labs.mark_stopped(record.host, f"Its private host no longer exists. {reason}")
        changes = (record.desired, stage, desired, reason, self._context.clock())
        await self._context.database.run(group_host_store.note_end, record.group, *changes)

    async def _start(self, record: HostRecord) -> None:
        await self._labs.mark_stopped(record.host, "Its private host no longer exists.")
        template = await self._get_template()
        async with self._slots:
            identity = secrets.token_hex(4)
            # Recorded before the start, so that after a crash the remains of the host belong to this record.
            await self._note(record.group, state=HostStage.STARTING, host=identity, reason="")
            host = await private_host.start(
                self._context.data_dir,
                identity,
                daemon=DAEMON,
                limits=record.limits,
                template=template,
                group=record.group,
                ready_s=READY_S,
                started=self._context.clock(),
            )
        await self._note_ready(host, record, await self._repeat_steps(host, record) if record.is_moved else "")

    async def _repeat_steps(self, host: PrivateHost, record: HostRecord) -> str:
        """Repeats the steps of a group on its new host ``host``; the group's earlier host was on another machine.
        Returns a sentence about the result."""
        self.hosts[host.id] = host
        self._labs.add(host)
        await self._note(record.group, reason="Your steps are being repeated on the new host.")
        sentence = await repeat_steps(await self._labs.context_of(host.id), record.group)
        return f"Your host was moved to another machine. {sentence}"

    async def _note_ready(self, host: PrivateHost, record: HostRecord, reason: str = "") -> None:
        self.hosts[host.id] = host
        self._labs.add(host)
        await self._note(record.group, state=HostStage.READY, socket=host.socket, reason=reason, is_moved=False)

    async def _restart(self, record: HostRecord) -> None:
        exited = self.hosts[record.host]
        self.engine_exits[record.group] = [*self.engine_exits[record.group][-9:], self._context.clock()]
        await self._note(record.group, state=HostStage.STARTING, reason="The engine exited and is being restarted.")
        host = await start_with_containers(exited, record.limits, READY_S, slot=self._slots)
        await self._note_ready(host, record, INTERRUPTED if record.is_moved else RESTARTED)

    async def _stop(self, record: HostRecord, stage: HostStage, desired: DesiredState, reason: str) -> None:
        host = self.hosts.get(record.host)
        if host is not None:
            await self.remove(host)
        self.engine_exits.pop(record.group, None)
        await self._note_end(record, stage, desired, reason)
