"""Queries of accounts: roles, ownership, invitations, sign-in links, and the end of browser sessions."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.core.operations.roles import AccountStatus, OwnedKind, Role, change_problem
from dashboard.core.training.join_codes import digest_of
from dashboard.models import Account, ClaimRun, Experiment, MeasurementRun, Report, SignInLink
from dashboard.store.operations.audit import audited, note
from dashboard.store.operations.database_clock import shared_clock

#: The name of the account that the first sign-in creates.
OWNER_NAME = "owner"
MAX_NAME, MAX_EMAIL, MAX_ACCOUNTS = 40, 150, 1000
#: How long a sign-in link is valid, in seconds.
LINK_LIFETIME_S = 3600
_TABLES: dict[OwnedKind, type[Experiment | MeasurementRun | ClaimRun | Report]] = {
    OwnedKind.EXPERIMENT: Experiment,
    OwnedKind.MEASUREMENT: MeasurementRun,
    OwnedKind.CLAIMS: ClaimRun,
    OwnedKind.REPORT: Report,
}


class AccountError(ValueError):
    """An account cannot be created or changed. ``str()`` is the reason, as a sentence."""


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """An account as lists show it. ``last_active`` is the time of its last sign-in or recorded command, in seconds
    since the epoch, 0 if it has neither. ``password`` is true if it can sign in with a password."""

    id: int
    name: str
    email: str
    role: Role
    active: bool
    last_active: float
    password: bool


def role_of(user: AbstractBaseUser | AnonymousUser) -> Role:
    """The role of a user. Without a stored role, the user “owner” is an owner, and every other user a reader."""
    stored = Account.objects.filter(user_id=user.pk or 0).values_list("role", flat=True).first()
    return _role(user.get_username(), stored)


def _role(name: str, stored: str | None) -> Role:
    if stored is None:
        return Role.OWNER if name == OWNER_NAME else Role.READER
    return Role(stored)


def belongs_to(kind: OwnedKind, identity: str, user: int) -> bool:
    """Whether the object with the id ``identity`` belongs to the account ``user``. True if the object does not exist,
    so that its page can report that it is missing."""
    row = _TABLES[kind].objects.filter(pk=identity).values_list("owner_id", flat=True)
    return user in row or not row


def creator_names() -> dict[int | None, str]:
    """The names of all accounts by id, to show who created an object. The key None stands for objects that were created
    without an account. They belong to ``the_owner``. The result is empty if only one account exists."""
    found: dict[int | None, str] = dict(User.objects.values_list("pk", "username"))
    if len(found) < 2:
        return {}
    found[None] = the_owner().username
    return found


def the_owner() -> User:
    """The account to which the links of ``./netmodes up`` and ``link`` sign in. It is the active owner named “owner”,
    otherwise the oldest active owner. Without an active owner, the account “owner” is created or activated."""
    owners = User.objects.filter(account__role=Role.OWNER, is_active=True).order_by("pk")
    first = owners.filter(username=OWNER_NAME).first() or owners.first()
    if first is not None:
        return first
    with transaction.atomic():
        user, created = User.objects.get_or_create(username=OWNER_NAME)
        if created:
            user.set_unusable_password()
        user.is_active = True
        user.save()
        Account.objects.update_or_create(user=user, defaults={"role": str(Role.OWNER)})
    return user


def _listed(row: User, stored_role: str | None, last_command: float) -> ListedAccount:
    signed_in = row.last_login.timestamp() if row.last_login else 0.0
    return ListedAccount(
        row.pk,
        row.username,
        row.email,
        _role(row.username, stored_role),
        row.is_active,
        max(signed_in, last_command),
        bool(row.password) and row.has_usable_password(),
    )


def listed(users: QuerySet[User] | None = None) -> tuple[ListedAccount, ...]:
    """The accounts in ``users``, or all accounts if it is None, oldest first."""
    rows = User.objects.all() if users is None else users
    rows = rows.annotate(last_command=Max("auditentry__at"), stored_role=F("account__role")).order_by("pk")
    return tuple(_listed(row, row.stored_role, row.last_command or 0.0) for row in rows)


def find(name: str) -> ListedAccount:
    """The account with this name. Raises AccountError if it does not exist."""
    found = listed(User.objects.filter(username=name))
    if not found:
        raise AccountError(_("No account is named “%(name)s”.") % {"name": name[:MAX_NAME]})
    return found[0]


def _require_valid(name: str, email: str) -> None:
    try:
        UnicodeUsernameValidator()(name)
        if email:
            validate_email(email)
    except ValidationError as error:
        raise AccountError(" ".join(map(str, error.messages))) from None
    if len(name) > MAX_NAME:
        raise AccountError(_("A name has at most %(limit)d characters.") % {"limit": MAX_NAME})
    if len(email) > MAX_EMAIL:
        raise AccountError(_("An email address has at most %(limit)d characters.") % {"limit": MAX_EMAIL})
    if User.objects.filter(username__iexact=name).exists():
        raise AccountError(_("An account named “%(name)s” already exists.") % {"name": name})
    if email and User.objects.filter(email__iexact=email).exists():
        raise AccountError(_("An account with the address “%(email)s” already exists.") % {"email": email})
    if User.objects.count() >= MAX_ACCOUNTS:
        raise AccountError(_("There are %(limit)d accounts, which is the limit.") % {"limit": MAX_ACCOUNTS})


def invite(name: str, email: str, role: Role) -> str:
    """Creates an account and returns the token of its first sign-in link. Raises AccountError if the name or address is
    invalid or taken, or if there are too many accounts."""
    name, email = name.strip(), email.strip()
    the_owner()
    try:
        with transaction.atomic():
            _require_valid(name, email)
            user = User.objects.create_user(name, email)
            Account.objects.create(user=user, role=str(role))
            note(name)
            return make_token(user.pk)
    except IntegrityError:  # another owner has just invited the same name
        raise AccountError(_("An account named “%(name)s” already exists.") % {"name": name}) from None


@audited
def new_link(account: int) -> str:
    """Creates a sign-in link for an account and returns its token. Raises AccountError if the account is not active."""
    if not User.objects.filter(pk=account, is_active=True).exists():
        raise AccountError(_("This account is deactivated. Activate it first."))
    return make_token(account)


def _locked(account: int) -> tuple[User, AccountStatus]:
    user = User.objects.select_for_update().filter(pk=account).first()
    if user is None:
        raise AccountError(_("This account does not exist."))
    return user, AccountStatus(role_of(user), user.is_active)


def _require_change(user: User, before: AccountStatus, after: AccountStatus) -> None:
    owners = User.objects.filter(account__role=Role.OWNER, is_active=True).exclude(pk=user.pk).count()
    if refusal := change_problem(before, after, owners):
        raise AccountError(refusal.sentence)


@audited
@transaction.atomic
def change_role(account: int, role: Role) -> tuple[str, ...]:
    """Changes the role of an account, and returns the keys of the account's browser sessions. These stay valid, with
    the new role. Raises AccountError if no active owner would remain."""
    user, before = _locked(account)
    _require_change(user, before, AccountStatus(role, before.active))
    Account.objects.update_or_create(user=user, defaults={"role": str(role)})
    return _session_keys(account)


def roles_of(users: Iterable[int]) -> dict[int, str]:
    """The stored roles of these users, by user id. Users without a stored role are omitted."""
    return dict(Account.objects.filter(user_id__in=users).values_list("user_id", "role"))


@audited
@transaction.atomic
def set_active(account: int, *, active: bool) -> tuple[str, ...]:
    """Activates an account if ``active`` is true, otherwise deactivates it. Deactivating also invalidates the account's
    sign-in links and ends its browser sessions. Returns the keys of the ended browser sessions. Raises AccountError if
    no active owner would remain."""
    user, before = _locked(account)
    _require_change(user, before, AccountStatus(before.role, active))
    User.objects.filter(pk=account).update(is_active=active)
    return () if active else _end_sessions(account)


@audited
@transaction.atomic
def sign_out(account: int) -> tuple[str, ...]:
    """Ends all browser sessions of an account and returns their keys. Also invalidates its sign-in links."""
    return _end_sessions(account)


def _session_keys(account: int) -> tuple[str, ...]:
    live = Session.objects.filter(expire_date__gt=timezone.now())
    return tuple(row.session_key for row in live.iterator() if row.get_decoded().get(SESSION_KEY) == str(account))


def _end_sessions(account: int, kept: str = "") -> tuple[str, ...]:
    SignInLink.objects.filter(user_id=account).delete()
    keys = tuple(key for key in _session_keys(account) if key != kept)
    Session.objects.filter(session_key__in=keys).delete()
    return keys


def has_passwords() -> bool:
    """Whether an active account can sign in with a password."""
    stored = User.objects.filter(is_active=True).values_list("password", flat=True)
    return any(is_password_usable(password) for password in stored if password)


@audited
@transaction.atomic
def save_password(form: SetPasswordForm[User], kept: str) -> tuple[str, ...]:
    """Stores the password of a valid form. Also ends all browser sessions of the account except the one with the key
    ``kept``, and invalidates the account's sign-in links. Returns the keys of the ended browser sessions."""
    return _end_sessions(form.save().pk, kept)


def make_token(user: int | None = None) -> str:
    """Creates a sign-in link and returns its token of 256 random bits. ``user`` is the id of the account to which the
    link signs in; None stands for ``the_owner``. Also deletes expired links."""
    token = secrets.token_urlsafe(32)
    now = shared_clock()
    SignInLink.objects.filter(expires_at__lt=now).delete()
    SignInLink.objects.create(digest=digest_of(token), user_id=user, created_at=now, expires_at=now + LINK_LIFETIME_S)
    return token


def redeem(token: str) -> SignInLink | None:
    """Marks the sign-in link with this token as used and returns it. Returns None if the token is unknown, used or
    expired."""
    now = shared_clock()
    with transaction.atomic():
        links = SignInLink.objects.filter(digest=digest_of(token), used_at__isnull=True, expires_at__gte=now)
        if links.update(used_at=now) != 1:
            return None
        return SignInLink.objects.get(digest=digest_of(token))
