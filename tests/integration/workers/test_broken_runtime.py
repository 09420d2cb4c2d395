"""A runtime that breaks while it runs, in a real worker: the worker ends, another starts, and no scan pays for it."""

import os
from pathlib import Path

import pytest

from imaging.phantoms import picture
from tests.acceptance.stack import Stack
from tests.corpus.files import png

# Every Python process of the stack runs this at its start: runtimes fail for as long as a file is there.
_SABOTAGE = """
import os, sys, threading, time
def wait():
    while "workers.inference" not in sys.modules or not hasattr(sys.modules.get("models.runtimes.openvino"), "OpenVinoRuntime"):
        time.sleep(0.1)
    runtime = sys.modules["models.runtimes.openvino"].OpenVinoRuntime
    run = runtime.run
    def sabotaged(self, batch):
        if os.path.exists(os.environ["BREAK"]):
            raise RuntimeError("broken")
        return run(self, batch)
    runtime.run = sabotaged
if sys.argv[0] == "-m":
    threading.Thread(target=wait, daemon=True).start()
"""


@pytest.mark.slow
def test_scans_wait_for_a_sound_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(_SABOTAGE)
    broken = tmp_path / "broken"
    monkeypatch.setenv("BREAK", str(broken))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    stack = Stack(tmp_path / "stack", ENGINE="openvino")
    log = stack.home / "logs" / "inference-0.log"
    try:
        stack.up()
        broken.touch()
        (stack.inbox / "xray").mkdir()
        for seed in range(6):
            (stack.inbox / "xray" / f"{seed}.png").write_bytes(png(picture("xray", seed)))
        stack.until(lambda: "the runtime fails on a drawn chest, too" in log.read_text(), 60, "found out")
        broken.unlink()
        stack.await_verdicts(6)
        counts = stack.status()
        assert (counts["done"], counts["quarantined"]) == (6, 0)
        stack.has_all_accounted()
    finally:
        stack.end()
