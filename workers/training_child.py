"""The training process: `python -m workers.training_child`, started by workers/training.py, one a run, so that memory comes back.

Standard input holds a JSON line with the claim and the pid of who started it; the last line of standard output the outcome.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import asdict

import structlog

from db.connect import connect
from db.runs import RunClaim
from lungline import log
from lungline.settings import load
from workers.retraining import Retraining

_NICE = 19
_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Ends this process when its parent ends, whatever ended that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    threading.Thread(target=_mind, args=(parent,), name="parent", daemon=True).start()


def _mind(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Runs one training run to its outcome."""
    told = json.loads(sys.stdin.readline())
    die_with(int(told["parent"]))
    os.nice(_NICE)
    log.configure("training")
    try:
        settings = load()
        engine = connect(settings.database_url)
        outcome = Retraining(settings, engine, RunClaim(**told["claim"])).run()
    except Exception as error:  # only where it happened: its words may quote a file's name, and this goes to a log
        structlog.get_logger().error(
            "the training cannot go on", error=type(error).__name__, at=traceback.format_tb(error.__traceback__)[-1]
        )
        sys.exit(1)
    print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
