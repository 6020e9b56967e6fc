"""What is kept: the wanted state of experiments, their arms' intents, the journal, and measurements."""

from dashboard.models.access import SignInLink
from dashboard.models.experiments import Arm, Experiment, Installation, JournalEntry
from dashboard.models.measurements import MeasurementBlock, MeasurementRun, MeasurementSeries

__all__ = [
    "Arm",
    "Experiment",
    "Installation",
    "JournalEntry",
    "MeasurementBlock",
    "MeasurementRun",
    "MeasurementSeries",
    "SignInLink",
]
