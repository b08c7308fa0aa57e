"""Where the volumes of a study are: they stay with the person, who may move them."""

from pathlib import Path

from ...core.errors import SegmentationAIError
from .index import writing
from .source_folders import sha256_of_volume
from .study import Study, open_study


def check_images_folder(study: Study) -> None:
    """Raise when the folder of the volumes is not there, before any case is blamed for it.

    Raises:
        SegmentationAIError: It is not there; the message names it.
    """
    folder = Path(study.facts.images)
    if not folder.is_dir():
        raise SegmentationAIError(
            f"The folder {folder.name} with the volumes of the study is not there: connect its "
            "disk, or say where it is now with relabel images."
        )


def move_images(study: Study, folder: Path) -> Study:
    """Look for the volumes in another folder from now on, and return the study opened anew.

    Each volume has to be the one it was: all are compared with their hashes.

    Args:
        study: Open.
        folder: Holds the volumes under their names.

    Raises:
        SegmentationAIError: The folder is missing, lacks a volume or has another one under its
            name; nothing was changed.
    """
    missing = [
        case.volume
        for case in study.cases()
        if case.volume_sha256 and not (folder / case.volume).exists()
    ]
    if not folder.is_dir() or missing:
        what = f"lacks {', '.join(missing[:3])}" if missing else "is not there"
        raise SegmentationAIError(f"The folder {folder.name} {what}; nothing was changed.")
    for case in study.cases():
        if case.volume_sha256 and sha256_of_volume(folder / case.volume) != case.volume_sha256:
            raise SegmentationAIError(
                f"{case.volume} in {folder.name} is not the volume that the study was made with; "
                "nothing was changed: give the folder with the same volumes."
            )
    with writing(study.index) as connection:
        connection.execute(
            "UPDATE facts SET value = ? WHERE name = 'images'", (str(folder.resolve()),)
        )
    return open_study(study.folder)
