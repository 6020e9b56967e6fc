"""The context of a lab: the engine, database and publisher that all its parts use."""

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
    """The dependencies of a lab.

    ``temporary``: the engine is a private host that ends with this process, and ``keeper`` restarts it if it ends
    earlier. ``host``: the id of the private host if the engine is that of a group or of a LAN's host, empty for the
    server's own engine; the lab drives only experiments of that host. ``cpus``: the limit of that host in cores, 0
    without one.
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
        """The engine, described as in messages to pages."""
        return EngineRef(
            version=self.info.version,
            api=self.info.api,
            name=self.info.name,
            kernel=self.info.kernel,
            system=self.info.system,
            private=self.private,
            endpoint=self.info.endpoint,
            kind=self.info.kind,
        )

    @property
    def reported_engine(self) -> ReportedEngine:
        """The engine's own report about itself, for the machine's column."""
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
        """The name of the place where this lab's engine is (``core.operations.machines.split_place``)."""
        return place_of(here(), self.host)

    def labels(self, experiment: str | None = None, arm: str | None = None) -> dict[str, str]:
        """The labels of this installation's containers and networks, optionally with those of an experiment and an
        arm."""
        labels = {LABEL: self.installation}
        if experiment is not None:
            labels[LABEL_EXPERIMENT] = experiment
        if arm is not None:
            labels[LABEL_ARM] = arm
        return labels
