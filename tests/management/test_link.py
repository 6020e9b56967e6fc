"""``./netmodes link``: sign-in links of the running server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from dashboard.core.operations.roles import Role
from dashboard.management import serving
from dashboard.management.serving import announced
from dashboard.models import AuditEntry
from dashboard.store.operations.accounts import change_role, set_active, the_owner
from tests.support.terminal import Site, Terminal, run_here


def test_only_a_link_that_works_once_is_printed(terminal: Terminal) -> None:
    site = terminal.serve()
    done = terminal.run("link")
    assert done.code == 0, done.err
    link = re.fullmatch(rf"Sign in \(once\): (http://127\.0\.0\.1:{site.port}/sign-in/\?token=\S+)\n", done.out)
    assert link, done.out
    assert Site(site.running, link[1]).sign_in().ask("GET", "/").status == 200


def test_without_a_server_the_command_prints_what_to_do(terminal: Terminal) -> None:
    done = terminal.run("link")
    assert done.code == 1
    assert done.out == ""
    assert "No server runs from " in done.err
    assert done.err.endswith("Start it with ./netmodes up.\n")


@pytest.mark.django_db(transaction=True)
def test_the_audit_trail_names_the_account_of_a_link_that_was_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NETMODES_DATA_DIR", str(tmp_path))
    former, ada = the_owner(), User.objects.create_user("ada")
    change_role(ada.pk, Role.OWNER)
    set_active(former.pk, active=False)
    with announced("http://127.0.0.1:1"):
        with monkeypatch.context() as patched:
            patched.setattr(serving, "make_token", lambda: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                run_here(capsys, "link")
        assert not AuditEntry.objects.exists()
        assert run_here(capsys, "link").code == 0
    found = AuditEntry.objects.values_list("account", "action", "object", "outcome")
    assert list(found) == [("command line", "link account", "ada", "done")]
