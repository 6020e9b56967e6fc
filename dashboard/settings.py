"""Django's settings. Everything that users can configure comes from environment variables (docs/settings.md)."""

import logging
from pathlib import Path

import dj_database_url
from django.utils.csp import CSP

from dashboard import configuration
from dashboard.core.operations.host_names import parse_hosts, parse_origins
from dashboard.core.operations.openid import openid_problem, provider_settings
from dashboard.core.operations.own_name import own_name
from dashboard.core.operations.proxy_headers import parse_proxies
from dashboard.core.operations.storage import MAX_DAYS

BASE_DIR = configuration.BASE
DATA_DIR = configuration.data_dir()
SECRET_KEY = configuration.secret_key(DATA_DIR)
DEBUG = False

_HAS_OWN_NAME = configuration.value("NETMODES_OWN_NAME") or "yes"
if _HAS_OWN_NAME not in {"yes", "no"}:
    raise configuration.ConfigurationError(f"NETMODES_OWN_NAME is {_HAS_OWN_NAME[:40]}: use yes or no.")
#: The name to which browsers on this machine are redirected; empty: they stay at 127.0.0.1.
OWN_NAME = own_name(SECRET_KEY) if _HAS_OWN_NAME == "yes" else ""
try:
    #: Exact host names of requests, without ports. ``*`` would allow DNS rebinding.
    ALLOWED_HOSTS = [
        *("127.0.0.1", "localhost", "[::1]"),
        *filter(None, [OWN_NAME]),
        *parse_hosts(configuration.words("NETMODES_ALLOWED_HOSTS")),
    ]
    CSRF_TRUSTED_ORIGINS = list(parse_origins(configuration.words("NETMODES_TRUSTED_ORIGINS")))
    #: Proxies with trusted headers (``core.operations.proxy_headers``).
    TRUSTED_PROXIES = parse_proxies(configuration.words("NETMODES_TRUSTED_PROXIES"))
except ValueError as error:
    raise configuration.ConfigurationError(str(error)) from None
#: The bearer token for /metrics; empty: it requires a session.
METRICS_TOKEN = configuration.value("NETMODES_METRICS_TOKEN")
if 0 < len(METRICS_TOKEN) < 16:
    raise configuration.ConfigurationError("NETMODES_METRICS_TOKEN is too short: use 16 random characters or more.")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "dashboard",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "dashboard.web.http.addresses.own_name.OwnNameMiddleware",
    "dashboard.web.http.static_files.StaticFilesMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "dashboard.web.http.guards.FetchSiteMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.web.http.guards.SignInRequiredMiddleware",
    "dashboard.web.operations.accounts.guard.AccountMiddleware",
    "dashboard.web.training.group_access.GroupAccessMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "dashboard.web.http.refusals.RefusalMiddleware",
    "dashboard.web.http.database.ConnectionMiddleware",
]
ROOT_URLCONF = "dashboard.urls"
ASGI_APPLICATION = "dashboard.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "dashboard.web.operations.engine_status.engine_badge",
                "dashboard.web.operations.accounts.guard.account_context",
            ],
        },
    },
]

#: Sign-in with OpenID Connect, if it is configured (``web.operations.accounts.openid``).
OIDC_ISSUER = configuration.value("NETMODES_OIDC_ISSUER")
OIDC_NAME = configuration.value("NETMODES_OIDC_NAME", "OpenID Connect")
_OIDC = (
    OIDC_ISSUER,
    configuration.value("NETMODES_OIDC_CLIENT_ID"),
    configuration.value("NETMODES_OIDC_CLIENT_SECRET"),
)
if _problem := openid_problem(*_OIDC):
    raise configuration.ConfigurationError(_problem)
if OIDC_ISSUER:
    configuration.require_package("allauth", "django-allauth", "oidc")
    INSTALLED_APPS += ["allauth", "allauth.account", "allauth.socialaccount"]
    INSTALLED_APPS += ["allauth.socialaccount.providers.openid_connect"]
    MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
    SOCIALACCOUNT_PROVIDERS = provider_settings(OIDC_NAME, *_OIDC)
    SOCIALACCOUNT_ADAPTER = "dashboard.web.operations.accounts.openid.InvitedOnlyAdapter"
    SOCIALACCOUNT_REQUESTS_TIMEOUT = 10
    SOCIALACCOUNT_STORE_TOKENS = False
    ACCOUNT_EMAIL_VERIFICATION = "none"

#: WAL, IMMEDIATE and a timeout: without any of the three, concurrent writers fail. A connection keeps at most 500 KB of
#: pages instead of 2 MB: every thread has a connection, and the kernel caches the file.
SQLITE_OPTIONS = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; "
    "PRAGMA cache_size=-500;",
}
#: The installation that this machine has joined (``./netmodes join``).
_JOINED = configuration.joined(DATA_DIR)
#: Empty: SQLite in the data folder.
DATABASE_URL = configuration.value("DATABASE_URL") or _JOINED.get("database", "")
try:
    DATABASES = {"default": dj_database_url.parse(DATABASE_URL or "sqlite://")}
except ValueError:
    # The URL is not part of the message, because it may contain a password.
    raise configuration.ConfigurationError(
        "DATABASE_URL is not the URL of a database. Use the form postgres://USER:PASSWORD@HOST/NAME, and write special "
        "characters in the password as %XX."
    ) from None
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Not a URL for the data folder: in URLs, the characters #, ? and % of its path have a meaning.
    _name = DATABASES["default"]["NAME"] if DATABASE_URL else str(DATA_DIR / "netmodes.db")
    # The web process of root's lab has another current folder.
    DATABASES["default"]["NAME"] = configuration.absolute_database(_name)
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.db")}
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    configuration.require_package("psycopg", "psycopg", "team")
    configuration.configure_pool(DATABASES["default"])
else:
    raise configuration.ConfigurationError("DATABASE_URL names neither a PostgreSQL nor a SQLite database.")

#: Days after which ended data is deleted (0: never), and the size of all journals above which the oldest ended
#: experiments are deleted.
RETENTION_DAYS = configuration.number("NETMODES_RETENTION_DAYS", 365, maximum=MAX_DAYS)
MAX_JOURNALS_BYTES = int(configuration.number("NETMODES_JOURNALS_MB", 2048, maximum=1e9) * 1e6)

#: The NATS server over which web processes and the lab exchange messages (``lab.remote.nats_connection``).
NATS_URL = configuration.value("NATS_URL") or _JOINED.get("nats", "")

#: The name under which this machine has joined an installation; empty: its lab is the installation's own.
MACHINE = configuration.value("NETMODES_MACHINE") or _JOINED.get("machine", "")
#: The addresses at which machines that join reach PostgreSQL and NATS; empty: those that this process uses.
MACHINES_DATABASE = configuration.value("NETMODES_MACHINES_DATABASE")
MACHINES_NATS = configuration.value("NETMODES_MACHINES_NATS")

SESSION_ENGINE = "dashboard.web.http.browser_sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_SAMESITE = "Strict"
SECURE_REFERRER_POLICY = "same-origin"
#: The checks of ``check --deploy`` for TLS, which ends at the proxy: the proxy redirects to HTTPS and sends HSTS
#: (docs/deploying.md), and ``web.http.proxies`` makes cookies Secure where a request came over TLS.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]

STATIC_URL = "/static/"
STATICFILES_DIRS: list[Path] = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "dashboard.web.http.static_files.VersionedStorage"},
}
STATIC_ROOT = DATA_DIR / "static"
with configuration.require_usable_data():
    STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 0
WHITENOISE_ALLOW_ALL_ORIGINS = False

LOGIN_URL = "/sign-in/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
_LOG_LEVEL = configuration.value("NETMODES_LOG_LEVEL", "WARNING")
if _LOG_LEVEL not in logging.getLevelNamesMapping():
    raise configuration.ConfigurationError(
        f"NETMODES_LOG_LEVEL is {_LOG_LEVEL[:40]}: use DEBUG, INFO, WARNING or ERROR."
    )
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {
        "tokens": {"()": "dashboard.web.http.redaction.RedactTokens"},
        "tracebacks": {"()": "dashboard.web.http.redaction.OmitTraceback"},
        "cancelled": {"()": "dashboard.web.http.redaction.OmitCancelled"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["tokens", "tracebacks"]}
    },
    "loggers": {
        **{name: {"filters": ["tokens"]} for name in ("django.request", "django.security.csrf")},
        "asyncio": {"filters": ["cancelled"]},
        # Logs every second that the database is unavailable; the code that needs it logs it once.
        "psycopg.pool": {"level": "ERROR"},
    },
    "root": {"handlers": ["stderr"], "level": _LOG_LEVEL},
}
