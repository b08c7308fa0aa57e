"""Asks once, before an environment is made: the only question that holds everything up."""

import slicer

from .panel_logic import ConsentLogic


def has_consent(logic: ConsentLogic) -> bool:
    """Return whether what is needed is there, or a person agrees that it is set up now."""
    question = logic.consent()
    return not question or bool(slicer.util.confirmOkCancelDisplay(question))
