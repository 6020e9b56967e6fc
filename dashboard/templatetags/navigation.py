"""``{% navigation PLACE %}``: the entries in the header and the footer of every page."""

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

register = template.Library()

#: The entries of the header and of the footer: the URL, what the URLs of its pages start with, and the title.
_NAVIGATION: dict[str, tuple[tuple[str, str | tuple[str, ...], str], ...]] = {
    "pages": (
        ("/", "/experiments/", gettext_noop("Compare")),
        ("/workshop/", "/workshop/", gettext_noop("Workshops")),
        ("/sessions/", "/sessions/", gettext_noop("Sessions")),
        ("/measurements/", "/measurements/", gettext_noop("Measurements")),
        ("/questions/", ("/questions/", "/claims/", "/misconceptions/"), gettext_noop("Questions")),
        ("/reports/", "/reports/", gettext_noop("Reports")),
    ),
    "tools": (
        ("/docs/", "/docs/", gettext_noop("Documentation")),
        ("/lans/", "/lans/", gettext_noop("LANs")),
        ("/machines/", "/machines/", gettext_noop("Machines")),
        ("/doctor/", "/doctor/", gettext_noop("Doctor")),
        ("/api/docs", "/api/docs", gettext_noop("API")),
    ),
}
#: The entry of the footer about accounts, by role.
_ACCOUNTS: dict[str, tuple[tuple[str, str | tuple[str, ...], str], ...]] = {
    "owner": (("/accounts/", ("/accounts/", "/account/", "/audit/"), gettext_noop("Accounts")),),
    "instructor": (("/account/", "/account/", gettext_noop("Your account")),),
    "reader": (("/account/", "/account/", gettext_noop("Your account")),),
}


@register.simple_tag(takes_context=True)
def navigation(context: template.Context, place: str) -> list[dict[str, str]]:
    """Returns the entries of the header if ``place`` is ``pages``, of the footer if it is ``tools``. The value
    ``current`` of an entry is for aria-current: ``page`` on the entry's own page, ``true`` on pages below it, otherwise
    empty."""
    path = context["request"].path if "request" in context else ""
    entries = _NAVIGATION[place] + (_ACCOUNTS.get(str(context.get("role")), ()) if place == "tools" else ())
    return [
        {"url": url, "title": _(title), "current": "page" if path == url else "true" if path.startswith(below) else ""}
        for url, below, title in entries
    ]
