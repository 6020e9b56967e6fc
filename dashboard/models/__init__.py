"""What is kept: the wanted state of experiments, their arms' intents, the journal, measurements,
claims, reports, workshops and classes; and what the processes of the team shape leave for each other."""

from dashboard.models.access import SignInLink
from dashboard.models.claims import ClaimOutcome, ClaimRun
from dashboard.models.experiments import Arm, Experiment, Installation, JournalEntry
from dashboard.models.measurements import MeasurementBlock, MeasurementRun, MeasurementSeries
from dashboard.models.operations import GuessBucket, LabBeat, LabRequest, Presence
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
    "Annotation",
    "Answer",
    "Arm",
    "ClaimOutcome",
    "ClaimRun",
    "Experiment",
    "GroupHost",
    "GuessBucket",
    "Installation",
    "JournalEntry",
    "LabBeat",
    "LabRequest",
    "MeasurementBlock",
    "MeasurementRun",
    "MeasurementSeries",
    "Message",
    "Participant",
    "RevealedStep",
    "Presence",
    "Report",
    "ReportTag",
    "SessionEvent",
    "Share",
    "SignInLink",
    "TerminalRecord",
    "TrainingSession",
    "WorkshopEvent",
    "WorkshopProgress",
    "WorkshopStep",
]
