"""A help text of a section, with its source."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Help:
    """The answer to “What is this?” beside a heading.

    ``title`` completes the question for screen readers. ``source`` is where the fact is documented: manual pages
    with their section, documents of Docker, the kernel and Moby by name, our documents by path, separated by “; ”.
    ``see`` is a command that shows it, if there is one.
    """

    key: str
    title: str
    fact: str
    source: str
    see: str = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources, each as a text of its own."""
        return tuple(self.source.split("; "))


def mark(text: str) -> str:
    """Marks a text for translation when it is shown."""
    return text
