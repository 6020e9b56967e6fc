"""A lab for pages of claims."""

import pytest

from dashboard.web.service import service


@pytest.fixture
def _lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that does nothing."""

    class Lab:
        context = None

        def wake(self) -> None:
            """Does nothing."""

        def heartbeat(self) -> None:
            """Returns None, because this lab sends no heartbeats."""

    monkeypatch.setattr(service, "_lab", Lab())
