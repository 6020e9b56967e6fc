"""Help texts on operations: accounts, the audit trail, machines."""

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

_PAGE = "docs/operating.md"

HELP: tuple[Help, ...] = (
    Help(
        "engines",
        _("engines and kernels"),
        _(
            "What the engine of each machine reports: its version, its API, and the kernel that it found. A difference "
            "in the rows below may come from one of them; the page states that only where the rows show it."
        ),
        "Docker Engine API, SystemVersion; Docker Engine API, SystemInfo",
    ),
    Help(
        "accounts",
        _("accounts"),
        _(
            "Several people share this server: each has an account with a role, and what they launch, save and teach "
            "belongs to them. Accounts are deactivated, never deleted."
        ),
        _PAGE,
    ),
    Help(
        "machines",
        _("machines"),
        _(
            "Each machine has a Docker Engine and a lab that launches there. Experiments, measurements and private "
            "hosts belong to one machine. A drained machine gets no new ones; a revoked one can no longer connect."
        ),
        "docs/deploying.md",
    ),
    Help(
        "joined-machines",
        _("joined machines"),
        _(
            "A machine reports every two seconds. After seven seconds of silence the page shows it as absent; its "
            "containers keep running. Its lab may be one minor version older than this server."
        ),
        "docs/deploying.md",
    ),
    Help(
        "join-token",
        _("join tokens"),
        _(
            "The command contains a token that works once, within a day. The machine exchanges it for credentials that "
            "allow access to its own messages and rows only."
        ),
        "docs/deploying.md",
    ),
    Help(
        "machine-swarm",
        _("swarm of machines"),
        _(
            "Machines that form a swarm can have overlay networks, which span them: an experiment with the mode "
            "overlay on several machines has one network for all of its arms there. Netmodes does not change a swarm "
            "that it did not form."
        ),
        "docs/deploying.md",
    ),
    Help(
        "people",
        _("people"),
        _(
            "“Last active” is the last sign-in or command. Deactivation ends all browser sessions of an account and "
            "voids its links; everything that belongs to it stays."
        ),
        _PAGE,
    ),
    Help(
        "invite",
        _("invitations"),
        _(
            "The new account signs in with a link that works once and expires after an hour. The e-mail address is "
            "needed only for sign-in with OpenID Connect; nothing is sent to it."
        ),
        _PAGE,
    ),
    Help(
        "sign-in-link",
        _("a sign-in link"),
        _("Everyone with this link can sign in as this account, once. Only the hash of the link is stored."),
        _PAGE,
    ),
    Help(
        "roles",
        _("roles"),
        _(
            "“own” means everything that the account created. Pages and API refuse everything else with 403 and the "
            "reason."
        ),
        _PAGE,
    ),
    Help(
        "account",
        _("your account"),
        _("An owner gave you this account and its role. Sign in with a link, or set a password."),
        _PAGE,
    ),
    Help(
        "password",
        _("the password"),
        _("Only its PBKDF2 hash is stored. After ten wrong passwords an IP address can try one a minute."),
        _PAGE,
    ),
    Help(
        "audit",
        _("the audit trail"),
        _(
            "Every command of an account, each sign-in and sign-out: when, who, what, with which outcome, from which "
            "address. An entry is stored together with what the command changed, and cannot be changed."
        ),
        _PAGE,
    ),
    Help(
        "audit-entries",
        _("entries"),
        _(
            "“done”: the command was executed. “refused”: the role does not allow it, or the input was invalid. "
            "“failed”: an error of the server. Entries are deleted after the retention time."
        ),
        _PAGE,
    ),
)
