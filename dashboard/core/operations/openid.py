"""Settings for sign-in with OpenID Connect."""

from typing import Any
from urllib.parse import urlsplit

#: The name of the provider in URLs.
PROVIDER = "openid"
#: The apps of django-allauth with tables, which a database has only where a provider is or was configured.
APPS_WITH_TABLES = frozenset({"account", "socialaccount"})
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def openid_problem(issuer: str, client_id: str, secret: str) -> str | None:
    """Returns why the configured provider cannot be used; None if it can, or if no provider is configured."""
    if not (issuer or client_id or secret):
        return None
    if not (issuer and client_id and secret):
        return "NETMODES_OIDC_ISSUER, _CLIENT_ID and _CLIENT_SECRET belong together: set all three, or none."
    parts = urlsplit(issuer)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return None
    return "NETMODES_OIDC_ISSUER must start with https://, because sign-in over http can be read and changed."


def provider_settings(name: str, issuer: str, client_id: str, secret: str) -> dict[str, Any]:
    """Returns the setting ``SOCIALACCOUNT_PROVIDERS`` of django-allauth for one provider."""
    app = {
        "provider_id": PROVIDER,
        "name": name,
        "client_id": client_id,
        "secret": secret,
        "settings": {"server_url": issuer.rstrip("/"), "oauth_pkce_enabled": True},
    }
    return {"openid_connect": {"APPS": [app]}}
