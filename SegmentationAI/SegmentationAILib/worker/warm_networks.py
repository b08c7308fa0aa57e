"""Networks that stay open between calls, so that the second run starts at once."""

import gc
import logging
import sys
from typing import Any, Final

from ..networks.segmenter import Segmenter, open_segmenter, stored_sha256
from ..networks.store import NetworkStore

# A person goes to and fro between two networks at most; more would fill small GPUs.
MOST_OPEN: Final = 2
logger = logging.getLogger(__name__)


class WarmNetworks:
    """Opened networks, the last used kept; everything happens on one thread."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, str], Segmenter] = {}

    def segmenter(self, network_id: str, device: str, precision: str) -> Segmenter:
        """Return an opened network; one that was exchanged or removed since is opened anew.

        Raises:
            WeightsError: There is no such network, or its weights are damaged.
            SegmentationAIError: The device or precision is not to be had here.
        """
        key = (network_id, device, precision)
        known = self._open.pop(key, None)
        sha256 = stored_sha256(network_id, NetworkStore())
        if known is not None and known.weights_sha256 != sha256:
            known.network.close()
            known = None
        while known is None and len(self._open) >= MOST_OPEN:
            self._open.pop(next(iter(self._open))).network.close()
        if known is None:
            known = open_segmenter(network_id, device, precision)
        self._open[key] = known
        return known

    def drop(self, segmenter: Segmenter) -> None:
        """Close one network; the next run opens it anew."""
        self._open = {key: one for key, one in self._open.items() if one is not segmenter}
        segmenter.network.close()

    def release(self) -> None:
        """Close all networks and give their memory back, that of the GPU too."""
        if self._open:
            logger.info("%d networks closed", len(self._open))
        for segmenter in self._open.values():
            segmenter.network.close()
        self._open.clear()
        gc.collect()
        torch: Any = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()
