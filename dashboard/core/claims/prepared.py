"""Observations and judgements that take arguments in advance."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate


def prepared[**P, S, T](function: Callable[Concatenate[S, P], T]) -> Callable[P, Callable[[S], T]]:
    """Makes a function that is called in two steps: with all arguments but the first, and later with the first. A claim
    has ``observe_state(LINE)``, which a run calls with its testbed."""

    @wraps(function)
    def prepare(*args: P.args, **kwargs: P.kwargs) -> Callable[[S], T]:
        return lambda subject: function(subject, *args, **kwargs)

    return prepare
