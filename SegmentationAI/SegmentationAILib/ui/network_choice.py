"""Chooses a network in the *Segment* step, and says what is known about it."""

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from ..scene.panel_facts import NetworkFacts
from .words import size_in_words, time_in_words, use_in_words


class NetworkChoice:
    """The list of networks, *Show all*, and the line of facts.

    Args:
        ui: Widgets of the section.
        on_choice: Told the chosen network, None when there is none.
    """

    def __init__(self, ui: Any, on_choice: Callable[[NetworkFacts | None], None]) -> None:
        self._ui, self._on_choice = ui, on_choice
        self._networks: tuple[NetworkFacts, ...] = ()
        ui.networkSelector.connect("currentIndexChanged(int)", self._chosen)
        ui.showAllCheck.connect("toggled(bool)", self._filtered)

    @property
    def current(self) -> NetworkFacts | None:
        """The chosen network, None when there is none."""
        identifier = self._ui.networkSelector.itemData(self._ui.networkSelector.currentIndex)
        return next((n for n in self._networks if n.id == identifier), None)

    def show(self, networks: tuple[NetworkFacts, ...], wanted: str) -> None:
        """List networks, the fitting ones first, and choose the one of ID ``wanted`` if listed."""
        self._networks = networks
        self._list(wanted)

    def _filtered(self, shows_all: bool) -> None:
        current = self.current
        self._list("" if current is None else current.id)

    def _list(self, wanted: str) -> None:
        selector = self._ui.networkSelector
        was_blocked = selector.blockSignals(True)
        selector.clear()
        for network in self._networks:
            if network.fits or self._ui.showAllCheck.checked:
                selector.addItem(network.title, network.id)
                tip = f"{network.task} ({network.id})"
                selector.setItemData(selector.count - 1, tip, qt.Qt.ToolTipRole)
        selector.setCurrentIndex(max(selector.findData(wanted), 0 if selector.count else -1))
        selector.blockSignals(was_blocked)
        self._chosen()

    def _chosen(self) -> None:
        network = self.current
        if network is None:
            self._ui.networkFacts.text = _("No network fits; tick Show all, or choose a scan.")
        else:
            self._ui.networkFacts.text = facts_in_words(network)
        self._on_choice(network)


def facts_in_words(network: NetworkFacts) -> str:
    """Return license, expected time and memory, and where the network is, in one line."""
    parts = [f"{use_in_words(network.use)} ({network.license_id})"]
    if network.expected_seconds is not None and network.expected_bytes is not None:
        both = _("about {time}, {memory} on this computer")
        time, memory = time_in_words(network.expected_seconds), network.expected_bytes
        parts.append(both.format(time=time, memory=size_in_words(memory)))
    elif network.expected_seconds is not None:
        time = time_in_words(network.expected_seconds)
        parts.append(_("about {time} on this computer").format(time=time))
    else:
        parts.append(_("time not known yet on this computer"))
    if network.state == "available" and network.can_be_installed:
        parts.append(_("{size} to download").format(size=size_in_words(network.size_bytes)))
    elif network.state == "available":
        parts.append(_("not here, and its address is not known"))
    else:
        parts.append(_("installed"))
    if not network.fits:
        parts.append(_("made for {modality}, not for this scan").format(modality=network.modality))
    return ", ".join(parts)
