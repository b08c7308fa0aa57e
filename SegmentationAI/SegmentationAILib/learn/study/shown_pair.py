"""What a reader of a blind review sees: pairs in an order of their own, on sides of their own."""

from dataclasses import dataclass

from ...core.errors import SegmentationAIError
from ...core.labelmap import Labelmap
from .index import reading
from .label_table import labels_from_text
from .records import LabelVersion
from .review_key import first_is_left, order_of
from .review_rows import answers_of, items_of, open_secret
from .study import Study
from .versions import read_version


@dataclass(frozen=True, eq=False)
class Shown:
    """A pair as a reader sees it.

    Attributes:
        item: Number of the pair, to be given back with the answer.
        done: Pairs that this reader has answered.
        total: Pairs of the review.
        case: Name of the case, for its volume; not for the reader's eyes.
        axis: See `review_rows.Pair`.
        place: See `review_rows.Pair`.
        left: Labels to show on the left: names and colors, no provenance.
        right: Labels to show on the right.
    """

    item: int
    done: int
    total: int
    case: str
    axis: int | None
    place: int | None
    left: Labelmap
    right: Labelmap


def next_pair(study: Study, review: int, reader: str) -> Shown | None:
    """Return what a reader sees next, None when everything is answered.

    Args:
        study: Open.
        review: Number of the review.
        reader: Name of the reader; each has an order and sides of their own.

    Raises:
        SegmentationAIError: The review is closed, or is not there.
    """
    with reading(study.index) as connection:
        open_secret(connection, review)
        answered = set(answers_of(connection, review).get(reader, {}))
    left_over = [item for item in order_for(study, review, reader) if item not in answered]
    return shown_pair(study, review, reader, left_over[0]) if left_over else None


def order_for(study: Study, review: int, reader: str) -> list[int]:
    """Return the numbers of all pairs in the order in which a reader sees them.

    Raises:
        SegmentationAIError: The review is closed, or is not there.
    """
    with reading(study.index) as connection:
        secret = open_secret(connection, review)
        return order_of(secret, reader, len(items_of(connection, review)))


def shown_pair(study: Study, review: int, reader: str, item: int) -> Shown:
    """Return a pair as a reader sees it, answered or not.

    Args:
        study: Open.
        review: Number of the review.
        reader: Name of the reader.
        item: Number of the pair.

    Raises:
        SegmentationAIError: The review is closed, or there is no such pair.
    """
    with reading(study.index) as connection:
        secret = open_secret(connection, review)
        items = items_of(connection, review)
        answered = answers_of(connection, review).get(reader, {})
    if item not in items:
        raise SegmentationAIError(f"The review has {len(items)} pairs, none of them number {item}.")
    case, pair = items[item]
    versions = {v.number: v for v in study.versions(case)}
    first, second = (_blind(study, versions[n]) for n in (pair.first, pair.second))
    left, right = (first, second) if first_is_left(secret, reader, item) else (second, first)
    return Shown(item, len(answered), len(items), case, pair.axis, pair.place, left, right)


def _blind(study: Study, version: LabelVersion) -> Labelmap:
    """Return a version's voxels under the study's own names and colors, and nothing else of it."""
    labels = read_version(study, version)
    return Labelmap(labels.layers[:1], labels_from_text(study.facts.labels), labels.affine)
