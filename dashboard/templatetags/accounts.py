"""``{% creator OWNER %}``: the name of the account that created an object."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

register = template.Library()


@register.simple_tag(takes_context=True)
def creator(context: template.Context, owner: int | None) -> SafeString | str:
    """Returns an element with “by NAME”. The context variable ``creators`` maps ids of accounts to names. Empty if it
    has no name for the account ``owner``; while only one account exists, it has no names."""
    name = (context.get("creators") or {}).get(owner, "")
    return format_html('<span class="soft creator">{}</span>', _("by %(name)s") % {"name": name}) if name else ""
