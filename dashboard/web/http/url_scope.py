"""The URLs of the pages about experiments, measurements and claims.

They exist once for the server's own engine, and once for each group of a training session and its private host.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class UrlScope:
    """Builds the URLs of pages about one engine. All of them start with ``front``.

    ``base`` is the template that these pages extend. ``extra`` contains the variables that this template needs.
    ``group`` is the key of the group in a training session; empty for the server's own engine.
    """

    front: str = "/"
    base: str = "base.html"
    extra: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""

    @property
    def experiments(self) -> str:
        """The URL prefix of all experiments."""
        return f"{self.front}experiments/"

    def experiment(self, identity: str) -> str:
        """The URL of an experiment."""
        return f"{self.experiments}{identity}/"

    def measurement(self, identity: str) -> str:
        """The URL of a measurement."""
        return f"{self.front}measurements/{identity}/"

    @property
    def claims(self) -> str:
        """The URL of the claims page."""
        return f"{self.front}claims/"

    @property
    def context(self) -> dict[str, Any]:
        """The variables that every template of these pages needs.

        ``lab_url`` is the URL prefix of a group's pages (``front``); empty for the server's own engine.
        """
        lab_url = self.front if self.group else ""
        return {**self.extra, "base": self.base, "lab_url": lab_url, "claims_url": self.claims}


#: The URLs of the server's own engine.
SERVER_SCOPE = UrlScope()
