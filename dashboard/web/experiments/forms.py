"""The form that launches an experiment: shared options, selected modes, and arms with their own options.

Django keeps the user's input and shows errors at the fields. The rules are in ``core.experiments.drafts``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from dashboard.core.experiments.drafts import DEFAULT_IMAGE, DEFAULT_PORT, parse_draft, parse_port
from dashboard.core.experiments.machines.parts import machine_problems
from dashboard.core.experiments.validation import MAX_ARMS, Problem
from dashboard.core.modes import ExperimentSpec, IPv6, Mode

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

SHARED_FIELDS = ("image", "port", "title", "publish", "names")
DEFAULT_MODES = [Mode.HOST, Mode.BRIDGE]
#: The input with which a user publishes no port. An empty field publishes the container's port at a free port.
PUBLISH_NOTHING = "none"
#: The number of empty arm forms that the page contains, for use without JavaScript.
BLANK_ARMS = 2


class OptionField(forms.CharField):
    """A text field, or a text area if ``attrs`` contains ``rows``. ``core.experiments.drafts`` parses the value."""

    def __init__(
        self, label: _StrPromise, help_text: _StrPromise | str = "", placeholder: str = "", **attrs: str
    ) -> None:
        widget = forms.Textarea if "rows" in attrs else forms.TextInput
        attrs = {"placeholder": placeholder, "autocomplete": "off", "spellcheck": "false", **attrs}
        super().__init__(label=label, help_text=help_text, required=False, strip=False, widget=widget(attrs=attrs))


class ModesField(forms.MultipleChoiceField):
    """The selected modes or machines. The field accepts any value; ``core.experiments`` validates it."""

    def validate(self, value: Any) -> None:
        """Accepts every value, because ``core.experiments`` validates it."""


class ArmForm(forms.Form):
    """An arm with its own options. The form is ignored if it has no mode."""

    mode = forms.CharField(
        label=_("Mode"),
        required=False,
        widget=forms.Select(choices=[("", _("— not used")), *((str(mode), str(mode)) for mode in Mode)]),
    )
    key = OptionField(_("Name"), _("defaults to the mode"), "web")
    image = OptionField(_("Image"), _("defaults to the image above"), list="images")
    command = OptionField(_("Command"), _("defaults to the image's command"), "nginx -g 'daemon off;'")
    port = OptionField(_("Container port"), _("defaults to the port above"), inputmode="numeric")
    publish = OptionField(_("Publish (-p)"), _("defaults to the mapping above"), "127.0.0.1:8080:80")
    hostname = OptionField(_("Host name (--hostname)"), placeholder="web")
    dns = OptionField(_("DNS servers (--dns)"), placeholder="192.0.2.53")
    user = OptionField(_("User (--user)"), placeholder="1000:1000")
    target = OptionField(
        _("Shares the network stack of"), _("only for mode container: the name of another arm"), "bridge"
    )
    netns = OptionField(
        _("Network namespace"), _("only for mode ns: the namespace's file on Podman's machine"), "/run/netns/lab"
    )
    add_host = OptionField(_("Extra hosts (--add-host)"), _("one per line"), "db:192.0.2.7", rows="2")
    environment = OptionField(_("Environment (-e)"), _("one per line"), "NAME=value", rows="2")
    sysctls = OptionField(_("Kernel settings (--sysctl)"), _("one per line"), "net.core.somaxconn=1024", rows="2")
    ipv6 = forms.CharField(
        label=_("IPv6"),
        help_text=_("only for mode user-bridge"),
        required=False,
        widget=forms.Select(
            choices=[("", _("— no")), (str(IPv6.ON), _("yes")), (str(IPv6.ONLY), _("only, without IPv4 (Engine 28)"))]
        ),
    )
    networks = OptionField(
        _("More networks (--network)"),
        _("one per line, created for this experiment; options: ipv6, gw-priority=1, ifname=eth7"),
        "back,gw-priority=1",
        rows="2",
    )
    publish_all = forms.BooleanField(label=_("Publish all exposed ports (-P)"), required=False)
    machine = forms.CharField(label=_("Machine"), help_text=_("the machine on which the arm runs"), required=False)

    def __init__(self, *args: Any, machines: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if machines:
            choices = [("", _("— same as the experiment")), *((name, name) for name in machines)]
            self.fields["machine"].widget = forms.Select(choices=choices)
            self.order_fields(["mode", "machine"])
        elif not self["machine"].value():
            del self.fields["machine"]

    def options(self) -> dict[str, Any]:
        """Returns the options that the user has filled in, by field name. Unused fields are omitted."""
        values = self.cleaned_data if self.is_bound and self.errors is not None else {}
        return {name: value for name, value in values.items() if value is True or (value and value.strip())}


ArmFormSet = forms.formset_factory(ArmForm, extra=BLANK_ARMS, max_num=MAX_ARMS, absolute_max=MAX_ARMS)


class LaunchForm(forms.Form):
    """The whole launch form. ``arms`` is the formset of arms with their own options.

    ``free_port`` is a free port of the machine. The container's port is published there unless the user enters another
    port.
    """

    image = OptionField(_("Image"), _("any tag or digest; local images are suggested"), "nginx", list="images")
    port = OptionField(_("Container port"), _("where the program listens"), "80", inputmode="numeric")
    title = OptionField(_("Name of the experiment"), _("defaults to the image and the port"), "Shop on the new server")
    publish = OptionField(
        _("Publish (-p)"),
        _("host:container, separated by spaces; empty: a free port of the machine; “none”: no port"),
        "8080:80",
    )
    names = OptionField(_("Names to look up"), _("separate with spaces; in addition to the defaults"), "db.internal")
    mode = ModesField(required=False)
    machines = ModesField(required=False)
    free_port = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        arms: Sequence[Mapping[str, str]] = (),
        machine_names: Sequence[str] = (),
        **initial: Any,
    ) -> None:
        initial = {"image": DEFAULT_IMAGE, "port": DEFAULT_PORT, "mode": DEFAULT_MODES, **initial}
        super().__init__(data, auto_id="field-%s", initial=initial)
        has_arms = data is not None and "arms-TOTAL_FORMS" in data
        self.machine_names = tuple(machine_names)
        self.arms = ArmFormSet(
            data if has_arms else None,
            prefix="arms",
            auto_id="%s",
            initial=arms,
            form_kwargs={"machines": self.machine_names},
        )
        self._ticked: list[str] = []
        self._used: list[ArmForm] = []

    def parse(self, free_port: int | None = None) -> ExperimentSpec | None:
        """Returns the experiment that the form describes. If the form is invalid, adds errors to the fields and returns
        None. ``free_port`` takes the place of the port that the form contains."""
        self.full_clean()
        if free_port is not None:
            self.cleaned_data["free_port"] = str(free_port)
        self._ticked = self.cleaned_data["mode"]
        options = [(arm, arm.options()) for arm in self.arms]
        self._used = [arm for arm, values in options if "mode" in values]
        shared = {name: self.cleaned_data.get(name, "") for name in SHARED_FIELDS}
        shared["publish"] = self._publish(shared["publish"].strip(), shared["port"].strip() or str(DEFAULT_PORT))
        arms = [values for _arm, values in options if "mode" in values]
        machines = self.cleaned_data["machines"]
        draft = parse_draft({**shared, "modes": self._ticked, "machines": machines, "arms": arms})
        unavailable = machine_problems(draft.spec, self.machine_names)
        self.add_problems((*draft.problems, *unavailable), draft.spec)
        for number, (arm, values) in enumerate(options, start=1):
            if values and "mode" not in values:
                sentence = _("Arm %d has options but no mode: choose a mode or clear the options.") % number
                arm.add_error("mode", sentence)
        return None if self.problems else draft.spec

    @property
    def uses_free_port(self) -> bool:
        """Whether the form, not the user, has chosen the port of the machine."""
        return bool(self.cleaned_data.get("free_port")) and not self.cleaned_data["publish"].strip()

    def _publish(self, text: str, port: str) -> str:
        """Returns the ports to publish, in the format of the field ``publish``.

        ``text`` is the user's input in this field. If it is “none”, no port is published. If it is empty, the
        container's ``port`` is published at the machine's free port.
        """
        if text.lower() == PUBLISH_NOTHING:
            return ""
        free_port = self.cleaned_data.get("free_port", "")
        if free_port and not text:
            with suppress(ValueError):  # the port has its own error
                return f"{free_port}:{parse_port(port)}"
        return text

    def add_problems(self, problems: Iterable[Problem], spec: ExperimentSpec) -> None:
        """Adds each problem as an error of the field in which the user can correct it.

        If the form has no such field, adds the problem to the field ``mode``. ``spec`` is the experiment that this form
        describes.
        """
        keys = [arm.key for arm in spec.arms]
        fields = {f"arms-{number}-{name}": (arm, name) for number, arm in enumerate(self._used) for name in arm.fields}
        for problem in problems:
            ticked = len(keys) - len(self._used)  # a ticked mode is one arm per ticked machine
            number = keys.index(problem.arm) - ticked if problem.arm in keys else -1
            form: forms.Form = self._used[number] if number >= 0 else self  # arms of ticked modes come first
            form, field = fields.get(problem.field, (form, problem.field))
            if field in SHARED_FIELDS and not form[field].value():
                form = self  # the arm inherits the value
            if field == "machine" and form is self:
                field = "machines"
            field = field if field in form.fields else "mode"
            if problem.sentence not in form.errors.get(field, ()):
                form.add_error(field, problem.sentence)

    @property
    def problems(self) -> list[dict[str, str]]:
        """All errors, in the order of the page, each with the id of its input."""
        return [
            {"target": form[name].auto_id, "sentence": sentence}
            for form in (self, *self.arms)
            for name in form.fields
            for sentence in form.errors.get(name, ())
        ]

    @property
    def has_arms(self) -> bool:
        """Whether the page opens the section of the arms with their own options, because one of these arms has a mode
        or an error."""
        return any(arm.errors or arm["mode"].value() for arm in self.arms)

    @property
    def has_options(self) -> bool:
        """Whether the page shows the section “More options” expanded.

        This is so if one of these options is invalid or not the default. The image and the port are not among them.
        """
        fields = ("title", "publish", "names")
        changed = any(self.errors.get(name) or self[name].value() for name in (*fields, "machines"))
        changed = changed or "mode" in self.errors
        return changed or self.has_arms or sorted(self["mode"].value() or ()) != sorted(DEFAULT_MODES)
