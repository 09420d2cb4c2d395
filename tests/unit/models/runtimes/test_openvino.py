"""OpenVINO: the reference's answers, whatever else is in the batch, and not a word to anyone."""

import gc
import json
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

from models.files import Member
from models.runtimes import agreement
from models.runtimes.cache import Converted
from models.runtimes.keras import KerasRuntime, load_network
from models.runtimes.openvino import OpenVinoRuntime, list_precisions

# Tells what was imported, which hosts were asked for, and what was written outside the folder of the cache.
_WATCHED = """
import json, os, sys, tempfile
seen = {"hosts": [], "written": []}
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"):
        seen["hosts"].append(event)
    if event == "os.mkdir" or (event == "open" and isinstance(args[1], str) and any(mode in args[1] for mode in "wax+")):
        path = os.path.abspath(os.fspath(args[0])) if isinstance(args[0], (str, bytes, os.PathLike)) else ""
        if str(path).startswith(os.path.expanduser("~")):
            seen["written"].append(str(path))
sys.addaudithook(hook)
"""


def watched(code: str, home: Path) -> dict[str, list[str]]:
    """Runs code in a process of its own, whose user's home is `home`, and tells what it did."""
    code = f"{_WATCHED}\n{code}\nseen['modules'] = [name for name in sys.modules if 'telemetry' in name and sys.modules[name]]\n"
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(json.dumps(seen))"], env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    seen: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return {**seen, "said": done.stderr.splitlines()}


def test_nothing_is_sent_and_nothing_that_could_is_imported(tmp_path: Path, member: Member) -> None:
    seen = watched(
        f"""
from pathlib import Path
from models.runtimes import agreement
from models.runtimes.convert import convert_member
from models.runtimes.openvino import OpenVinoRuntime
from models.files import read_member
network = convert_member(read_member(Path({str(member.folder)!r})))
OpenVinoRuntime(network.description, network.weights, "f32").run(agreement.draw_pictures("gray-96"))
""",
        tmp_path,
    )
    stub = {"openvino.tools.ovc.telemetry_utils", "openvino.tools.ovc.telemetry_params", "openvino.tools.ovc.telemetry_stub"}
    assert set(seen["modules"]) <= stub
    assert seen["hosts"] == []
    assert [path for path in seen["written"] if "intel" in path.lower()] == []
    assert [line for line in seen["said"] if "oneDNN" in line or "InitializeLog" in line] == []  # TensorFlow was loaded there, too


def test_openvino_left_to_itself_would_send(tmp_path: Path) -> None:
    seen = watched("import openvino", tmp_path)  # else the test above proves nothing
    assert "openvino_telemetry" in seen["modules"]


def test_it_answers_as_the_reference_and_alone_as_in_a_batch(member: Member, network: Converted) -> None:
    runtime = OpenVinoRuntime(network.description, network.weights, "f32")
    pictures = agreement.draw_pictures(member.preprocess)
    together = runtime.run(pictures)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, KerasRuntime(load_network(member)).run(pictures), atol=1e-3)
    np.testing.assert_array_equal(together, np.concatenate([runtime.run(picture[np.newaxis]) for picture in pictures]))
    assert len(np.unique(together.round(3))) > 10


def test_a_batch_does_not_show_through_in_the_next(network: Converted, member: Member) -> None:
    runtime = OpenVinoRuntime(network.description, network.weights, "f32")
    first = runtime.run(agreement.draw_pictures(member.preprocess)[:5])
    kept = first.copy()
    runtime.run(agreement.draw_pictures(member.preprocess)[5:10])
    np.testing.assert_array_equal(first, kept)


def test_an_engine_that_nobody_needs_is_gone(network: Converted) -> None:
    runtime = OpenVinoRuntime(network.description, network.weights, "f32")
    runtime.warm(4)
    gone = weakref.ref(runtime)
    del runtime
    gc.collect()
    assert gone() is None


def test_an_empty_batch(network: Converted) -> None:
    assert OpenVinoRuntime(network.description, network.weights, "f32").run(np.zeros((0, 96, 96, 1), np.float32)).shape == (0, 3)


def test_a_picture_of_another_size_is_an_error(network: Converted) -> None:
    with pytest.raises(RuntimeError):
        OpenVinoRuntime(network.description, network.weights, "f32").run(np.zeros((1, 95, 96, 1), np.float32))


def test_single_precision_is_always_there() -> None:
    assert list_precisions()[-1] == "f32"


def test_signal_after_networks_are_freed_does_not_crash(tmp_path: Path, network: Converted) -> None:
    """As when a worker has taken up a new champion, and is stopped."""
    for name in ("description", "weights"):
        (tmp_path / name).write_bytes(getattr(network, name))
    code = f"""
import gc, os, signal
from pathlib import Path
from models.runtimes.openvino import OpenVinoRuntime
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append("told"))
parts = [(Path({str(tmp_path)!r}) / name).read_bytes() for name in ("description", "weights")]
runtimes = [OpenVinoRuntime(*parts, "f32") for _ in range(3)]
for runtime in runtimes:
    runtime.warm(4)
while runtimes:
    del runtime
    runtime = None
    runtimes.pop(0)
    gc.collect()
    os.kill(os.getpid(), signal.SIGTERM)
print(len(told))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "3")
