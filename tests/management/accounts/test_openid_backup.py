"""Backups of a PostgreSQL database with accounts of OpenID Connect, restored where it is configured and where not."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from dashboard.bench.operations.postgres_nats import Postgres, temporary_folder
from tests.support.terminal import Terminal

OIDC = {
    "NETMODES_OIDC_ISSUER": "http://127.0.0.1:1",
    "NETMODES_OIDC_CLIENT_ID": "netmodes",
    "NETMODES_OIDC_CLIENT_SECRET": "secret",
}
SOCIAL_ACCOUNT = (
    "INSERT INTO socialaccount_socialaccount (user_id, provider, uid, last_login, date_joined, extra_data)"
    " SELECT id, 'openid', 'u1', now(), now(), '{}' FROM auth_user WHERE username = 'ada'"
)
ADA = (
    "SELECT s.uid, a.email FROM socialaccount_socialaccount s JOIN auth_user u ON u.id = s.user_id"
    " JOIN account_emailaddress a ON a.user_id = u.id WHERE u.username = 'ada'"
)
ADDRESS = (
    'INSERT INTO account_emailaddress (user_id, email, verified, "primary")'
    " SELECT id, 'ada@example.org', true, true FROM auth_user WHERE username = 'ada'"
)


@pytest.mark.slow
def test_postgresql_with_accounts_of_openid_connect_is_restored_with_and_without_it(
    nowhere: Terminal, tmp_path: Path
) -> None:
    file, plain = tmp_path / "one.backup", tmp_path / "plain.backup"
    with temporary_folder() as folder:
        server = Postgres(folder)

        def terminal(name: str, **settings: str) -> Terminal:
            url = server.url if not name else server.create_database(name)
            return Terminal({**nowhere.environment, "DATABASE_URL": url, **settings}, nowhere.folder)

        try:
            here = terminal("", **OIDC)
            assert here.run("migrate", "--verbosity", "0").code == 0
            assert here.run("accounts", "invite", "ada", "--role", "reader", "--email", "ada@example.org").code == 0
            with psycopg.connect(server.url) as connection:
                connection.execute(SOCIAL_ACCOUNT)
                connection.execute(ADDRESS)
            assert here.run("backup", str(file)).code == 0
            for name, settings in (("without", {}), ("with", OIDC)):
                there = terminal(name, **settings)
                done = there.run("restore", str(file))
                assert (done.code, done.err) == (0, ""), name
                with psycopg.connect(there.environment["DATABASE_URL"]) as connection:
                    assert connection.execute(ADA).fetchall() == [("u1", "ada@example.org")]
                there.environment |= OIDC
                assert there.run("migrate", "--check").code == 0, name
                assert "ada" in there.run("accounts", "list").out
            # A backup that was made without OpenID Connect gets its tables.
            first = terminal("plain")
            assert first.run("migrate", "--verbosity", "0").code == 0
            assert first.run("backup", str(plain)).code == 0
            later = terminal("later", **OIDC)
            done = later.run("restore", str(plain), "--json")
            assert (done.code, done.err) == (0, "")
            assert done.json["migrated"] is True
            assert later.run("migrate", "--check").code == 0
        finally:
            server.stop()
