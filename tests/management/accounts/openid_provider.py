"""A provider of OpenID Connect on 127.0.0.1: discovery, authorization, token, userinfo and keys (OpenID Connect Core
1.0, section 3.1). It has no sign-in page: ``person`` is always signed in."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "netmodes", "a secret of the test"


@dataclass
class Provider:
    """An OpenID provider. ``person`` are the claims about the person who is signed in. ``faults`` changes answers:
    ``audience``, ``token``, ``denied``, ``down``. ``requests`` are the paths that were requested."""

    person: Mapping[str, Any]
    issuer: str = ""
    faults: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def configuration(self) -> dict[str, Any]:
        """The discovery document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Returns the address to which the browser is redirected."""
        assert (query["client_id"], query["response_type"]) == (CLIENT, "code")
        assert "openid" in query["scope"].split()
        assert query["code_challenge_method"] == "S256"
        back = {"state": query["state"]}
        if "denied" in self.faults:
            return f"{query['redirect_uri']}?{urlencode({**back, 'error': 'access_denied'})}"
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({**back, 'code': code})}"

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        """The answer to a code; None if it is refused."""
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or challenge != asked["code_challenge"] or "token" in self.faults:
            return None
        if (form["client_id"], form["client_secret"], form["redirect_uri"]) != (CLIENT, SECRET, asked["redirect_uri"]):
            return None
        now = int(time.time())
        audience = "another client" if "audience" in self.faults else CLIENT
        claims = {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + 300, **self.person}
        token = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "1"})
        return {"access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": token}

    def keys(self) -> dict[str, Any]:
        """The public key of the tokens."""
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**key, "kid": "1", "alg": "RS256", "use": "sig"}]}


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.requests.append(parts.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            match parts.path:
                case "/.well-known/openid-configuration" if "down" not in provider.faults:
                    self._json(provider.configuration())
                case "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(query))
                    self.end_headers()
                case "/userinfo" if self.headers["Authorization"] == "Bearer access":
                    self._json(dict(provider.person))
                case "/keys":
                    self._json(provider.keys())
                case _:
                    self.send_error(404)

        def do_POST(self) -> None:
            provider.requests.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = provider.token({name: values[0] for name, values in parse_qs(body).items()})
            self._json(answer if answer is not None else {"error": "invalid_grant"}, 200 if answer else 400)

        def _json(self, value: Any, status: int = 200) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Logs nothing."""

    return Handler


@contextmanager
def openid_provider(person: Mapping[str, Any]) -> Iterator[Provider]:
    """A provider that serves until the block ends."""
    provider = Provider(person)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(provider)) as server:
        provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
