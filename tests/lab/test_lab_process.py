"""A process with a lab and no pages. Its processes: tests/team/test_team.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db.backends.signals import connection_created

from dashboard.lab import lab_process
from dashboard.store.database import limit_waiting


class EndedError(Exception):
    """Ends the test."""


async def test_its_connections_to_a_database_file_wait_as_long_as_those_of_any_lab(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def end(*_: object) -> None:
        raise EndedError

    monkeypatch.setattr(lab_process, "Supervisor", end)
    with pytest.raises(EndedError):
        await lab_process.run_lab(tmp_path, print, print)
    assert connection_created.disconnect(limit_waiting), "it was connected"
