"""Where the pages of experiments, measurements and claims stand: at the addresses of this server's own engine, or among
those of a seat in a class, for what its group runs on its own host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Where:
    """``front`` stands before ``experiments/``, ``measurements/`` and ``claims/``; ``base`` is the template around a
    page, ``extra`` what that needs. ``group`` is the key of the group of a class whose pages they are."""

    front: str = "/"
    base: str = "base.html"
    extra: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""

    def experiment(self, identity: str) -> str:
        """The address of an experiment."""
        return f"{self.front}experiments/{identity}/"

    def measurement(self, identity: str) -> str:
        """The address of a measurement."""
        return f"{self.front}measurements/{identity}/"

    @property
    def claims(self) -> str:
        """The address of the claims."""
        return f"{self.front}claims/"

    @property
    def context(self) -> dict[str, Any]:
        """What every template is given. ``lab_url`` is empty at the server's own addresses."""
        lab_url = self.front if self.group else ""
        return {**self.extra, "base": self.base, "lab_url": lab_url, "claims_url": self.claims}


#: The server's own engine.
HERE = Where()
