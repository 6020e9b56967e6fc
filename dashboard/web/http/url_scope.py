"""The URLs of pages about experiments, measurements and claims: those of the server's own engine, or those of a
training session's group for its private host."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class UrlScope:
    """Builds URLs that start with ``front``. ``base`` is the base template, ``extra`` its context; ``group`` is the key
    of the group in a training session, empty for the server's own engine."""

    front: str = "/"
    base: str = "base.html"
    extra: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""

    @property
    def experiments(self) -> str:
        """The common start of the URLs of experiments."""
        return f"{self.front}experiments/"

    def experiment(self, identity: str) -> str:
        """The URL of an experiment."""
        return f"{self.experiments}{identity}/"

    def measurement(self, identity: str) -> str:
        """The URL of a measurement."""
        return f"{self.front}measurements/{identity}/"

    @property
    def claims(self) -> str:
        """The URL of the page of claims."""
        return f"{self.front}claims/"

    @property
    def context(self) -> dict[str, Any]:
        """The context that every template needs. ``lab_url`` is ``front`` for a group, empty for the server's own
        engine."""
        lab_url = self.front if self.group else ""
        return {**self.extra, "base": self.base, "lab_url": lab_url, "claims_url": self.claims}


#: The URLs of the server's own engine.
SERVER_SCOPE = UrlScope()
