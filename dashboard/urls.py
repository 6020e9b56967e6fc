"""The URLs of pages and of the API."""

from django.conf import settings
from django.urls import include, path
from django.views.generic import RedirectView

from dashboard.web.claims import questions as questions_views
from dashboard.web.claims import views as claims_views
from dashboard.web.experiments import command_views, lan_views, launch_views, replay_views, trace_views
from dashboard.web.experiments import views as experiment_views
from dashboard.web.experiments.api import api
from dashboard.web.http import sign_in
from dashboard.web.measurements import views as measurement_views
from dashboard.web.operations import doctor, documents, health, metrics
from dashboard.web.operations.accounts import account_views, audit_views
from dashboard.web.operations.machines import join_view, swarm
from dashboard.web.operations.machines import views as machine_views
from dashboard.web.reports import compare_views, exports, list_views, report_views, save_views, sharing
from dashboard.web.terminal import recording_views
from dashboard.web.training import claims_views as session_claims_views
from dashboard.web.training import join_views, lobby_views, participant_views
from dashboard.web.training import step_views as session_step_views
from dashboard.web.training import views as session_views
from dashboard.web.training.console import commands as console_commands
from dashboard.web.training.console import pages as console_pages
from dashboard.web.training.console import removal as console_removal
from dashboard.web.training.hosts import host_views
from dashboard.web.workshops import step_views as workshop_step_views
from dashboard.web.workshops import views as workshop_views

handler404 = "dashboard.web.http.error_pages.not_found"
handler500 = "dashboard.web.http.error_pages.server_error"
#: Pages of a participant for the host of the group, under ``sessions/<identity>/lab/``.
lab_patterns = [
    path("", host_views.home, name="lab"),
    path("experiments/", host_views.launch, name="lab-launch"),
    path("experiments/<str:run_id>/", host_views.experiment, name="lab-experiment"),
    path("experiments/<str:run_id>/stop/", host_views.stop, name="lab-stop"),
    path("experiments/<str:run_id>/restart/", host_views.launch_again, name="lab-restart"),
    path("experiments/<str:run_id>/again/", host_views.launch_again, name="lab-again"),
    path("experiments/<str:run_id>/try/", host_views.try_it, name="lab-try"),
    path("experiments/<str:run_id>/trace/", host_views.trace, name="lab-trace"),
    path("experiments/<str:run_id>/inspect/", host_views.inspect, name="lab-inspect"),
    path("experiments/<str:run_id>/track/", host_views.track, name="lab-track"),
    path("experiments/<str:run_id>/measure/", host_views.measure, name="lab-measure"),
    path("measurements/<str:run_id>/", host_views.measurement, name="lab-measurement"),
    path("measurements/<str:run_id>/cancel/", host_views.cancel_measurement, name="lab-cancel"),
    path("measurements/<str:run_id>/distribution", host_views.distribution, name="lab-distribution"),
    path("claims/", session_claims_views.listing, name="lab-claims"),
    path("claims/run/", session_claims_views.run, name="lab-run-claims"),
    path("claims/runs/<str:run_id>/", session_claims_views.one_run, name="lab-claims-run"),
    path("claims/runs/<str:run_id>/cancel/", session_claims_views.cancel, name="lab-cancel-claims"),
]
#: Pages of the instructor, under ``sessions/<identity>/console/``.
console_patterns = [
    path("", console_pages.console, name="console"),
    path("projector/", console_pages.projector, name="projector"),
    path("mirror/", console_pages.mirror, name="console-mirror"),
    path("delete/", console_commands.delete, name="session-delete"),
    path("removal/", console_removal.removal, name="session-removal"),
    path("steer/<str:what>/", console_commands.steer, name="steer"),
    path("seats/<str:participant>/", participant_views.overview, name="person"),
    path("seats/<str:participant>/terminal/", recording_views.recording, name="recording"),
    path("seats/<str:participant>/experiments/<str:run_id>/", participant_views.live, name="person-experiment"),
    path("seats/<str:participant>/<str:what>/", participant_views.change, name="person-change"),
]
urlpatterns = [
    path("", launch_views.home, name="home"),
    path("sign-in/", sign_in.sign_in, name="sign-in"),
    path("sign-out/", sign_in.sign_out, name="sign-out"),
    path("account/", account_views.own_account, name="account"),
    path("accounts/", account_views.accounts_page, name="accounts"),
    path("accounts/<int:account>/<str:what>/", account_views.change, name="account-change"),
    path("audit/", audit_views.trail, name="audit"),
    path("audit/export.<str:ending>", audit_views.export, name="audit-export"),
    path("machines/", machine_views.listing, name="machines"),
    path("machines/swarm/", swarm.page, name="machine-swarm"),
    path("machines/join/", join_view.join, name="machine-join"),
    path("machines/tokens/", machine_views.create_token, name="machine-token"),
    path("machines/tokens/<str:token>/revoke/", machine_views.revoke_token, name="machine-token-revoke"),
    path("machines/<str:name>/<str:what>/", machine_views.change, name="machine-change"),
    path("experiments/", launch_views.launch, name="launch"),
    path("lans/", lan_views.listing, name="lans"),
    path("lans/create/", lan_views.create, name="create-lan"),
    path("lans/<str:name>/<str:what>/", lan_views.change, name="change-lan"),
    path("presets/", launch_views.launch_preset, name="launch-preset"),
    path("experiments/<str:identity>/", experiment_views.experiment, name="experiment"),
    path("experiments/<str:identity>/rename/", command_views.rename, name="rename"),
    path("experiments/<str:identity>/stop/", command_views.stop, name="stop"),
    path("experiments/<str:identity>/restart/", command_views.launch_again, name="restart"),
    path("experiments/<str:identity>/again/", command_views.launch_again, name="again"),
    path("experiments/<str:identity>/remove/", command_views.remove, name="remove"),
    path("experiments/<str:identity>/try/", experiment_views.try_it, name="try"),
    path("experiments/<str:identity>/trace/", trace_views.trace, name="trace"),
    path("experiments/<str:identity>/inspect/", experiment_views.inspect, name="inspect"),
    path("experiments/<str:identity>/measure/", measurement_views.start, name="measure"),
    path("experiments/<str:identity>/track/", replay_views.track, name="track"),
    path("measurements/", measurement_views.listing, name="measurements"),
    path("measurements/history/", measurement_views.history, name="history"),
    path("measurements/<str:identity>/", measurement_views.measurement, name="measurement"),
    path("measurements/<str:identity>/cancel/", measurement_views.cancel, name="cancel"),
    path("experiments/<str:identity>/save/", save_views.save_experiment, name="save-experiment"),
    path("measurements/<str:identity>/save/", save_views.save_measurement, name="save-measurement"),
    path("reports/", list_views.listing, name="reports"),
    path("reports/import/", list_views.import_report, name="import-report"),
    path("reports/deleted/", list_views.deleted, name="deleted-reports"),
    path("reports/example/", report_views.example, name="example"),
    path("reports/example/track/", report_views.example_recording, name="example-track"),
    path("reports/compare/", compare_views.compare, name="compare-reports"),
    path("reports/trends/<str:signature>/", compare_views.trend, name="trend"),
    path("reports/<str:identity>/", report_views.report, name="report"),
    path("reports/<str:identity>/export.<str:ending>", exports.export, name="export-report"),
    path("reports/<str:identity>/track/", report_views.recording, name="report-track"),
    path("reports/<str:identity>/annotate/", report_views.annotate, name="annotate"),
    path("reports/<str:identity>/archive/", report_views.archive, name="archive"),
    path("reports/<str:identity>/delete/", report_views.delete, name="delete-report"),
    path("reports/<str:identity>/undelete/", report_views.undelete, name="undelete-report"),
    path("reports/<str:identity>/purge/", list_views.purge, name="purge-report"),
    path("reports/<str:identity>/copy/", list_views.import_copy, name="copy-report"),
    path("reports/<str:identity>/repeat/", report_views.repeat, name="repeat"),
    path("reports/<str:identity>/share/", sharing.share, name="share"),
    path("reports/<str:identity>/shares/<str:number>/revoke/", sharing.revoke, name="revoke"),
    path("r/<str:token>/", sharing.shared, name="shared"),
    path("workshop/", workshop_views.workshops, name="workshops"),
    path("workshop/<str:workshop>/", workshop_views.overview, name="workshop"),
    path("workshop/<str:workshop>/start/", workshop_views.start, name="workshop-start"),
    path("workshop/<str:workshop>/again/", workshop_views.again, name="workshop-again"),
    path("workshop/<str:workshop>/result/", workshop_views.result, name="workshop-result"),
    path("workshop/<str:workshop>/<str:step>/", workshop_step_views.step_page, name="workshop-step"),
    path("workshop/<str:workshop>/<str:step>/predict/", workshop_step_views.predict, name="workshop-predict"),
    path("workshop/<str:workshop>/<str:step>/run/", workshop_step_views.run, name="workshop-run"),
    path("workshop/<str:workshop>/<str:step>/check/", workshop_step_views.check, name="workshop-check"),
    path("workshop/<str:workshop>/<str:step>/hint/", workshop_step_views.hint, name="workshop-hint"),
    path("workshop/<str:workshop>/<str:step>/measure/", workshop_step_views.measure, name="workshop-measure"),
    path("join/", join_views.join, name="join"),
    path("seat/<str:token>/", join_views.resume, name="resume"),
    path("sessions/", session_views.listing, name="sessions"),
    path("sessions/new/", session_views.new, name="session-new"),
    path("sessions/<str:identity>/", lobby_views.lobby, name="session"),
    path("sessions/<str:identity>/hand/", lobby_views.hand, name="session-hand"),
    path("sessions/<str:identity>/host/", lobby_views.host, name="session-host"),
    path("sessions/<str:identity>/device/", lobby_views.device, name="session-device"),
    path("sessions/<str:identity>/leave/", lobby_views.leave, name="session-leave"),
    path("sessions/<str:identity>/mirror/", lobby_views.mirror, name="session-mirror"),
    path("sessions/<str:identity>/steps/<str:step>/", session_step_views.step_page, name="session-step"),
    path("sessions/<str:identity>/steps/<str:step>/opened/", session_step_views.opened, name="session-opened"),
    path("sessions/<str:identity>/steps/<str:step>/predict/", session_step_views.predict, name="session-predict"),
    path("sessions/<str:identity>/steps/<str:step>/run/", session_step_views.run, name="session-run"),
    path("sessions/<str:identity>/steps/<str:step>/check/", session_step_views.check, name="session-check"),
    path("sessions/<str:identity>/steps/<str:step>/hint/", session_step_views.hint, name="session-hint"),
    path("sessions/<str:identity>/steps/<str:step>/measure/", session_step_views.measure, name="session-measure"),
    path("sessions/<str:identity>/lab/", include(lab_patterns)),
    path("", include("dashboard.web.training.results.urls")),
    path("sessions/<str:identity>/console/", include(console_patterns)),
    path("claims/", claims_views.listing, name="claims"),
    path("claims/run/", claims_views.run, name="run-claims"),
    path("claims/runs/<str:identity>/", claims_views.one_run, name="claims-run"),
    path("claims/runs/<str:identity>/cancel/", claims_views.cancel, name="cancel-claims"),
    path("claims/runs/<str:identity>/save/", claims_views.save, name="save-claims"),
    path("questions/", questions_views.questions, name="questions"),
    path("questions/<str:name>/run/", questions_views.run_question, name="run-question"),
    path("misconceptions/", claims_views.gallery, name="misconceptions"),
    path("misconceptions/<str:name>/", claims_views.one_misconception, name="misconception"),
    path("misconceptions/<str:name>/run/", claims_views.run_misconception, name="run-misconception"),
    path("engine/start/", command_views.start_engine, name="start-engine"),
    path("docs/", documents.document, name="documents"),
    path("docs/<str:name>/", documents.document, name="document"),
    path("docs/<str:name>", documents.document_file, name="document-file"),
    path("doctor/", doctor.doctor, name="doctor"),
    path("api/", api.urls),
    path("favicon.ico", RedirectView.as_view(url="/static/dashboard/icon.svg"), name="favicon"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
]
if settings.OIDC_ISSUER:
    from dashboard.web.operations.accounts import openid  # needs django-allauth

    urlpatterns += [
        path("sign-in/openid/", openid.start, name="sign-in-openid"),
        path("sign-in/<str:provider_id>/callback/", openid.callback, name="openid_connect_callback"),
    ]
