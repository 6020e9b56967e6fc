"""What is kept: the wanted state of experiments, their arms' intents, the journal, measurements,
claims, reports, workshops and classes."""

from dashboard.models.access import SignInLink
from dashboard.models.claims import ClaimOutcome, ClaimRun
from dashboard.models.experiments import Arm, Experiment, Installation, JournalEntry
from dashboard.models.measurements import MeasurementBlock, MeasurementRun, MeasurementSeries
from dashboard.models.reports import Annotation, Report, ReportTag, Share
from dashboard.models.training import (
    Answer,
    HostRow,
    Message,
    Seat,
    SessionEvent,
    TerminalRecord,
    TrainingSession,
)
from dashboard.models.workshop import WorkshopEvent, WorkshopProgress, WorkshopStep

__all__ = [
    "Annotation",
    "Answer",
    "Arm",
    "ClaimOutcome",
    "ClaimRun",
    "Experiment",
    "HostRow",
    "Installation",
    "JournalEntry",
    "MeasurementBlock",
    "MeasurementRun",
    "MeasurementSeries",
    "Message",
    "Report",
    "ReportTag",
    "Seat",
    "SessionEvent",
    "Share",
    "SignInLink",
    "TerminalRecord",
    "TrainingSession",
    "WorkshopEvent",
    "WorkshopProgress",
    "WorkshopStep",
]
