"""Sign-in with OpenID Connect, implemented by django-allauth. Its routes exist only if a provider is configured.

Only invited people can sign in. Their account is found by the verified e-mail address at the first sign-in, which
stores the provider's id (``sub``). Later it is found by this id.
"""

from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.adapter import get_adapter as social_adapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthError
from allauth.socialaccount.providers.openid_connect.views import callback as finish
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from requests import RequestException

from dashboard.core.operations.openid import PROVIDER
from dashboard.store.operations import audit
from dashboard.web.http.sign_in import SIGN_IN, enter, keep_secret, sign_in_page
from dashboard.web.http.threaded_views import threaded

WAY = "OpenID Connect"


class InvitedOnlyAdapter(DefaultSocialAccountAdapter):
    """Signs in the account that was invited with the address that the provider has verified. Signing up is not
    possible."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Returns False, because signing up is not possible."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Signs the person in, or refuses.

        In both cases raises ImmediateHttpResponse, which ends django-allauth's own handling.
        """
        raise ImmediateHttpResponse(_enter(request, sociallogin))

    def on_authentication_error(self, request: HttpRequest, *_args: Any, error: Any = None, **_context: Any) -> None:
        """Shows the sign-in page with the reason, by raising ImmediateHttpResponse."""
        cancelled = error == AuthError.CANCELLED
        problem = (
            _("The sign-in was cancelled.") if cancelled else _("The provider did not confirm the sign-in. Try again.")
        )
        raise ImmediateHttpResponse(sign_in_page(request, problem=problem))


def _invited(sociallogin: SocialLogin) -> User | None:
    """Returns the active account of this person; None if no account matches, or if the address belongs to several
    accounts."""
    if sociallogin.is_existing:
        known = sociallogin.user
        return known if isinstance(known, User) and known.is_active else None
    verified = [address.email for address in sociallogin.email_addresses if address.verified and address.email]
    found = [user for email in verified for user in User.objects.filter(email__iexact=email, is_active=True)]
    return found[0] if len(found) == 1 else None


def _enter(request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
    user = _invited(sociallogin)
    if user is None:
        address = str(request.META.get("REMOTE_ADDR", ""))
        email = next((one.email for one in sociallogin.email_addresses), "")
        audit.record(SIGN_IN, f"{WAY} {email}", audit.REFUSED, account="unknown", address=address)
        problem = _("No account was invited with your verified e-mail address. Ask an owner of this server.")
        return sign_in_page(request, 403, problem=problem)
    if not sociallogin.is_existing:
        sociallogin.connect(request, user)
    enter(request, user, WAY)
    return redirect("/")


@require_POST
@threaded
def start(request: HttpRequest) -> HttpResponseBase:
    """Sends the browser to the provider, with a page instead of a redirect.

    Browsers apply ``form-action`` of the content security policy also to redirects after a form, and a provider may
    redirect further.
    """
    try:
        provider = social_adapter().get_provider(request, PROVIDER)
        answer: HttpResponse = provider.redirect_from_request(request)
    except (RequestException, KeyError, ValueError):
        return sign_in_page(
            request, 502, problem=_("The sign-in provider does not answer. Use a link, or try again later.")
        )
    location = answer.headers.get("Location", "")
    if not location:
        return answer
    response = render(request, "operations/accounts/to_provider.html", {"location": location})
    response["Referrer-Policy"] = "no-referrer"
    return response


@require_safe
@threaded
def callback(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Handles the provider's answer: a code that django-allauth exchanges for the person's id and address."""
    return keep_secret(finish(request, provider_id))
