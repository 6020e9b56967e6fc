"""All questions, by subject. Every module in this package defines ``QUESTIONS``."""

import pkgutil
from functools import cache
from importlib import import_module

from dashboard.core.claims.question import Question


@cache
def all_questions() -> tuple[Question, ...]:
    """Returns every question, in the order of the modules' names. Ids are unique."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(question for name in modules for question in import_module(f"{__name__}.{name}").QUESTIONS)


def find_question(identity: str) -> Question | None:
    """Returns the question with this id, None if it does not exist."""
    return next((question for question in all_questions() if question.id == identity), None)
