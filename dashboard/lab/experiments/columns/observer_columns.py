"""Observes the columns of an experiment that are not arms: the machine, the neighbour, another host."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from dashboard.core.experiments.initial_columns import initial_columns
from dashboard.core.experiments.journal import Cause, Facts, Source
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import MACHINE, NEIGHBOUR, ROOTLESS_NETNS
from dashboard.lab.context import Context
from dashboard.lab.experiments.columns.neighbour import BESIDE, find_neighbour, is_rootless_podman
from dashboard.lab.experiments.columns.other_host import OtherHost, find_other_host
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.lab.experiments.recorder import Recorder
from dashboard.netns.namespace import NamespaceGone
from dashboard.store.experiments import Record

OBSERVED = Cause(Source.LAB, "observe")


async def columns_of_round(context: Context, record: Record) -> tuple[Column, ...]:
    """Returns the columns of a round that begins: those of its arms, and those of the machine, the neighbour and the
    other host, if they exist."""
    info, has_neighbour = context.info, await asyncio.to_thread(find_neighbour, context) is not None
    return initial_columns(
        record.id,
        record.spec.arms,
        info.kind,
        info.machine_title,
        neighbour=has_neighbour,
        other_host=has_neighbour and await asyncio.to_thread(find_other_host, context) is not None,
        rootless_netns=is_rootless_podman(info),
        facts=context.reported_engine,
        whole=record.parent,
    )


class ObserverColumns:
    """The columns of one experiment that are not arms. Repeated calls of its methods are harmless: what is observed
    already is not recorded again."""

    def __init__(self, context: Context, experiment: str, recorder: Recorder, observer: Observer) -> None:
        self._context = context
        self._recorder = recorder
        self._observer = observer
        #: Another private host on the LAN, and the client container there.
        self.other_host = OtherHost(context, experiment, recorder, observer)

    async def observe_machine(self) -> None:
        """Observes the machine's network stack. If it cannot be read, records why in the machine's column."""
        info = self._context.info
        pid, invisible = info.pid, info.invisible
        if self._recorder.column(MACHINE).invisible != invisible:
            column = replace(self._recorder.column(MACHINE), invisible=invisible)
            self._recorder.show(column, OBSERVED)
        if pid is None:
            return
        files = ("/etc/resolv.conf", "/etc/hosts")
        target = ObservationTarget(
            MACHINE, pid, MACHINE, *files, firewall_backend=info.firewall_backend, netns=info.netns
        )
        if self._observer.target(MACHINE) == target:
            return
        known = self._recorder.view.states.get(MACHINE)
        state = await self._observer.add(target, known.lookups if known else ())
        self._recorder.observed(self._recorder.column(MACHINE), state, OBSERVED)

    async def observe_other_namespaces(self) -> None:
        """Observes the neighbour and, while containers use it, the namespace of a rootless Podman's bridges."""
        columns = self._recorder.view.columns
        for column in [one for one in columns if one.key in BESIDE and one.mode in {NEIGHBOUR, MACHINE}]:
            target = await asyncio.to_thread(BESIDE[column.key], self._context)
            if target is not None and self._observer.target(column.key) != target:
                with suppress(NamespaceGone):  # the host has ended, or the last container on a bridge
                    self._recorder.observed(column, await self._observer.add(target), OBSERVED)
            elif target is None and column.key == ROOTLESS_NETNS and column.key in self._recorder.view.states:
                await self._observer.remove(column.key)
                self._recorder.journal.append(OBSERVED, Facts(forgotten=(column.key,)), "", (column.key,))
