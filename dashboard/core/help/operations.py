"""Help texts on operations: accounts, the audit trail, machines."""

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

_PAGE = "docs/operating.md"

HELP: tuple[Help, ...] = (
    Help(
        "engines",
        _("engines and kernels"),
        _(
            "What the engine of each machine reports: its version, its API, and the kernel on which it runs. They may "
            "explain a difference in the rows below. The page names them as the reason only if the rows prove it."
        ),
        "Docker Engine API, SystemVersion; Docker Engine API, SystemInfo",
    ),
    Help(
        "accounts",
        _("accounts"),
        _(
            "Several people share this server. Each has an account with a role; what an account launches, saves and "
            "teaches belongs to it. Accounts are deactivated, never deleted."
        ),
        _PAGE,
    ),
    Help(
        "machines",
        _("machines"),
        _(
            "Each machine has a Docker Engine and a lab that launches there. A measurement and a private host belong "
            "to one machine; an experiment can have arms on several. A drained machine gets no new ones; a revoked one "
            "can no longer connect."
        ),
        "docs/deploying.md",
    ),
    Help(
        "joined-machines",
        _("joined machines"),
        _(
            "A machine reports every two seconds. After seven seconds of silence the page shows it as absent; its "
            "containers keep running. Its lab works with this server if it is at most one minor version older."
        ),
        "docs/deploying.md",
    ),
    Help(
        "join-token",
        _("join tokens"),
        _(
            "The command contains a token that works once, within a day. The machine exchanges it for credentials with "
            "which it can access only its own messages and its own records in the database."
        ),
        "docs/deploying.md",
    ),
    Help(
        "machine-swarm",
        _("swarm of machines"),
        _(
            "Machines that form a swarm can have overlay networks, which span them: in an experiment on several "
            "machines, all arms in mode overlay share one network. Netmodes does not change a swarm that it did not "
            "form."
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
        _("“own” means only what the account created. Pages and API refuse other actions with 403 and the reason."),
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
        _(
            "Only the PBKDF2 hash of the password is stored. After ten wrong passwords, an IP address can try one "
            "password a minute."
        ),
        _PAGE,
    ),
    Help(
        "audit",
        _("the audit trail"),
        _(
            "Every command of an account, each sign-in and each sign-out: the time, the account, the command, the "
            "outcome, and the IP address. An entry is stored together with the change that it records, and cannot be "
            "changed."
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
