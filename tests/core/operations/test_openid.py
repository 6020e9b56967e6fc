"""The settings of sign-in with OpenID Connect."""

from __future__ import annotations

import pytest

from dashboard.core.operations.openid import openid_problem, provider_settings


@pytest.mark.parametrize(
    ("issuer", "client", "secret", "problem"),
    [
        ("", "", "", None),
        ("https://id.example.org/realms/x", "netmodes", "s", None),
        ("http://127.0.0.1:9000", "netmodes", "s", None),
        ("http://id.example.org", "netmodes", "s", "https://"),
        ("ftp://id.example.org", "netmodes", "s", "https://"),
        ("https://id.example.org", "", "s", "set all three"),
        ("", "netmodes", "s", "set all three"),
        ("https://id.example.org", "netmodes", "", "set all three"),
    ],
)
def test_a_provider_is_complete_and_encrypted(issuer: str, client: str, secret: str, problem: str | None) -> None:
    found = openid_problem(issuer, client, secret)
    assert found is None if problem is None else found is not None and problem in found


def test_the_library_gets_the_issuer_and_uses_pkce() -> None:
    (app,) = provider_settings("Login", "https://id.example.org/", "netmodes", "s")["openid_connect"]["APPS"]
    assert app["settings"] == {"server_url": "https://id.example.org", "oauth_pkce_enabled": True}
