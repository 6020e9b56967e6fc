"""Where an experiment can be launched. A place is the engine of a machine, or a private host."""

from collections.abc import Iterable

from dashboard.core.experiments.machines.parts import SERVER_NAME
from dashboard.core.operations.deployment import ENGINE_UNAVAILABLE, NO_LAB
from dashboard.core.operations.machines import first_machine, place_of, split_place
from dashboard.store import machines
from dashboard.web.experiments.lan_views import LaunchHost, launch_hosts
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import service


def machine_places() -> dict[str, LaunchHost]:
    """Returns the engines of the connected machines that accept new work, without the server's own, by the name of the
    place (``core.operations.machines.place_of``). Queries the database."""
    places = {}
    if (labs := service.labs) is not None:
        for record in machines.list_machines():
            lab = labs.of(record.name)
            engine = lab.facts.engine
            if record.accepts_work and lab.accepts_calls and engine is not None:
                place = place_of(record.name, "")
                places[place] = LaunchHost(place, record.name, f"Engine {engine.version}", swarm=False)
    return places


async def launch_places() -> dict[str, LaunchHost]:
    """Returns the places other than the server's own engine, by name: ``machine_places``, and the hosts of LANs."""
    return {**await to_db_thread(machine_places), **await launch_hosts()}


def own_engine_problem() -> str:
    """Returns why nothing can be launched on the server's own engine; empty if launches are possible.

    Also empty in an installation that machines cannot join: there, the start page asks this engine and shows its error.
    """
    if service.labs is None:
        return ""
    lab = service.labs.server
    if lab.accepts_calls and lab.facts.engine is not None:
        return ""
    return lab.version_problem or lab.facts.problem or ENGINE_UNAVAILABLE


def default_machine() -> str | None:
    """Returns the machine on which arms run that name none. None is the installation's own machine.

    If no lab has started there, nothing would ever launch them: then it is the first machine that responds. Queries the
    database.
    """
    return split_place(first_machine(machine_places()))[0] if own_engine_problem() == NO_LAB else None


def machine_names(places: Iterable[str], place: str = "") -> tuple[str, ...]:
    """Returns the names of the machines that arms of an experiment at ``place`` can select.

    ``places`` are the names of the available places. The result is empty if no other machine is connected, or if
    ``place`` is a private host.
    """
    joined = [name for name, host in map(split_place, places) if name is not None and not host]
    if not joined or split_place(place)[1] or service.labs is None:
        return ()
    return (*([SERVER_NAME] if service.labs.server.accepts_calls else []), *joined)
