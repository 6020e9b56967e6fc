"""Where an experiment can be launched: on the engine of a machine, or on a host of a LAN."""

from dashboard.core.operations.machines import place_of
from dashboard.store import machines
from dashboard.web.experiments.lan_views import LaunchHost, launch_hosts
from dashboard.web.http.database import in_database
from dashboard.web.service import service


async def launch_places() -> dict[str, LaunchHost]:
    """The places by name (``core.operations.machines.split_place``), apart from the server's own engine: machines that
    are connected and accept new work, and the hosts of LANs."""
    places = {}
    if (labs := service.labs) is not None:
        for record in await in_database(machines.list_machines):
            lab = labs.of(record.name)
            engine = lab.facts.engine
            if record.accepts_work and lab.accepts_calls and engine is not None:
                place = place_of(record.name, "")
                places[place] = LaunchHost(place, record.name, f"Engine {engine.version}", swarm=False)
    return {**places, **await launch_hosts()}
