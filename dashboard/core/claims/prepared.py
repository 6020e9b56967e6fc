"""Lets observations and judgements take their arguments in advance."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate


def prepared[**P, S, T](function: Callable[Concatenate[S, P], T]) -> Callable[P, Callable[[S], T]]:
    """Decorates a function so that it is called in two steps. The first call takes all arguments except the first one.
    It returns a function that takes the first argument and returns the result. For example, a claim contains
    ``observe_state(LINE)``, and a run calls this with its testbed."""

    @wraps(function)
    def prepare(*args: P.args, **kwargs: P.kwargs) -> Callable[[S], T]:
        return lambda subject: function(subject, *args, **kwargs)

    return prepare
