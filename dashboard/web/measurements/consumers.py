"""The websocket of a measurement run."""

from dashboard.core.training.group_quota import RunKind
from dashboard.store.measurements import runs as measurement_store
from dashboard.web.feed_consumer import FeedConsumer
from dashboard.web.measurements.hub import hub


class MeasurementConsumer(FeedConsumer):
    """Websocket that sends all data of a measurement run, then its new blocks."""

    hub = hub
    exists = staticmethod(measurement_store.exists)
    kind = RunKind.MEASUREMENT
