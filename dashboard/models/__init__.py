"""The database models: experiments with their arms and journals, measurements, claim runs, reports, workshops and
training sessions; accounts, rate limits and the audit trail; and the machines that have joined the installation."""

from dashboard.models.access import Account, SignInLink
from dashboard.models.audit import AuditEntry
from dashboard.models.claims import ClaimOutcome, ClaimRun
from dashboard.models.experiments import Arm, Experiment, Installation, JournalEntry
from dashboard.models.machines import JoinToken, Machine
from dashboard.models.measurements import MeasurementBlock, MeasurementClient, MeasurementRun, MeasurementSeries
from dashboard.models.operations import GuessBucket
from dashboard.models.reports import Annotation, Report, ReportTag, Share
from dashboard.models.training import (
    Answer,
    GroupHost,
    Message,
    Participant,
    RevealedStep,
    SessionEvent,
    TerminalRecord,
    TrainingSession,
)
from dashboard.models.workshops import WorkshopEvent, WorkshopProgress, WorkshopStep

__all__ = [
    "Account",
    "Annotation",
    "Answer",
    "Arm",
    "AuditEntry",
    "ClaimOutcome",
    "ClaimRun",
    "Experiment",
    "GroupHost",
    "GuessBucket",
    "Installation",
    "JoinToken",
    "JournalEntry",
    "Machine",
    "MeasurementBlock",
    "MeasurementClient",
    "MeasurementRun",
    "MeasurementSeries",
    "Message",
    "Participant",
    "Report",
    "ReportTag",
    "RevealedStep",
    "SessionEvent",
    "Share",
    "SignInLink",
    "TerminalRecord",
    "TrainingSession",
    "WorkshopEvent",
    "WorkshopProgress",
    "WorkshopStep",
]
