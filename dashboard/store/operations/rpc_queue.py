"""What the processes of the team shape leave for each other in the database, each function a short transaction."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import msgspec
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Concat

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.core.operations.deployment import KEPT_S, LabFacts
from dashboard.models import ClaimRun, Experiment, GuessBucket, LabBeat, LabRequest, MeasurementRun, Presence

WAITING, TAKEN, ANSWERED, REFUSED, LAPSED = "waiting", "taken", "answered", "refused", "lapsed"
AT_ONCE = 20
#: Beyond this a command's output is cut.
MOST_OUTPUT = 1_000_000


def this_machine() -> str:
    """The name under which a lab here is known."""
    return socket.gethostname()[:100] or "lab"


# A lab says that it is there.


def beat(number: int, facts: LabFacts, now: float) -> None:
    """One beat; ``number`` 0 is the last."""
    said = {"number": number, "at": now, "facts": msgspec.json.encode(facts).decode()}
    LabBeat.objects.update_or_create(machine=this_machine(), defaults=said)


@dataclass(frozen=True, slots=True)
class Beat:
    """A lab's newest beat."""

    number: int
    at: float
    facts: LabFacts


def newest_beat(machine: str = "") -> Beat | None:
    """Of the lab that was here last, or of this one."""
    rows = LabBeat.objects.filter(machine=machine) if machine else LabBeat.objects.all()
    row = rows.order_by("-at").first()
    return None if row is None else Beat(row.number, row.at, msgspec.json.decode(row.facts, type=LabFacts))


# Questions.


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was taken."""

    id: int
    name: str
    host: str
    arguments: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Reply:
    """How a question stands."""

    state: str
    answer: str
    output: str


def ask(name: str, host: str, arguments: str, now: float, deadline: float) -> int:
    """Writes a question down; its number."""
    row = LabRequest.objects.create(name=name, host=host, arguments=arguments, made_at=now, deadline=deadline)
    return int(row.pk)


def take(now: float, slack_s: float = 5.0) -> tuple[Asked, ...]:
    """The questions that wait, each given to one asker alone."""
    rows = LabRequest.objects.filter(state=WAITING, deadline__gt=now - slack_s).order_by("pk")[:AT_ONCE]
    found = [Asked(row.pk, row.name, row.host, row.arguments, row.deadline) for row in rows]
    return tuple(one for one in found if LabRequest.objects.filter(pk=one.id, state=WAITING).update(state=TAKEN))


def answer(request: int, state: str, text: str) -> None:
    """What came of it."""
    LabRequest.objects.filter(pk=request).exclude(state=LAPSED).update(state=state, answer=text)


def print_to(request: int, text: str) -> bool:
    """More of a command's output; False if nobody reads it any more."""
    rows = LabRequest.objects.filter(pk=request, state=TAKEN)
    return rows.update(output=Concat(F("output"), Value(text))) == 1


def reply(request: int) -> Reply | None:
    """How a question stands; None if it is forgotten."""
    row = LabRequest.objects.filter(pk=request).values_list("state", "answer", "output").first()
    return None if row is None else Reply(*row)


def give_up(request: int) -> None:
    """Nobody waits for the answer any more."""
    LabRequest.objects.filter(pk=request).update(state=LAPSED)


def forget(request: int) -> None:
    """The answer has been read."""
    LabRequest.objects.filter(pk=request).delete()


def forget_old(now: float) -> None:
    """Questions that nobody will read the answer of, and what processes that have gone have left."""
    LabRequest.objects.filter(made_at__lt=now - KEPT_S).delete()
    Presence.objects.filter(at__lt=now - KEPT_S).delete()
    GuessBucket.objects.filter(at__lt=now - KEPT_S).delete()
    LabBeat.objects.exclude(machine=this_machine()).filter(at__lt=now - KEPT_S).delete()


def let_lapse() -> None:
    """A lab begins: what another has taken is nobody's any more."""
    LabRequest.objects.filter(state=TAKEN).update(state=LAPSED)


# What is wanted, in one glance.


def wants() -> object:
    """Changes whenever something is wanted of the lab: then it has to look."""
    unsettled = Experiment.objects.exclude(wanted=Wanted.STOPPED, phase__in=[Phase.STOPPED, Phase.FAILED])
    runs = MeasurementRun.objects.filter(state__in=["waiting", "running"])
    claims = ClaimRun.objects.filter(state__in=["waiting", "running"])
    return (
        sorted(unsettled.values_list("pk", "wanted", "round")),
        sorted(runs.values_list("pk", "wanted")),
        sorted(claims.values_list("pk", "wanted")),
    )


# Who is there.


def note_presence(process: str, sessions: dict[str, str], now: float) -> None:
    """The participants whose browsers hang on this process, by session."""
    with transaction.atomic():
        rows = [
            Presence(process=process, session=key, participants=participants, at=now)
            for key, participants in sessions.items()
        ]
        Presence.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["process", "session"], update_fields=["participants", "at"]
        )


def present_elsewhere(process: str, sessions: list[str], since: float) -> dict[str, frozenset[str]]:
    """The participants whose browsers hang on other processes, by session."""
    found: dict[str, set[str]] = {}
    rows = Presence.objects.filter(session__in=sessions, at__gte=since).exclude(process=process)
    for session, participants in rows.values_list("session", "participants"):
        found.setdefault(session, set()).update(participants.split())
    return {session: frozenset(participants) for session, participants in found.items()}


def leave(process: str) -> None:
    """This process ends."""
    Presence.objects.filter(process=process).delete()
