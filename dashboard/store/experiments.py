"""Queries of experiments."""

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from django.db import transaction
from django.db.models import Q, QuerySet

from dashboard.core.experiments.drafts import default_title
from dashboard.core.experiments.initial_columns import initial_columns
from dashboard.core.experiments.journal import View
from dashboard.core.experiments.lifecycle import Wanted, container_name
from dashboard.core.experiments.messages import ENDED, ExperimentHead, Phase
from dashboard.core.modes import ExperimentSpec
from dashboard.models import Arm, Experiment
from dashboard.store import recent_entries
from dashboard.store.machines import here, is_revoked, require_open
from dashboard.store.operations.audit import audited, creates, note
from dashboard.store.operations.storage import require_space


@dataclass(frozen=True, slots=True)
class Record:
    """A row of ``Experiment`` as an immutable value. ``launched`` maps keys of arms to the ids of their containers."""

    id: str
    title: str
    spec: ExperimentSpec
    wanted: Wanted
    round: int
    phase: Phase
    driver: str
    created_at: float
    launched: dict[str, str]
    host: str = ""
    machine: str | None = None
    journal_entries: int = 0
    journal_bytes: int = 0
    parts: str = ""
    parent: str | None = None


def _process(pid: int) -> str:
    """Returns the identity of a process as ``PID:START:BOOT``, because pids are reused. ``START`` is in clock ticks
    since the boot (proc_pid_stat(5), field 22): unlike a time of day, it stays the same when the machine's clock is
    set. ``BOOT`` is the beginning of the kernel's boot id. Raises OSError if the process does not exist."""
    started = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    return f"{pid}:{started}:{boot[:8]}"


def this_process() -> str:
    """Returns the identity of this process."""
    return _process(os.getpid())


def is_alive(driver: str) -> bool:
    """Whether the process with this identity, as returned by ``this_process``, still runs."""
    try:
        return _process(int(driver.partition(":")[0])) == driver
    except (OSError, ValueError):
        return False


def _record(row: Experiment) -> Record:
    return Record(
        id=row.id,
        title=row.title,
        spec=msgspec.json.decode(row.spec, type=ExperimentSpec),
        wanted=Wanted(row.wanted),
        round=row.round,
        phase=Phase(row.phase),
        driver=row.driver,
        created_at=row.created_at.timestamp(),
        launched={arm.key: arm.container_id for arm in row.arms.all() if arm.container_id},
        host=row.host,
        machine=row.machine_id,
        journal_entries=row.journal_entries,
        journal_bytes=row.journal_bytes,
        parts=row.parts,
        parent=row.parent_id,
    )


@creates
def create_experiment(
    spec: ExperimentSpec,
    owner_id: int | None = None,
    driver: str = "",
    host: str = "",
    group: str = "",
    machine: str | None = None,
    parent: str | None = None,
) -> str:
    """Stores an experiment with its arms, and returns its id. ``driver`` is the process of the command that drives it,
    empty if a lab does. ``host`` is the id of a private host, empty for the engine of ``machine``, by default this one.
    ``parent`` is the id of the experiment that this one is a part of. Raises NoSpaceError if the disk is too full."""
    require_space()
    with transaction.atomic():
        row = Experiment.objects.create(
            title=spec.title[:200],
            spec=msgspec.json.encode(spec).decode(),
            owner_id=owner_id,
            driver=driver,
            machine_id=machine or here(),
            host=host,
            group=group,
            parent_id=parent,
        )
        Arm.objects.bulk_create(
            Arm(experiment=row, key=arm.key, position=number, container_name=container_name(row.id, arm.key))
            for number, arm in enumerate(spec.arms)
        )
    return row.id


@audited
def set_wanted(experiment: str, wanted: Wanted, *, again: bool = False, new_round: int = 0) -> bool:
    """Stores the wanted state of an experiment. If ``again`` is true, its arms are launched again; raises NoSpaceError
    or MachineClosedError if that is not possible. ``new_round`` is the least number of the new round. Returns False if
    the experiment does not exist or is being removed. If ``wanted`` is removed and the machine is revoked, deletes the
    experiment at once, because no lab would."""
    if again:
        require_space()
    with transaction.atomic():
        row = Experiment.objects.select_for_update().exclude(wanted=Wanted.REMOVED).filter(pk=experiment).first()
        if row is None:
            return False
        if again:
            require_open(row.machine_id, for_group=bool(row.group))
        if wanted is Wanted.REMOVED and is_revoked(row.machine_id):
            delete(row.pk)
            return True
        row.wanted = wanted
        changed = ["wanted", "round"]
        if again:
            row.round = max(row.round + 1, new_round)
            row.arms.update(container_id="")
            if row.phase in ENDED:
                # No longer an ended phase: retention must not delete the experiment before the lab has begun the round.
                row.phase = Phase.WAITING
                changed.append("phase")
        row.save(update_fields=changed)
    return True


def rename(experiment: str, title: str) -> str | None:
    """Changes the name of an experiment, of its parts on several machines, and of its later reports and measurements.
    Returns the new name. An empty ``title`` restores the default name. Returns None if the experiment does not exist or
    is being removed."""
    with transaction.atomic():
        row = Experiment.objects.select_for_update().exclude(wanted=Wanted.REMOVED).filter(pk=experiment).first()
        if row is None:
            return None
        spec = msgspec.json.decode(row.spec, type=ExperimentSpec)
        spec = replace(spec, title=title or default_title(spec.image, spec.port))
        for named in (row, *Experiment.objects.select_for_update().filter(parent=row).order_by("pk")):
            named.title = spec.title
            with suppress(msgspec.MsgspecError):  # the lab of another machine may have written an invalid part
                own = msgspec.json.decode(named.spec, type=ExperimentSpec)
                named.spec = msgspec.json.encode(replace(own, title=spec.title)).decode()
            named.save(update_fields=["title", "spec"])
        note()
    return spec.title


def lan_host(experiment: str) -> str:
    """The id of the private host on which an experiment runs or ran, if that host is on a LAN; otherwise empty."""
    rows = Experiment.objects.filter(pk=experiment, group="", machine=None)
    return rows.values_list("host", flat=True).first() or ""


def exists(experiment: str) -> bool:
    """Whether the experiment exists and is not being removed."""
    return Experiment.objects.filter(pk=experiment).exclude(wanted=Wanted.REMOVED).exists()


def load(experiment: str) -> Record | None:
    """The experiment with this id; None if it does not exist."""
    return next(iter(load_all((experiment,))), None)


def load_all(experiments: Collection[str]) -> tuple[Record, ...]:
    """The experiments with these ids. Ids without an experiment are ignored."""
    return tuple(_record(row) for row in Experiment.objects.filter(pk__in=experiments).prefetch_related("arms"))


def waiting_head(record: Record) -> ExperimentHead:
    """The ``ExperimentHead`` (title, phase, times) of an experiment whose journal is still empty."""
    spec = record.spec
    return ExperimentHead(record.id, record.title, spec.image, spec.port, Phase.WAITING, record.created_at)


def waiting_view(record: Record) -> View:
    """The ``View`` (head and columns) of an experiment whose journal is still empty."""
    return View(0, waiting_head(record), initial_columns(record.id, record.spec.arms))


def unsettled_anywhere() -> QuerySet[Experiment]:
    """A query for the unsettled experiments of all machines: those that run, should run or are not cleaned up yet, not
    those that failed. Of an experiment on several machines, selects the parts."""
    settled = Q(wanted=Wanted.STOPPED, phase__in=ENDED) | Q(wanted=Wanted.RUNNING, phase=Phase.FAILED)
    return Experiment.objects.exclude(settled).filter(parts="")


def unsettled(machine: str | None) -> QuerySet[Experiment]:
    """Like ``unsettled_anywhere``, but only those of one machine; None is the installation's own."""
    return unsettled_anywhere().filter(machine=machine)


def load_unsettled(host: str = "") -> tuple[Record, ...]:
    """The unsettled experiments on this machine's private host ``host`` or, if it is empty, on the machine's engine."""
    return load_unsettled_of(here(), host)


def load_unsettled_of(machine: str | None, host: str) -> tuple[Record, ...]:
    """Like ``load_unsettled``, but for any machine; None is the installation's own."""
    return tuple(_record(row) for row in unsettled(machine).filter(host=host).prefetch_related("arms"))


def remember_container(experiment: str, arm: str, container: str, *, of_round: int | None = None) -> None:
    """Stores the id of an arm's container. If ``of_round`` is given, does nothing once the experiment was launched
    again after this round: the lab would take the arm of the new round for launched already."""
    with transaction.atomic():
        # Locked, as in ``set_wanted``: PostgreSQL would compare the round from before a launch that is being stored.
        rows = Experiment.objects.select_for_update().filter(pk=experiment)
        if (rows if of_round is None else rows.filter(round=of_round)).values("pk").first() is not None:
            Arm.objects.filter(experiment_id=experiment, key=arm).update(container_id=container)


def save_head(
    experiment: str, head: ExperimentHead, shown_seq: int | None = None, *, of_round: int | None = None
) -> None:
    """Stores the head (title, phase, times) in the experiment's row, so that lists need not replay the journal.
    ``shown_seq`` is the number of the journal entry that an ended experiment shows; None leaves it unchanged. If
    ``of_round`` is given, does nothing once the experiment was launched again after this round: no lab would begin the
    new round of a row whose phase has ended."""
    fields: dict[str, object] = {"head": msgspec.json.encode(head).decode(), "phase": str(head.phase)}
    if shown_seq is not None:
        fields["shown_seq"] = shown_seq
    rows = Experiment.objects.filter(pk=experiment)
    (rows if of_round is None else rows.filter(round=of_round)).update(**fields)


def release(experiment: str) -> None:
    """Records that no command drives the experiment any longer, so that the lab drives it."""
    Experiment.objects.filter(pk=experiment).update(driver="")


@transaction.atomic
def request_end(experiment: str) -> Record | None:
    """Records that an experiment is to be stopped and that no command drives it. Returns its newest record, or None if
    it does not exist. A launch that is requested later has a newer round than this record."""
    set_wanted(experiment, Wanted.STOPPED)
    release(experiment)
    return load(experiment)


def delete(experiment: str) -> None:
    """Deletes an experiment and its journal."""
    Experiment.objects.filter(pk=experiment).delete()
    recent_entries.forget(experiment)
