"""A run of killed work in a fork of this process: torch and MONAI are loaded once, not each time.

Stands in for `subprocess.Popen` as far as `killed_work` uses it; what is killed is a process of its
own all the same.
"""

import os
import signal
import sys
import traceback

# Elsewhere libraries that have begun threads or talk to the system do not survive a fork.
CAN_FORK = sys.platform == "linux"


class ForkedRun:
    """A child that does ``work``, its standard output in a pipe.

    Args:
        work: Called in the child, which ends with it.
        words: What the child finds in ``sys.argv``.
        environment: What it finds changed in ``os.environ``.
    """

    def __init__(self, work, words, environment):
        read, write = os.pipe()
        self.returncode = None
        self._pid = os.fork()
        if self._pid == 0:
            os.close(read)
            os.dup2(write, 1)
            _do(work, words, environment)
        os.close(write)
        self.stdout = os.fdopen(read)

    def wait(self):
        if self.returncode is None:
            _, status = os.waitpid(self._pid, 0)
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def kill(self):
        if self.returncode is None:
            os.kill(self._pid, signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stdout.close()
        self.wait()


def _do(work, words, environment):
    """Do the work and leave; nothing of the parent's runs on."""
    status = 1
    try:
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.argv = [str(word) for word in words]
        os.environ.update(environment)
        work()
        sys.stdout.flush()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
