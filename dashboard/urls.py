"""Addresses."""

from django.urls import path
from django.views.generic import RedirectView

from dashboard.web import measuring_views, signin, views
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
    path("doctor/", views.doctor, name="doctor"),
    path("api/", api.urls),
    path("favicon.ico", RedirectView.as_view(url="/static/dashboard/icon.svg"), name="favicon"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
