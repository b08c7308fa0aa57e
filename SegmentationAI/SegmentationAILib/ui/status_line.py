"""The line under the steps: one sentence, with *Details* behind it when there is more to say."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from slicer.i18n import tr as _

from ..core.errors import Cancelled, SegmentationAIError
from .sections import load_section


class StatusLine:
    """Shows what happened; the one place where the panel catches errors."""

    def __init__(self) -> None:
        self.widget, self._ui = load_section("StatusLine")
        self._ui.detailsButton.connect("toggled(bool)", self._show_details)

    def say(self, sentence: str, details: str = "") -> None:
        """Show a sentence; ``details`` stay folded until they are asked for."""
        self._ui.sentenceLabel.text = sentence
        self._ui.detailsText.plainText = details
        self._ui.detailsButton.visible = bool(details)
        self._ui.detailsButton.checked = False

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Show what the body raises instead of letting it pass.

        Cancelled is silent; our own errors show their sentence, with where they came from behind
        it; anything else is a defect of the program and shows its traceback behind a sentence.
        """
        try:
            yield
        except Cancelled:
            self.say("")
        except SegmentationAIError as error:
            self.say(str(error), _cause(error))
        except Exception as error:
            found = _("Something unforeseen happened in the program: {kind}. See Details.")
            self.say(found.format(kind=type(error).__name__), traceback.format_exc())

    def _show_details(self, is_open: bool) -> None:
        self._ui.detailsText.visible = is_open


def _cause(error: BaseException) -> str:
    """Return the errors that led to this one, innermost last; empty when there is none."""
    causes = []
    while (cause := error.__cause__) is not None:
        causes.append(f"{type(cause).__name__}: {cause}")
        error = cause
    return "\n".join(causes)
