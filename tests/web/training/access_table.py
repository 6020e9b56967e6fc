"""The clients of two training sessions, and which of them may use which URL and websocket."""

#: ``ada`` and ``bea`` share a host, ``bob`` has another in the same session, ``outsider`` is in another session.
#: ``owner`` is the instructor of the session, ``rival`` of the other.
PARTICIPANTS = {"ada", "bea", "bob"}
EVERYBODY = {"stranger", "ada", "bea", "bob", "outsider", "owner", "rival"}
MAY = {
    "anybody": EVERYBODY,
    "signed-in users": {"owner", "rival"},
    "owners": {"owner"},
    "the session": PARTICIPANTS | {"owner"},
    "participants of the session": PARTICIPANTS,
    "the group": {"ada", "bea"},
    "the instructor": {"owner"},
    # The instructor has a run of a group at the URLs of the server's own engine, too.
    "the owner of the run": {"owner"},
}

EXPERIMENT = "/experiments/<identity>/"
LAB = "/sessions/<identity>/lab/"
CONSOLE = "/sessions/<identity>/console/"
API = "/api/"
ACTIONS = ("try", "trace", "inspect", "track", "measure", "save", "rename", "again", "restart", "stop", "remove")

TABLE: dict[str, tuple[str, ...]] = {
    "anybody": (
        "/sign-in/",
        "/join/",
        "/seat/<token>/",
        "/r/<token>/",
        "/results/<token>/",
        "/machines/join/",
        "/readyz",
        "/docs/",
        "/docs/<name>/",
        "/docs/<name>",
    ),
    "signed-in users": (
        "/",
        "/experiments/",
        "/presets/",
        "/lans/",
        "/lans/create/",
        "/lans/<name>/<what>/",
        "/engine/start/",
        "/measurements/",
        "/measurements/history/",
        "/claims/",
        "/claims/run/",
        "/questions/",
        "/questions/<name>/run/",
        "/misconceptions/",
        "/misconceptions/<name>/",
        "/misconceptions/<name>/run/",
        "/doctor/",
        "/machines/",
        "/favicon.ico",
        "/metrics",
        "/reports/",
        "/reports/import/",
        "/reports/example/",
        "/reports/example/track/",
        "/reports/compare/",
        "/reports/deleted/",
        "/reports/<identity>/copy/",
        "/reports/<identity>/purge/",
        "/reports/trends/<signature>/",
        "/reports/<identity>/",
        "/reports/<identity>/export.<ending>",
        "/reports/<identity>/track/",
        "/reports/<identity>/annotate/",
        "/reports/<identity>/archive/",
        "/reports/<identity>/delete/",
        "/reports/<identity>/undelete/",
        "/reports/<identity>/repeat/",
        "/reports/<identity>/share/",
        "/reports/<identity>/shares/<number>/revoke/",
        "/workshop/",
        "/workshop/<workshop>/",
        "/workshop/<workshop>/start/",
        "/workshop/<workshop>/again/",
        "/workshop/<workshop>/result/",
        "/workshop/<workshop>/<step>/",
        "/workshop/<workshop>/<step>/predict/",
        "/workshop/<workshop>/<step>/run/",
        "/workshop/<workshop>/<step>/check/",
        "/workshop/<workshop>/<step>/hint/",
        "/workshop/<workshop>/<step>/measure/",
        "/sessions/",
        "/sessions/new/",
        API,
        f"{API}docs",
        f"{API}openapi.json",
        f"{API}doctor",
        f"{API}sessions",
        f"{API}schemas/<name>/<version>",
        f"{API}experiments",
        f"{API}measurements",
        f"{API}claims",
        f"{API}claims/runs",
        f"{API}misconceptions",
        f"{API}misconceptions/<name>",
        f"{API}reports",
        f"{API}reports/import",
        f"{API}reports/trends/<signature>",
        f"{API}reports/<identity>",
        f"{API}reports/<identity>/about",
        f"{API}reports/<identity>/export/<ending>",
        f"{API}reports/<identity>/removed",
        f"{API}reports/<identity>/remarks",
        f"{API}reports/<identity>/shares",
        f"{API}reports/<identity>/shares/<number>/revoke",
        f"{API}reports/<identity>/<action>",
        "/account/",
        "/sign-out/",
    ),
    "owners": (
        "/accounts/",
        "/accounts/<account>/<what>/",
        "/audit/",
        "/audit/export.<ending>",
        "/machines/swarm/",
        "/machines/tokens/",
        "/machines/tokens/<token>/revoke/",
        "/machines/<name>/<what>/",
    ),
    "the session": ("/sessions/<identity>/", "/sessions/<identity>/results/"),
    "participants of the session": (
        "/sessions/<identity>/hand/",
        "/sessions/<identity>/host/",
        "/sessions/<identity>/device/",
        "/sessions/<identity>/mirror/",
        "/sessions/<identity>/results/link/",
        *(
            f"/sessions/<identity>/steps/<step>/{one}"
            for one in ("", "opened/", "predict/", "run/", "check/", "hint/", "measure/")
        ),
        LAB,
        f"{LAB}experiments/",
        f"{LAB}claims/",
        f"{LAB}claims/run/",
        "/sessions/<identity>/leave/",
    ),
    "the group": (
        *(
            f"{LAB}experiments/<run_id>/{one}"
            for one in ("", "try/", "trace/", "inspect/", "track/", "measure/", "again/", "restart/", "stop/")
        ),
        *(f"{LAB}measurements/<run_id>/{one}" for one in ("", "cancel/", "distribution")),
        *(f"{LAB}claims/runs/<run_id>/{one}" for one in ("", "cancel/")),
    ),
    "the instructor": (
        CONSOLE,
        f"{CONSOLE}projector/",
        f"{CONSOLE}mirror/",
        f"{CONSOLE}removal/",
        f"{CONSOLE}steer/<what>/",
        f"{CONSOLE}seats/<participant>/",
        f"{CONSOLE}seats/<participant>/experiments/<run_id>/",
        f"{CONSOLE}seats/<participant>/terminal/",
        f"{CONSOLE}seats/<participant>/<what>/",
        *(f"{CONSOLE}results/{one}" for one in ("export.<ending>", "replay.html", "share/", "anonymous/")),
        f"{CONSOLE}results/shares/<number>/revoke/",
        f"{API}sessions/<identity>/report",
        f"{CONSOLE}delete/",
    ),
    "the owner of the run": (
        EXPERIMENT,
        *(f"{EXPERIMENT}{one}/" for one in ACTIONS),
        *(f"/measurements/<identity>/{one}" for one in ("", "save/", "cancel/")),
        *(f"/claims/runs/<identity>/{one}" for one in ("", "save/", "cancel/")),
        *(
            f"{API}experiments/<identity>{one}"
            for one in ("", "/comparison", "/journal", "/trace", "/rename", "/<action>")
        ),
        *(f"{API}measurements/<identity>{one}" for one in ("", "/distribution", "/cancel")),
        *(f"{API}claims/runs/<identity>{one}" for one in ("", "/cancel")),
    ),
}
SOCKETS = {
    "ws/experiments/<identity>/": "the group and its instructor",
    "ws/measurements/<identity>/": "the group and its instructor",
    "ws/sessions/<identity>/": "the session",
    "ws/sessions/<identity>/mirror/": "the session",
    "ws/sessions/<identity>/terminal/": "nobody: this session has no terminals",
    "": "nobody",
}
#: The ids filled in here do not exist, so permitted clients get a 404, too.
NOT_FOUND_FOR_ALL = (
    f"{CONSOLE}results/shares/<number>/revoke/",
    f"{CONSOLE}results/anonymous/",
    "/accounts/<account>/<what>/",
    "/machines/tokens/<token>/revoke/",
    "/machines/<name>/<what>/",
)
#: After these a client no longer has access.
LAST = ("/sign-out/", "/sessions/<identity>/leave/", f"{EXPERIMENT}remove/")
