"""Addresses."""

from django.urls import path
from django.views.generic import RedirectView

from dashboard.web import measuring_views, report_exports, report_sharing, report_views, signin, views
from dashboard.web.api import api

urlpatterns = [
    path("", views.home, name="home"),
    path("sign-in/", signin.sign_in, name="sign-in"),
    path("sign-out/", signin.sign_out, name="sign-out"),
    path("experiments/", views.launch, name="launch"),
    path("experiments/<str:identity>/", views.experiment, name="experiment"),
    path("experiments/<str:identity>/stop/", views.stop, name="stop"),
    path("experiments/<str:identity>/restart/", views.again, name="restart"),
    path("experiments/<str:identity>/again/", views.again, name="again"),
    path("experiments/<str:identity>/remove/", views.remove, name="remove"),
    path("experiments/<str:identity>/try/", views.try_it, name="try"),
    path("experiments/<str:identity>/inspect/", views.inspect, name="inspect"),
    path("experiments/<str:identity>/measure/", measuring_views.start, name="measure"),
    path("measurements/", measuring_views.listing, name="measurements"),
    path("measurements/history/", measuring_views.history, name="history"),
    path("measurements/<str:identity>/", measuring_views.measurement, name="measurement"),
    path("measurements/<str:identity>/cancel/", measuring_views.cancel, name="cancel"),
    path("experiments/<str:identity>/save/", report_views.save_experiment, name="save-experiment"),
    path("measurements/<str:identity>/save/", report_views.save_measurement, name="save-measurement"),
    path("reports/", report_views.listing, name="reports"),
    path("reports/import/", report_views.import_report, name="import-report"),
    path("reports/example/", report_views.example, name="example"),
    path("reports/example/track/", report_views.example_track, name="example-track"),
    path("reports/<str:identity>/", report_views.report, name="report"),
    path("reports/<str:identity>/export.<str:ending>", report_exports.export, name="export-report"),
    path("reports/<str:identity>/track/", report_views.track, name="report-track"),
    path("reports/<str:identity>/annotate/", report_views.annotate, name="annotate"),
    path("reports/<str:identity>/archive/", report_views.archive, name="archive"),
    path("reports/<str:identity>/delete/", report_views.delete, name="delete-report"),
    path("reports/<str:identity>/undelete/", report_views.undelete, name="undelete-report"),
    path("reports/<str:identity>/share/", report_sharing.share, name="share"),
    path("reports/<str:identity>/shares/<str:number>/revoke/", report_sharing.revoke, name="revoke"),
    path("r/<str:token>/", report_sharing.shared, name="shared"),
    path("doctor/", views.doctor, name="doctor"),
    path("api/", api.urls),
    path("favicon.ico", RedirectView.as_view(url="/static/dashboard/icon.svg"), name="favicon"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
