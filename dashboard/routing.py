"""Addresses of websockets."""

from django.urls import path, re_path

from dashboard.web.consumers import ExperimentConsumer, MeasurementConsumer

websocket_urlpatterns = [
    path("ws/experiments/<str:identity>/", ExperimentConsumer.as_asgi()),
    path("ws/measurements/<str:identity>/", MeasurementConsumer.as_asgi()),
    re_path("", ExperimentConsumer.as_asgi()),
]
