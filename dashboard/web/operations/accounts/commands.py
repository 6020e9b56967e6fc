"""All commands of the pages and the API: their names in the audit trail, and the actions that the role must permit."""

from collections.abc import Mapping
from dataclasses import dataclass

from dashboard.core.operations.roles import Action, OwnedKind


@dataclass(frozen=True, slots=True)
class Command:
    """A command, which a POST route executes.

    ``kind`` is the kind of the object in its URL, None if no account can own such objects. ``named_by`` are the
    parameters of the URL that the audit trail shows.
    """

    name: str
    action: Action
    kind: OwnedKind | None = None
    named_by: tuple[str, ...] = ("identity",)


_EXPERIMENT, _RUN = OwnedKind.EXPERIMENT, OwnedKind.MEASUREMENT
_CLAIMS, _REPORT = OwnedKind.CLAIMS, OwnedKind.REPORT
_E, _M, _R, _S = (
    "experiments/<str:identity>/",
    "measurements/<str:identity>/",
    "reports/<str:identity>/",
    "sessions/new/",
)
_CONSOLE, _STEP = "sessions/<str:identity>/console/", "workshop/<str:workshop>/<str:step>/"
_API_E, _API_R = "api/experiments/<identity>/", "api/reports/<identity>/"
_STEP_NAMES = ("workshop", "step")


def _change(name: str, kind: OwnedKind) -> Command:
    return Command(name, Action.CHANGE, kind)


def _report(name: str) -> Command:
    return Command(name, Action.CHANGE_REPORT, _REPORT)


def _lead(name: str, *more: str) -> Command:
    # No kind, so that ownership is not checked here: the view answers 404 for a session of another instructor.
    return Command(name, Action.LEAD, None, ("identity", *more))


#: The commands by route, as in the URL configuration; for the API, with the value of <action>. Other routes are
#: refused.
COMMANDS: Mapping[str, Command] = {
    "experiments/": Command("launch experiment", Action.LAUNCH),
    "presets/": Command("launch experiment", Action.LAUNCH),
    f"{_E}rename/": _change("rename experiment", _EXPERIMENT),
    f"{_E}stop/": _change("stop experiment", _EXPERIMENT),
    f"{_E}restart/": _change("launch experiment again", _EXPERIMENT),
    f"{_E}again/": _change("launch experiment again", _EXPERIMENT),
    f"{_E}remove/": _change("remove experiment", _EXPERIMENT),
    f"{_E}try/": Command("try paths", Action.LAUNCH, _EXPERIMENT),
    f"{_E}trace/": Command("trace path", Action.LAUNCH, _EXPERIMENT),
    f"{_E}inspect/": Command("inspect container", Action.READ, _EXPERIMENT),
    f"{_E}measure/": Command("measure", Action.LAUNCH, _EXPERIMENT),
    f"{_E}save/": Command("save report", Action.SAVE),
    f"{_M}cancel/": _change("cancel measurement", _RUN),
    f"{_M}save/": Command("save report", Action.SAVE),
    "claims/run/": Command("run claims", Action.LAUNCH),
    "claims/runs/<str:identity>/cancel/": _change("cancel claims", _CLAIMS),
    "claims/runs/<str:identity>/save/": Command("save report", Action.SAVE),
    "questions/<str:name>/run/": Command("run question", Action.LAUNCH, None, ("name",)),
    "misconceptions/<str:name>/run/": Command("run misconception", Action.LAUNCH, None, ("name",)),
    "reports/import/": Command("import report", Action.SAVE),
    f"{_R}copy/": Command("import report", Action.SAVE),
    f"{_R}annotate/": Command("write remark", Action.SAVE),
    f"{_R}repeat/": Command("launch experiment", Action.LAUNCH),
    f"{_R}archive/": _report("archive report"),
    f"{_R}delete/": _report("delete report"),
    f"{_R}undelete/": _report("restore report"),
    f"{_R}purge/": _report("delete report permanently"),
    f"{_R}share/": _report("share report"),
    f"{_R}shares/<str:number>/revoke/": _report("revoke link"),
    "workshop/<str:workshop>/start/": Command("start workshop", Action.LAUNCH, None, ("workshop",)),
    "workshop/<str:workshop>/again/": Command("start workshop again", Action.LAUNCH, None, ("workshop",)),
    f"{_STEP}predict/": Command("predict", Action.LAUNCH, None, _STEP_NAMES),
    f"{_STEP}run/": Command("run step", Action.LAUNCH, None, _STEP_NAMES),
    f"{_STEP}check/": Command("check step", Action.LAUNCH, None, _STEP_NAMES),
    f"{_STEP}hint/": Command("read hint", Action.LAUNCH, None, _STEP_NAMES),
    f"{_STEP}measure/": Command("measure step", Action.LAUNCH, None, _STEP_NAMES),
    _S: Command("create session", Action.OPEN_SESSION),
    f"{_CONSOLE}steer/<str:what>/": _lead("steer session", "what"),
    f"{_CONSOLE}delete/": _lead("delete session"),
    f"{_CONSOLE}removal/": _lead("remove participants"),
    f"{_CONSOLE}seats/<str:participant>/<str:what>/": _lead("change participant", "participant", "what"),
    f"{_CONSOLE}results/share/": _lead("share results"),
    f"{_CONSOLE}results/shares/<str:number>/revoke/": _lead("revoke link"),
    "lans/create/": Command("create LAN", Action.LANS, None, ()),
    "lans/<str:name>/<str:what>/": Command("change LAN", Action.LANS, None, ("name", "what")),
    "machines/tokens/": Command("create join token", Action.MANAGE, None, ()),
    "machines/tokens/<str:token>/revoke/": Command("revoke join token", Action.MANAGE, None, ("token",)),
    "machines/swarm/": Command("change swarm", Action.MANAGE, None, ()),
    "machines/<str:name>/<str:what>/": Command("change machine", Action.MANAGE, None, ("name", "what")),
    "engine/start/": Command("start engine", Action.START_ENGINE),
    "sign-out/": Command("sign out", Action.OWN_ACCOUNT),
    "account/": Command("set password", Action.OWN_ACCOUNT),
    "accounts/": Command("invite account", Action.MANAGE, None, ("account",)),
    "accounts/<int:account>/<str:what>/": Command("change account", Action.MANAGE, None, ("account", "what")),
    "api/experiments": Command("launch experiment", Action.LAUNCH),
    f"{_API_E}rename": _change("rename experiment", _EXPERIMENT),
    f"{_API_E}trace": Command("trace path", Action.LAUNCH, _EXPERIMENT),
    f"{_API_E}try": Command("try paths", Action.LAUNCH, _EXPERIMENT),
    f"{_API_E}stop": _change("stop experiment", _EXPERIMENT),
    f"{_API_E}again": _change("launch experiment again", _EXPERIMENT),
    f"{_API_E}remove": _change("remove experiment", _EXPERIMENT),
    "api/measurements": Command("measure", Action.LAUNCH),
    "api/measurements/<identity>/cancel": _change("cancel measurement", _RUN),
    "api/claims/runs": Command("run claims", Action.LAUNCH),
    "api/claims/runs/<identity>/cancel": _change("cancel claims", _CLAIMS),
    "api/misconceptions/<name>": Command("run misconception", Action.LAUNCH, None, ("name",)),
    "api/reports": Command("save report", Action.SAVE),
    "api/reports/import": Command("import report", Action.SAVE),
    f"{_API_R}remarks": Command("write remark", Action.SAVE),
    f"{_API_R}shares": _report("share report"),
    f"{_API_R}shares/<number>/revoke": _report("revoke link"),
    f"{_API_R}archive": _report("archive report"),
    f"{_API_R}unarchive": _report("restore report"),
    f"{_API_R}delete": _report("delete report"),
    f"{_API_R}undelete": _report("restore report"),
    f"{_API_R}purge": _report("delete report permanently"),
}

#: POST routes for which the guard records nothing, with the reason.
NOT_RECORDED: Mapping[str, str] = {
    "sign-in/": "the view records a sign-in itself, because the account is known only afterwards",
    "sign-in/openid/": "it only redirects to the provider; the sign-in is recorded when the provider answers",
    "api/": "no command: it answers 404",
    "api/docs": "no command: the documentation answers every method",
    "api/openapi.json": "no command: the documentation answers every method",
    "favicon.ico": "no command: a redirect to a static file",
    "machines/join/": "a machine joins; the view records it with the name of the machine",
    "join/": "a participant joins; the session stores its participants",
    "seat/<str:token>/": "a participant moves to another device; the session stores its participants",
    "sessions/<str:identity>/hand/": "a participant's command; the session's events contain it",
    "sessions/<str:identity>/host/": "a participant's command on the host of the group",
    "sessions/<str:identity>/device/": "a participant's command; it creates the link to another device",
    "sessions/<str:identity>/leave/": "a participant's command; the session stores its participants",
    "sessions/<str:identity>/results/link/": "a participant's command; it creates the link to their own results",
}
#: The routes of participants' commands in a session, which stores their answers and events.
PARTICIPANT_PREFIXES = ("sessions/<str:identity>/steps/", "sessions/<str:identity>/lab/")

#: The action that the role must permit to read a page. Pages that are not listed require only a sign-in.
PAGES: Mapping[str, Action] = {
    "sessions/new/": Action.OPEN_SESSION,
    "accounts/": Action.MANAGE,
    "machines/swarm/": Action.MANAGE,
    "audit/": Action.MANAGE,
    "audit/export.<str:ending>": Action.MANAGE,
}


def is_participants(route: str) -> bool:
    """Returns whether clients without an account use this route, so that its views check access themselves.

    These clients are participants, and programs such as machines that join.
    """
    return route in NOT_RECORDED or route.startswith(PARTICIPANT_PREFIXES)


def command_at(route: str, values: Mapping[str, object]) -> Command | None:
    """Returns the command of a POST request; None if its route has no command. ``values`` are the parameters in the
    URL."""
    return COMMANDS.get(route.replace("<action>", str(values.get("action", "")))) or COMMANDS.get(route)
