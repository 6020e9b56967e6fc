"""Addresses of what a class came to. What stands below ``console/`` is the instructor's alone."""

from __future__ import annotations

from django.urls import path

from dashboard.web import session_results_files, session_results_views

_MINE = "sessions/<str:identity>/console/results/"

urlpatterns = [
    path("results/<str:token>/", session_results_views.by_link, name="results-link"),
    path("sessions/<str:identity>/results/", session_results_views.results, name="session-results"),
    path("sessions/<str:identity>/results/link/", session_results_views.make_link, name="session-results-link"),
    path(f"{_MINE}export.<str:ending>", session_results_files.export, name="session-export"),
    path(f"{_MINE}replay.html", session_results_files.replay, name="session-replay"),
    path(f"{_MINE}share/", session_results_files.share, name="session-share"),
    path(f"{_MINE}anonymous/", session_results_files.preview, name="session-preview"),
    path(f"{_MINE}shares/<str:number>/revoke/", session_results_files.revoke, name="session-revoke"),
]
