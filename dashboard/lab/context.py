"""The context of a lab: the engine, database and publisher that all its modules use."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dashboard.core.experiments.messages import EngineRef, ReportedEngine
from dashboard.core.operations.machines import place_of
from dashboard.engine.protocol import Engine, EngineInfo
from dashboard.lab.engine.keeper import EngineKeeper
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.watch_pool import WatchPool
from dashboard.store.database import DatabaseThread
from dashboard.store.machines import here

LABEL = "dev.netmodes.installation"
LABEL_EXPERIMENT = "dev.netmodes.experiment"
LABEL_ARM = "dev.netmodes.arm"
LABEL_ROUND = "dev.netmodes.round"
#: The label with the place of the lab that created a network; only on networks that other machines also see.
LABEL_PLACE = "dev.netmodes.place"


@dataclass(slots=True)
class Context:
    """The objects and settings that all modules of a lab use.

    ``installation`` is the id of the installation. ``private`` is true if the engine runs on a private host.
    ``temporary`` is true if this private host ends with the process. If its engine ends earlier, ``keeper`` restarts
    the engine.

    ``host`` is the id of the group's or LAN's private host that the lab serves. It is empty if the lab serves the
    server's own engine. The lab drives only the experiments of ``host``. ``cpus`` is the limit of ``host`` in cores, 0
    if it has no limit.
    """

    engine: Engine
    info: EngineInfo
    private: bool
    installation: str
    data_dir: Path
    database: DatabaseThread
    publisher: Publisher
    watches: WatchPool
    clock: Callable[[], float]
    temporary: bool = False
    host: str = ""
    cpus: float = 0.0
    keeper: EngineKeeper | None = None

    @property
    def ref(self) -> EngineRef:
        """The engine's description in messages to pages: versions, name, endpoint and kind."""
        return self.info.reference(private=self.private)

    @property
    def reported_engine(self) -> ReportedEngine:
        """The facts that the engine reports about itself, shown in the machine's column of a comparison."""
        info = self.info
        return ReportedEngine(
            version=info.version,
            kind=info.kind,
            api=info.api,
            kernel=info.kernel,
            system=info.system,
            firewall=info.firewall_backend,
            userland_proxy=info.userland_proxy,
            cgroups=info.cgroup_version,
            drivers=info.network_plugins,
        )

    @property
    def place(self) -> str:
        """The machine and the private host of the engine in one text, in the syntax that
        ``core.operations.machines.split_place`` describes."""
        return place_of(here(), self.host)

    def labels(self, experiment: str | None = None, arm: str | None = None) -> dict[str, str]:
        """Returns the labels for containers and networks of this installation. With ``experiment`` or ``arm``, adds the
        labels that hold their ids."""
        labels = {LABEL: self.installation}
        if experiment is not None:
            labels[LABEL_EXPERIMENT] = experiment
        if arm is not None:
            labels[LABEL_ARM] = arm
        return labels
