"""The URLs of a session's results. Those below ``console/`` are only for the instructor."""

from django.urls import path

from dashboard.web.training.results import files as results_files
from dashboard.web.training.results import views as results_views

_CONSOLE = "sessions/<str:identity>/console/results/"

urlpatterns = [
    path("results/<str:token>/", results_views.by_link, name="results-link"),
    path("sessions/<str:identity>/results/", results_views.results, name="session-results"),
    path("sessions/<str:identity>/results/link/", results_views.make_link, name="session-results-link"),
    path(f"{_CONSOLE}export.<str:ending>", results_files.export, name="session-export"),
    path(f"{_CONSOLE}replay.html", results_files.replay, name="session-replay"),
    path(f"{_CONSOLE}share/", results_files.share, name="session-share"),
    path(f"{_CONSOLE}anonymous/", results_files.preview, name="session-preview"),
    path(f"{_CONSOLE}shares/<str:number>/revoke/", results_files.revoke, name="session-revoke"),
]
