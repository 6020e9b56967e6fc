"""Functions that are called in two steps."""

from __future__ import annotations

from dashboard.core.claims.prepared import prepared


@prepared
def describe(subject: str, *words: str, end: str = ".") -> str:
    """The words after the subject."""
    return " ".join((subject, *words)) + end


@prepared
async def double(number: int, times: int) -> int:
    """The number, several times."""
    return number * times


def test_the_arguments_come_first_and_the_subject_later() -> None:
    prepared_one = describe("holds", "here", end="!")
    assert [prepared_one(subject) for subject in ("it", "she")] == ["it holds here!", "she holds here!"]
    assert describe()("it") == "it."
    assert describe.__doc__ == "The words after the subject."


async def test_an_observation_is_awaited_when_it_has_its_testbed() -> None:
    assert await double(3)(2) == 6
