"""Rows that the processes of a team deployment exchange: heartbeats, remote calls, presence. Short transactions."""

import socket
from dataclasses import dataclass

import msgspec
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Concat

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.core.operations.deployment import RETENTION_S, LabFacts
from dashboard.models import ClaimRun, Experiment, GuessBucket, LabHeartbeat, LabRequest, MeasurementRun, Presence

WAITING, TAKEN, ANSWERED, REFUSED, LAPSED = "waiting", "taken", "answered", "refused", "lapsed"
BATCH = 20
#: The output of a command is cut after this many characters.
MAX_OUTPUT = 1_000_000


def this_machine() -> str:
    """The name of this machine in heartbeats."""
    return socket.gethostname()[:100] or "lab"


# Heartbeats.


@dataclass(frozen=True, slots=True)
class ReadHeartbeat:
    """A lab's newest heartbeat, as stored."""

    number: int
    at: float
    facts: LabFacts


def record_heartbeat(number: int, facts: LabFacts, now: float) -> None:
    """Writes the heartbeat of this machine's lab; ``number`` 0 is the last one."""
    row = {"number": number, "at": now, "facts": msgspec.json.encode(facts).decode()}
    LabHeartbeat.objects.update_or_create(machine=this_machine(), defaults=row)


def newest_heartbeat(machine: str = "") -> ReadHeartbeat | None:
    """The newest heartbeat of any machine, or of ``machine``."""
    rows = LabHeartbeat.objects.filter(machine=machine) if machine else LabHeartbeat.objects.all()
    row = rows.order_by("-at").first()
    return None if row is None else ReadHeartbeat(row.number, row.at, msgspec.json.decode(row.facts, type=LabFacts))


# Remote calls.


@dataclass(frozen=True, slots=True)
class TakenCall:
    """A call that this lab has taken."""

    id: int
    name: str
    host: str
    arguments: str
    deadline: float


@dataclass(frozen=True, slots=True)
class CallState:
    """The state of a call, its result or error, and its output so far."""

    state: str
    answer: str
    output: str


def create_call(name: str, host: str, arguments: str, now: float, deadline: float) -> int:
    """Queues a call; returns its id."""
    row = LabRequest.objects.create(name=name, host=host, arguments=arguments, made_at=now, deadline=deadline)
    return int(row.pk)


def take_calls(now: float, slack_s: float = 5.0) -> tuple[TakenCall, ...]:
    """Takes waiting calls; of several labs only one gets each call."""
    rows = LabRequest.objects.filter(state=WAITING, deadline__gt=now - slack_s).order_by("pk")[:BATCH]
    calls = [TakenCall(row.pk, row.name, row.host, row.arguments, row.deadline) for row in rows]
    return tuple(call for call in calls if LabRequest.objects.filter(pk=call.id, state=WAITING).update(state=TAKEN))


def finish_call(call: int, state: str, text: str) -> None:
    """Writes the result or the error of a call, unless its caller no longer waits."""
    LabRequest.objects.filter(pk=call).exclude(state=LAPSED).update(state=state, answer=text)


def append_output(call: int, text: str) -> bool:
    """Appends output of a command; False if its caller no longer waits."""
    rows = LabRequest.objects.filter(pk=call, state=TAKEN)
    return rows.update(output=Concat(F("output"), Value(text))) == 1


def call_state(call: int) -> CallState | None:
    """The state of a call; None if it was deleted."""
    row = LabRequest.objects.filter(pk=call).values_list("state", "answer", "output").first()
    return None if row is None else CallState(*row)


def abandon_call(call: int) -> None:
    """The caller no longer waits."""
    LabRequest.objects.filter(pk=call).update(state=LAPSED)


def delete_call(call: int) -> None:
    """Deletes a call whose result has been read."""
    LabRequest.objects.filter(pk=call).delete()


def delete_old(now: float) -> None:
    """Deletes unread results and the rows of processes that have ended."""
    LabRequest.objects.filter(made_at__lt=now - RETENTION_S).delete()
    for old in (Presence.objects, GuessBucket.objects, LabHeartbeat.objects.exclude(machine=this_machine())):
        old.filter(at__lt=now - RETENTION_S).delete()


def abandon_taken_calls() -> None:
    """When a lab starts: calls that an earlier lab has taken get no result."""
    LabRequest.objects.filter(state=TAKEN).update(state=LAPSED)


def wanted_state() -> object:
    """A value that changes whenever the wanted state changes, so that the lab knows when to start a pass."""
    unsettled = Experiment.objects.exclude(wanted=Wanted.STOPPED, phase__in=[Phase.STOPPED, Phase.FAILED])
    runs = (model.objects.filter(state__in=["waiting", "running"]) for model in (MeasurementRun, ClaimRun))
    return (
        sorted(unsettled.values_list("pk", "wanted", "round")),
        *(sorted(rows.values_list("pk", "wanted")) for rows in runs),
    )


# Presence.


def record_presence(process: str, sessions: dict[str, str], now: float) -> None:
    """Writes the participants that are connected to this process, by session."""
    with transaction.atomic():
        rows = [
            Presence(process=process, session=key, participants=participants, at=now)
            for key, participants in sessions.items()
        ]
        Presence.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["process", "session"], update_fields=["participants", "at"]
        )


def present_on_peers(process: str, sessions: list[str], since: float) -> dict[str, frozenset[str]]:
    """The participants that are connected to other processes, by session."""
    present: dict[str, set[str]] = {}
    rows = Presence.objects.filter(session__in=sessions, at__gte=since).exclude(process=process)
    for session, participants in rows.values_list("session", "participants"):
        present.setdefault(session, set()).update(participants.split())
    return {session: frozenset(participants) for session, participants in present.items()}


def remove_presence(process: str) -> None:
    """Removes the rows of a process that ends."""
    Presence.objects.filter(process=process).delete()
