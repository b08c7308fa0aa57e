"""The worker: in an environment of its own on this computer, or on a server that a person named."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ..core.errors import SegmentationAIError
from ..core.offline import check_online, set_offline
from ..core.progress import Progress
from ..resources import data_folder
from ..worker.bundle import export_bundle, import_bundle
from ..worker.client import Call, LocalWorker, RemoteWorker, Worker
from ..worker.environment import EnvironmentState, WorkerEnvironment
from ..worker.environment_error import WorkerEnvironmentError
from ..worker.gpu_proof import GpuProof
from ..worker.nvidia_driver import NvidiaDriver, read_driver
from ..worker.package_source import PackageSource
from ..worker.preflight import CPU_BYTES, CUDA_BYTES, GIB, Finding, preflight
from ..worker.tokens import read_tokens
from ..worker.torch_build import choose_build
from .background_call import started
from .computer_settings import ComputerSettings, read_settings, write_settings
from .translation import tr as _


class WorkerSetup:
    """The environment, the settings, and the one worker that runs by them.

    Args:
        environment: None for the person's own.
        worker: A worker that is there already, such as one of a test; its environment is its own.
        requirements: Packages of the environment, None for those that ship.
    """

    def __init__(
        self,
        environment: WorkerEnvironment | None = None,
        worker: Worker | None = None,
        requirements: Path | None = None,
    ) -> None:
        self.environment = environment or WorkerEnvironment()
        self._given, self._requirements = worker, requirements
        self._worker: Worker | None = None
        self._until_closed = ExitStack()

    def settings(self) -> ComputerSettings:
        """Return the settings of this computer, and keep off the network if they say so.

        Raises:
            SegmentationAIError: They cannot be read.
        """
        settings = read_settings(data_folder())
        if settings.is_offline:
            set_offline(True)
        return settings

    def change_settings(self, settings: ComputerSettings) -> None:
        """Keep other settings; the worker of the old ones ends.

        Raises:
            SegmentationAIError: They cannot be written.
        """
        write_settings(data_folder(), settings)
        set_offline(settings.is_offline)
        self.close()

    def state(self) -> EnvironmentState:
        """Return whether the environment is there."""
        return self.environment.state(self._requirements)

    def badge(self) -> str:
        """Return on what networks run: "GPU works: NAME", "CPU only, because ...", a server."""
        server = self.settings().server
        if self._given is not None:
            return _("The networks run in the worker that this session was given.")
        if server:
            return _("The networks run on {server}.").format(server=server)
        return self.state().sentence

    def is_set_up(self) -> bool:
        """Return whether a worker can start on this computer."""
        return self._given is not None or self.state().kind == "ready"

    def is_ready(self) -> bool:
        """Return whether a run can begin without anything being set up first."""
        return bool(self.settings().server) or self.is_set_up()

    def worker(self) -> Worker:
        """Return the worker, started with its first call.

        Raises:
            WorkerEnvironmentError: Its environment is absent, outdated or broken.
            SegmentationAIError: The server's token or address cannot be used.
            OfflineError: The networks run on a server, and the network may not be used.
        """
        if self._given is not None:
            return self._given
        if self._worker is None:
            settings = self.settings()
            self._worker = _remote(settings) if settings.server else self._local(settings)
        return self._worker

    def server(self) -> RemoteWorker:
        """Return the way to the server that the settings name, apart from the worker of runs.

        Raises:
            SegmentationAIError: The token or the address cannot be used.
        """
        return _remote(self.settings())

    def consent(self) -> str:
        """Return what is asked before the environment is made: what, how large, where."""
        question = _(
            "The networks need an environment of their own: it is downloaded and installed in "
            "{folder} and takes up to {cpu} GB of the disk, or {gpu} GB with an NVIDIA GPU. "
            "Slicer's own Python stays untouched, and the environment can be deleted in the step "
            "Settings. Set it up now?"
        )
        return question.format(
            folder=self.environment.folder, cpu=CPU_BYTES // GIB, gpu=CUDA_BYTES // GIB
        )

    def make(self) -> Call[GpuProof]:
        """Start to make the environment; the call can be followed and canceled."""
        self.close()

        def work(progress: Progress) -> GpuProof:
            progress(0.0, _("Looking at this computer"))
            source, driver = self._source()
            for finding in preflight(self.environment.folder, source, driver):
                if finding.state == "stop":
                    fix = _("Then try again.")
                    raise WorkerEnvironmentError("not-working", finding.sentence, fix)
            return self.environment.make(source, progress)

        return started(work, "worker set-up")

    def look(self) -> Call[list[Finding]]:
        """Start to look whether the environment could be made here."""

        def work(progress: Progress) -> list[Finding]:
            progress(0.0, _("Looking at this computer"))
            source, driver = self._source()
            return preflight(self.environment.folder, source, driver)

        return started(work, "worker pre-flight")

    def export_bundle(self, path: Path) -> Call[Path]:
        """Start to write everything that the environment needs into one file."""

        def work(progress: Progress) -> Path:
            source, _found = self._source()
            export_bundle(self.environment, source, path, progress)
            return path

        return started(work, "bundle export")

    def import_bundle(self, path: Path) -> Call[GpuProof]:
        """Start to make the environment from such a file, without any network."""
        self.close()

        def work(progress: Progress) -> GpuProof:
            return import_bundle(self.environment, path, progress, self._requirements)

        return started(work, "bundle import")

    def delete(self) -> None:
        """End the worker and delete its environment.

        Raises:
            WorkerEnvironmentError: Another worker runs in it.
        """
        self.close()
        self.environment.delete()

    def close(self) -> None:
        """End the worker."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()
        self._until_closed.close()

    def end(self) -> None:
        """End the worker, also one that was given."""
        self.close()
        if self._given is not None:
            self._given.close()

    def _local(self, settings: ComputerSettings) -> LocalWorker:
        state = self.state()
        if state.kind != "ready":
            fix = _("Set it up in the step Settings: Slicer's own Python stays untouched.")
            raise WorkerEnvironmentError("absent", state.sentence, fix)
        python = self._until_closed.enter_context(self.environment.in_use())
        variables = {**python.variables, **_way_out(settings)}
        return LocalWorker(replace(python, variables=variables))

    def _source(self) -> tuple[PackageSource, NvidiaDriver | None]:
        """Return where the settings take packages from, and the driver they were chosen by."""
        settings, driver = self.settings(), read_driver()
        source = PackageSource(
            choose_build(driver, settings.torch_index),
            self._requirements,
            index=settings.index,
            proxy=settings.proxy,
            ca_file=Path(settings.ca_file) if settings.ca_file else None,
        )
        return source, driver


def _way_out(settings: ComputerSettings) -> dict[str, str]:
    """Return the variables by which the worker's downloads find proxy and authorities."""
    # In lower case, which Python's own library prefers where both are set.
    ways = {"http_proxy": settings.proxy, "https_proxy": settings.proxy}
    ways["SSL_CERT_FILE"] = settings.ca_file
    return {name: value for name, value in ways.items() if value}


def _remote(settings: ComputerSettings) -> RemoteWorker:
    check_online(f"The server {settings.server}")
    if not settings.token_file:
        raise SegmentationAIError(
            _("The server wants a token; name the file that holds it in the step Settings.")
        )
    ca_file = Path(settings.server_ca_file) if settings.server_ca_file else None
    token = read_tokens(Path(settings.token_file))[0]
    return RemoteWorker(settings.server, token, ca_file)
