"""Addresses of websockets."""

from django.urls import path, re_path

from dashboard.web.consumers import ExperimentConsumer

websocket_urlpatterns = [
    path("ws/experiments/<str:experiment>/", ExperimentConsumer.as_asgi()),
    re_path("", ExperimentConsumer.as_asgi()),
]
