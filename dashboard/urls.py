"""Addresses."""

from django.urls import path

from dashboard.web import signin, views
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
    path("doctor/", views.doctor, name="doctor"),
    path("api/", api.urls),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
