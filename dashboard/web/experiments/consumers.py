"""The websocket of an experiment."""

from dashboard.core.training.group_quota import RunKind
from dashboard.store import experiments as experiment_store
from dashboard.web.experiments.hub import hub
from dashboard.web.feed_consumer import FeedConsumer


class ExperimentConsumer(FeedConsumer):
    """Websocket that sends a snapshot of an experiment, then patches."""

    hub = hub
    exists = staticmethod(experiment_store.exists)
    kind = RunKind.EXPERIMENT
