"""Lets observations and judgements take their arguments in advance."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate


def prepared[**P, S, T](function: Callable[Concatenate[S, P], T]) -> Callable[P, Callable[[S], T]]:
    """Decorates a function so that it is called in two steps. The first call takes all arguments but the first one, and
    returns a function. This function takes the first argument. A claim contains ``observe_state(LINE)``, for example,
    and a run calls the result with its testbed."""

    @wraps(function)
    def prepare(*args: P.args, **kwargs: P.kwargs) -> Callable[[S], T]:
        return lambda subject: function(subject, *args, **kwargs)

    return prepare
