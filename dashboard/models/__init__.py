"""What is kept: the wanted state of experiments, their arms' intents, and the journal."""

from dashboard.models.access import SignInLink
from dashboard.models.experiments import Arm, Experiment, Installation, JournalEntry

__all__ = ["Arm", "Experiment", "Installation", "JournalEntry", "SignInLink"]
