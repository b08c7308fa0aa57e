"""The step *Networks*: what is here, what can be had, under which license."""

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from ..scene.panel_facts import NetworkFacts, Outcome, Table
from .install_box import InstallBox
from .panel_logic import OnEnd, OnProgress, StoreLogic
from .panel_state import PanelState
from .plain_table import show_table
from .sections import load_section
from .status_line import StatusLine
from .words import size_in_words, use_in_words


class NetworksStep:
    """The step for networks.

    Args:
        logic: Lists, installs and removes.
        status: Shows progress, errors and what was done.
        on_change: Told that a network came or went.
    """

    def __init__(
        self, logic: StoreLogic, status: StatusLine, on_change: Callable[[], None]
    ) -> None:
        self._logic, self._status, self._on_change = logic, status, on_change
        self._networks: tuple[NetworkFacts, ...] = ()
        self._is_busy = False
        self.section, self._ui = load_section("Networks")
        self._ui.networksTable.connect("itemSelectionChanged()", self._show_card)
        self._ui.installButton.connect("clicked()", self._install)
        self._ui.updateButton.connect("clicked()", self._update)
        self._ui.removeButton.connect("clicked()", self._remove)
        self._other = InstallBox(self._install_from)
        self.section.layout().addWidget(self._other.widget)

    def show(self, state: PanelState) -> None:
        """Nothing of this step is kept in the scene."""

    def open(self) -> None:
        """List the networks; called when the step opens."""
        with self._status.answering():
            self._networks = self._logic.networks(None)
        headings = (_("Network"), _("Size"), _("State"))
        rows = tuple((n.title, _size(n), _state(n)) for n in self._networks)
        show_table(self._ui.networksTable, Table(headings, rows))
        self._show_card()

    def close(self) -> None:
        """Nothing is held: an installation goes on while other steps are open."""

    def _chosen(self) -> NetworkFacts | None:
        row = self._ui.networksTable.currentRow()
        return self._networks[row] if 0 <= row < len(self._networks) else None

    def _show_card(self) -> None:
        network = self._chosen()
        state = "" if network is None or self._is_busy else network.state
        can_be_installed = network is not None and network.can_be_installed
        has_update = network is not None and network.has_update
        self._ui.installButton.enabled = state == "available" and can_be_installed
        self._ui.updateButton.enabled = state == "installed" and has_update
        self._ui.updateButton.visible = has_update
        self._ui.removeButton.enabled = state == "installed"
        self._ui.cardText.plainText = "" if network is None else _card(network)
        if network is not None:
            self._ui.cardText.toolTip = network.id
        self._ui.licenseLabel.text = "" if network is None else _terms(network)
        self._other.set_busy(self._is_busy)

    def _install(self) -> None:
        network = self._chosen()
        assert network is not None, "the button is enabled with a network alone"
        self._begin(lambda tell, end: self._logic.install(network.id, tell, end))

    def _update(self) -> None:
        network = self._chosen()
        assert network is not None, "the button is enabled with a network alone"
        self._begin(lambda tell, end: self._logic.update(network.id, tell, end))

    def _install_from(self, source: str, network_id: str, sha256: str) -> None:
        self._begin(lambda tell, end: self._logic.install(source, tell, end, network_id, sha256))

    def _begin(self, start: Callable[[OnProgress, OnEnd], None]) -> None:
        with self._status.answering():
            self._is_busy = True
            self._show_card()
            try:
                start(self._progress, self._installed)
            except BaseException:
                self._is_busy = False
                self._show_card()
                raise

    def _progress(self, fraction: float, sentence: str, seconds_left: float | None) -> None:
        self._status.say(f"{sentence} ({fraction:.0%})")

    def _installed(self, outcome: Outcome) -> None:
        self._is_busy = False
        if outcome.is_success:
            self._other.clear()
        self.open()
        self._status.say(outcome.sentence, outcome.details)
        self._on_change()

    def _remove(self) -> None:
        network = self._chosen()
        assert network is not None, "the button is enabled with a network alone"
        question = _("Remove {title}? It has to be installed again to be used.")
        if not slicer.util.confirmOkCancelDisplay(question.format(title=network.title)):
            return
        with self._status.answering():
            self._status.say(self._logic.remove(network.id))
        self.open()
        self._on_change()


def _size(network: NetworkFacts) -> str:
    return size_in_words(network.size_bytes) if network.size_bytes else str(_("not known"))


def _card(network: NetworkFacts) -> str:
    sentences = [network.task, *network.limits]
    if network.source:
        sentences.append(_("Origin: {source}.").format(source=network.source))
    if network.paper:
        sentences.append(_("Paper: doi:{paper}.").format(paper=network.paper))
    return " ".join(sentences)


def _terms(network: NetworkFacts) -> str:
    terms = _("License: {use} ({id}).")
    terms = terms.format(use=use_in_words(network.use), id=network.license_id)
    return f"{terms} {network.license_text}".strip()


def _state(network: NetworkFacts) -> str:
    if network.has_update:
        return str(_("update available"))
    if network.state == "available" and not network.can_be_installed:
        return str(_("address not known"))
    words = {
        "shipped": _("part of the module"),
        "installed": _("installed"),
        "available": _("can be installed"),
    }
    return str(words[network.state])
