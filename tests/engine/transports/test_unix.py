"""HTTP over a unix socket."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import pytest
import requests

from dashboard.engine.transports.unix import UnixAdapter
from tests.engine.fake_engine import fake_engine, http


def test_a_connection_is_kept_and_used_again(tmp_path: Path) -> None:
    with fake_engine(tmp_path, lambda _m, path: http(path.encode())) as fake, requests.Session() as session:
        adapter = UnixAdapter(fake.endpoint.removeprefix("unix://"), 5, 4)
        session.mount("http+docker://", adapter)
        for number in range(3):
            assert session.get(f"http+docker://localhost/{number}", timeout=5).text == f"/{number}"
        assert adapter._pool.num_connections == 1


def test_a_failed_connect_leaves_no_open_socket(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as seen, requests.Session() as session:
        warnings.simplefilter("always")
        session.mount("http+docker://", UnixAdapter(str(tmp_path / "none"), 5, 4))
        with pytest.raises(requests.exceptions.ConnectionError):
            session.get("http+docker://localhost/", timeout=5)
        gc.collect()
    assert [str(one.message) for one in seen if one.category is ResourceWarning] == []
