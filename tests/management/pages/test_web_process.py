"""What the web process of root's lab gets: a user, files, variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.conf import settings

from dashboard.core.operations.web_user import FREE_IDS, WebUser
from dashboard.management.pages import web_process


def test_variables_are_passed_without_the_engine_and_secrets_of_files_as_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("a token of the metrics\n")
    monkeypatch.setenv("NETMODES_METRICS_TOKEN_FILE", str(token))
    monkeypatch.setenv("NETMODES_ALLOWED_HOSTS", "netmodes.example.org")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    passed = web_process.environment()
    assert passed["NETMODES_METRICS_TOKEN"] == "a token of the metrics"
    assert passed["NETMODES_ALLOWED_HOSTS"] == "netmodes.example.org"
    assert passed["HTTPS_PROXY"] == "http://proxy.example.org"
    assert passed["NETMODES_SECRET_KEY"] == settings.SECRET_KEY
    assert {"DOCKER_HOST", "AWS_SECRET_ACCESS_KEY", "NETMODES_METRICS_TOKEN_FILE"}.isdisjoint(passed)


@pytest.mark.engine
def test_a_folder_of_root_leads_to_a_user_without_an_account(tmp_path: Path) -> None:
    assert web_process.find_user(tmp_path).uid in FREE_IDS
    os.chown(tmp_path, 1234, 1235)
    assert web_process.find_user(tmp_path) == WebUser(1234, 1235)


@pytest.mark.engine
def test_only_root_with_a_database_file_serves_pages_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "")
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    assert web_process.is_apart()
    monkeypatch.setattr(web_process, "may_make_namespaces", lambda _status: False)
    assert not web_process.is_apart(), "root of a container without CAP_SYS_ADMIN"
    monkeypatch.setattr(web_process, "may_make_namespaces", lambda _status: True)
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1")
    assert not web_process.is_apart()
    monkeypatch.setattr(settings, "REDIS_URL", "")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not web_process.is_apart()


@pytest.mark.parametrize(("capabilities", "may"), [("000001ffffffffff", True), ("00000000a80425fb", False)])
def test_cap_sys_admin_makes_namespaces(capabilities: str, *, may: bool) -> None:
    assert web_process.may_make_namespaces(f"Name:\tpython\nCapEff:\t{capabilities}\n") == may
