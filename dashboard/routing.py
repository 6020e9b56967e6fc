"""URLs of websockets."""

from django.urls import path, re_path

from dashboard.web.experiments.consumers import ExperimentConsumer
from dashboard.web.measurements.consumers import MeasurementConsumer
from dashboard.web.terminal.consumers import TerminalConsumer
from dashboard.web.training.consumers import MirrorConsumer, SessionConsumer

websocket_urlpatterns = [
    path("ws/experiments/<str:identity>/", ExperimentConsumer.as_asgi()),
    path("ws/measurements/<str:identity>/", MeasurementConsumer.as_asgi()),
    path("ws/sessions/<str:identity>/", SessionConsumer.as_asgi()),
    path("ws/sessions/<str:identity>/mirror/", MirrorConsumer.as_asgi()),
    path("ws/sessions/<str:identity>/terminal/", TerminalConsumer.as_asgi()),
    re_path("", ExperimentConsumer.as_asgi()),
]
