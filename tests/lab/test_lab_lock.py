"""A data folder has one lab at a time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dashboard.lab.lab_lock import LabBusyError, LabLock


def _others_may_take(folder: Path) -> bool:
    return subprocess.run(["flock", "-n", folder / "lab.lock", "true"], check=False).returncode == 0


def test_a_released_lock_is_free_although_a_child_has_a_copy_of_the_file(tmp_path: Path) -> None:
    """As a program has between its fork and its exec."""
    lock = LabLock(tmp_path)
    lock.acquire()
    assert lock._descriptor is not None
    copy = os.dup(lock._descriptor)
    lock.release()
    assert _others_may_take(tmp_path) is True
    os.close(copy)


def test_one_lab_at_a_time_drives_a_folder(tmp_path: Path) -> None:
    lock = LabLock(tmp_path)
    lock.acquire()
    with pytest.raises(LabBusyError, match="Another Netmodes process uses"):
        LabLock(tmp_path).acquire()
    lock.release()
    lock.release()
    again = LabLock(tmp_path)
    again.acquire()
    assert _others_may_take(tmp_path) is False
    again.release()
    assert _others_may_take(tmp_path) is True
    assert (tmp_path / "lab.lock").stat().st_mode & 0o777 == 0o600
