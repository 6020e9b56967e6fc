"""What one section of the pages is, with its source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Help:
    """The answer to “What is this?” beside a heading.

    ``title`` completes the question for those who hear it. ``source`` is where the fact stands: manual pages with their
    section, documents of Docker, the kernel and Moby by name, pages of ours by path; several are divided by “; ”.
    ``see`` is a command with which a reader sees it, if there is one.
    """

    key: str
    title: str
    fact: str
    source: str
    see: str = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """Each source by itself."""
        return tuple(self.source.split("; "))


def mark(text: str) -> str:
    """Marks a text for translation; it is translated when it is shown."""
    return text
