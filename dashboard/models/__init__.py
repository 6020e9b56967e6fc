"""What is kept: the wanted state of experiments, their arms' intents, the journal, measurements,
claims and reports."""

from dashboard.models.access import SignInLink
from dashboard.models.claims import ClaimOutcome, ClaimRun
from dashboard.models.experiments import Arm, Experiment, Installation, JournalEntry
from dashboard.models.measurements import MeasurementBlock, MeasurementRun, MeasurementSeries
from dashboard.models.reports import Annotation, Report, ReportTag, Share
from dashboard.models.workshop import WorkshopEvent, WorkshopProgress, WorkshopStep

__all__ = [
    "Annotation",
    "Arm",
    "ClaimOutcome",
    "ClaimRun",
    "Experiment",
    "Installation",
    "JournalEntry",
    "MeasurementBlock",
    "MeasurementRun",
    "MeasurementSeries",
    "Report",
    "ReportTag",
    "Share",
    "SignInLink",
    "WorkshopEvent",
    "WorkshopProgress",
    "WorkshopStep",
]
