"""The type of a help text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Help:
    """The answer to “What is this?” beside a heading.

    ``title`` names the subject; screen readers read it after the question. ``fact`` is the answer. ``source`` lists
    where the fact is documented, separated by “; ”. It gives manual pages with their section, documents of Docker, the
    kernel and Moby by name, and Netmodes' documents by path. ``see`` is a command that shows the fact, empty if there
    is none.
    """

    key: str
    title: str
    fact: str
    source: str
    see: str = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources as separate texts."""
        return tuple(self.source.split("; "))


def mark(text: str) -> str:
    """Returns the text unchanged. ``makemessages`` finds the text by this call; pages translate it when they show
    it."""
    return text
