"""`segment --server`: the same run on another machine."""

import argparse
from collections.abc import Mapping

from ..core.errors import SegmentationAIError
from ..core.pipeline import Options
from ..core.progress import Progress
from ..core.volume import Volume
from ..worker.client import Event, RemoteWorker, SegmentResult

# Between looks a Ctrl-C is noticed, on every system.
SECONDS_BETWEEN_LOOKS = 0.2


def server_of(arguments: argparse.Namespace) -> RemoteWorker:
    """Return the server that the options name.

    Raises:
        SegmentationAIError: The address or the token file is missing or cannot be one.
    """
    from ..worker.tokens import read_tokens

    if arguments.dropout_samples:
        raise SegmentationAIError(
            "--dropout-samples runs on this machine only; leave it or --server out."
        )
    if arguments.token_file is None:
        raise SegmentationAIError("--server needs --token-file FILE with the token that it wants.")
    token = read_tokens(arguments.token_file)[0]
    return RemoteWorker(arguments.server, token, arguments.ca_file)


def segment_there(
    worker: RemoteWorker,
    arguments: argparse.Namespace,
    volume: Volume,
    others: Mapping[str, Volume],
    options: Options,
    progress: Progress,
) -> SegmentResult:
    """Return the labels of ``volume`` from a server.

    Raises:
        SegmentationAIError: The server is out of reach, or refused; the sentence says why.
    """

    def tell(event: Event) -> None:
        if not event.is_final:
            progress(event.fraction, event.sentence)

    wanted = {**vars(options), "device": arguments.device, "precision": arguments.precision}
    call = worker.segment(volume, others, arguments.network, wanted, tell)
    try:
        while not call.wait(SECONDS_BETWEEN_LOOKS):
            pass
    except KeyboardInterrupt:
        call.cancel()
        call.wait_until_released(3.0)
        raise
    return call.result()
