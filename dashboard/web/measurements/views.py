"""Pages of measurements: starts, shows, cancels and lists them, and shows a series over time."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.measurements.conditions import Conditions, parse_conditions
from dashboard.core.measurements.measurement import Options, Probe, check_options
from dashboard.core.measurements.series_labels import label_signatures
from dashboard.core.paths.clients.machines import MAX_CLIENTS
from dashboard.models import Experiment, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store import machines, parts
from dashboard.store.measurements import blocks as block_store
from dashboard.store.measurements import history as measurement_history
from dashboard.store.measurements import requests as measurement_requests
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.operations.storage import NoSpaceError
from dashboard.store.training import group_runs
from dashboard.store.training.hosts import NoHostError, QuotaError
from dashboard.web.http.refusals import NO_SPACE
from dashboard.web.http.url_scope import SERVER_SCOPE, UrlScope
from dashboard.web.measurements.serializers import list_runs, show_run
from dashboard.web.operations.accounts.creators import creators_of
from dashboard.web.operations.machines.clients import TOO_MANY, client_choices, other_machines
from dashboard.web.service import service

SHOWN = 100
NOT_A_CLIENT = "“{0}” is not another machine of this installation. Choose one from the list."
FIELDS = ("seconds", "payload", "rate", "width", "name", "conditions", "machine")


class InvalidOptionsError(Exception):
    """The options of a measurement are invalid. ``sentences`` state what to change."""

    def __init__(self, sentences: tuple[str, ...]) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


def _number(text: str, what: str, found: list[str]) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        found.append(f"{what} must be a number, not “{text[:40]}”.")
        return None


def _whole(text: str, what: str, found: list[str]) -> int:
    """Parses a whole number. Returns 0 if the text is empty or invalid.

    If it is invalid, adds a sentence to the list ``found``. ``what`` is the name of the number in that
    sentence.
    """
    try:
        return int(text.strip() or 0)
    except ValueError:
        found.append(f"{what} must be a whole number, not “{text[:40]}”.")
        return 0


def _conditions(text: str, found: list[str]) -> Conditions:
    """Parses the conditions of a measurement. Returns the quiet conditions if the text is empty or invalid.

    If it is invalid, adds a sentence with the problem to the list ``found``.
    """
    try:
        return parse_conditions(text.strip() or Conditions.QUIET)
    except ValueError as error:
        found.append(str(error))
        return Conditions.QUIET


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    return "" if value is None else str(value)


def read_options(values: dict[str, Any]) -> tuple[tuple[Probe, ...], Options]:
    """Returns the probes and options in the fields of a form or a JSON body.

    Raises InvalidOptionsError with a sentence for each problem.
    """
    found: list[str] = []
    probes: list[Probe] = []
    for text in values.get("probe") or ["tcp-rr"]:
        try:
            probes.append(Probe(str(text)))
        except ValueError:
            found.append(f"There is no probe “{str(text)[:40]}”: choose from {', '.join(Probe)}.")
    seconds = _number(_text(values, "seconds"), "The duration", found)
    payload = _whole(_text(values, "payload"), "The payload", found)
    options = Options(
        seconds=10.0 if seconds is None else seconds,
        payload_bytes=payload,
        rate=_number(_text(values, "rate"), "The rate", found),
        width_us=_number(_text(values, "width"), "The interval", found),
        under_load=values.get("under_load") in {True, "on", "true", "1"},
        lookup_name=str(values.get("name") or "localhost")[:253],
        conditions=_conditions(_text(values, "conditions"), found),
    )
    chosen = tuple(dict.fromkeys(probes))
    found += check_options(options, chosen)
    if found:
        raise InvalidOptionsError(tuple(found))
    return chosen, options


def read_machines(values: dict[str, Any], row: Experiment, options: Options) -> tuple[str, ...]:
    """Returns the names of the machines from which to measure, other than the machine that runs the experiment.

    ``values`` are the fields of the form, ``row`` is the experiment. Raises InvalidOptionsError with a sentence for
    each problem.
    """
    names = tuple(dict.fromkeys(str(name) for name in values.get("from_machine") or ()))
    if not names:
        return ()
    if row.host:
        raise InvalidOptionsError(
            (_("An experiment on a private host cannot be measured from other machines. Deselect them."),)
        )
    known = other_machines(row.machine_id)
    problems = [known.get(name, NOT_A_CLIENT.format(name[:40])) for name in names]
    if len(names) > MAX_CLIENTS:
        problems.append(TOO_MANY.format(MAX_CLIENTS))
    if options.under_load:
        problems.append("“Under load” works on one machine only. Measure from other machines separately.")
    if any(problems):
        raise InvalidOptionsError(tuple(filter(None, problems)))
    return names


def start_run(identity: str, values: dict[str, Any], owner_id: int | None) -> str:
    """Requests a measurement run of the experiment ``identity``, wakes the lab, and returns the run's id.

    ``values`` are the fields of the form. An experiment on several machines is measured on the machine in the field
    ``machine``. Raises Http404, InvalidOptionsError, MachineClosedError or NoSpaceError.
    """
    row = Experiment.objects.filter(pk=identity).first()
    if row is not None and row.parts:
        ids = parts.ids_of(row.parts)
        chosen = values.get("machine") or next(iter(ids))
        if chosen not in ids:
            raise InvalidOptionsError((f"Choose the machine to measure on: {', '.join(ids)}.",))
        # The form offers all machines in ``from_machine``, because it does not know which one will be chosen.
        others = [name for name in values.get("from_machine") or () if name != chosen]
        return start_run(ids[chosen], {**values, "from_machine": others}, owner_id)
    if row is None:
        raise Http404(_("No experiment has this id."))
    probes, options = read_options(values)
    names = read_machines(values, row, options)
    if row.group:
        try:
            run = group_runs.measure(identity, row.group, probes, options, owner_id)
        except (NoHostError, QuotaError) as error:
            raise InvalidOptionsError((str(error),)) from error
        service.wake()
        return run
    machines.require_open(row.machine_id)
    run = measurement_requests.request_run(row, probes, options, owner_id, clients=names)
    service.wake()
    return run


def _typed(post: QueryDict) -> dict[str, Any]:
    return {
        **{name: post.get(name, "") for name in FIELDS},
        "probe": post.getlist("probe"),
        "under_load": post.get("under_load", ""),
        "from_machine": post.getlist("from_machine"),
    }


@require_POST
def start(request: HttpRequest, identity: str, scope: UrlScope = SERVER_SCOPE) -> HttpResponse:
    """Requests a measurement run of an experiment.

    If it is refused, or the disk is full, shows the form again with its input and the problems.
    """
    values = _typed(request.POST)
    try:
        run = start_run(identity, values, request.user.pk)
    except InvalidOptionsError as error:
        problems, status = error.sentences, 400
    except NoSpaceError as error:
        problems, status = (str(error),), NO_SPACE
    else:
        return redirect(scope.measurement(run))
    record = experiment_store.load(identity)
    context = {
        "problems": problems,
        "values": values,
        "experiment_url": scope.experiment(identity),
        "parts": parts.ids_of(record.parts) if record is not None else {},
        "machine_clients": client_choices(identity),
    }
    return render(request, "measurements/measure.html", {**context, **scope.context}, status=status)


@require_GET
def measurement(request: HttpRequest, identity: str, scope: UrlScope = SERVER_SCOPE) -> HttpResponse:
    """Renders the page of one run, with all its current figures."""
    shown = show_run(identity)
    if shown is None or shown.measurement is None:
        raise Http404(_("No measurement has this id."))
    blocks, _newest = block_store.light_blocks(identity)
    live, run = shown.run["state"] in measurement_store.LIVE, shown.run
    if scope.group:
        source = run["experiment_id"]
        run = {**run, "experiment_url": scope.experiment(source) if source else None}
    chosen = measurement_store.chosen_experiment(identity)
    context = {
        "run": run,
        "chosen_url": scope.experiment(chosen) if chosen else "",
        "measurement": shown.measurement,
        "blocks": blocks,
        "column_modes": measurement_store.column_modes(identity),
        "ws_path": f"/ws/measurements/{identity}/" if live else "",
        "cancel_url": f"{scope.measurement(identity)}cancel/",
        "distribution_url": f"{scope.front if scope.group else '/api/'}measurements/{identity}/distribution",
        **scope.context,
    }
    return render(request, "measurements/measurement.html", context)


@require_POST
def cancel(request: HttpRequest, identity: str, scope: UrlScope = SERVER_SCOPE) -> HttpResponse:
    """Cancels a run. Finished blocks are kept."""
    if not measurement_store.exists(identity):
        raise Http404(_("No measurement has this id."))
    measurement_store.want_cancelled(identity)
    service.wake()
    return redirect(scope.measurement(identity))


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Renders the page of the newest runs and of all measured series."""
    creators = creators_of(request)
    rows = creators.filter(MeasurementRun.objects.filter(group="")).order_by("-created_at")[:SHOWN]
    series = measurement_history.signatures()
    labels = label_signatures(str(one["signature"]) for one in series)
    named = [{**one, "words": labels[str(one["signature"])].words} for one in series]
    context = {"runs": list_runs(rows), "signatures": named, **creators.context}
    return render(request, "measurements/measurements.html", context)


@require_GET
def history(request: HttpRequest) -> HttpResponse:
    """Renders the page that shows one series over time."""
    signature = request.GET.get("signature", "")[:200]
    points = measurement_history.history(signature)
    if not points and not measurement_history.is_known(signature):
        raise Http404(_("No measured series has this name."))
    words = label_signatures([signature])[signature].words
    return render(request, "measurements/history.html", {"signature": signature, "words": words, "points": points})
