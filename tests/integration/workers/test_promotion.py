"""Promotion and rollback under a running Lungline: real processes, scans all the while, no restart."""

import json
import shutil
from pathlib import Path

from imaging.phantoms import picture
from lungline.layout import Store
from lungline.settings import Settings
from models.files import adopt
from models.registry import SHIPPED
from tests.acceptance.stack import Stack
from tests.corpus.files import png

_BECAUSE = ("--by", "dr who", "--why", "another threshold")


def test_running_worker_takes_up_promotion_and_rollback(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "stack")
    try:
        stack.up()
        worker = stack.status()["processes"]["inference-0"]
        (shipped,) = judging_versions(stack, 0)
        version = trained(stack, tmp_path)
        done = stack.run("models", "promote", version, *_BECAUSE)
        assert done.returncode == 0, done.stderr
        stack.until(lambda: version in log(stack), 60, "taken up")
        assert judging_versions(stack, 1) == {version}
        assert stack.run("models", "rollback", *_BECAUSE).returncode == 0
        stack.until(lambda: log(stack).count("new champions judge") == 2, 60, "taken up")
        assert judging_versions(stack, 2) == {shipped}
        assert stack.status()["processes"]["inference-0"] == worker
        rows = stack.query("SELECT action, from_version, to_version, promoted_by, why FROM model_promotions WHERE name = 'xray'")
        assert [(row["action"], row["from_version"], row["to_version"]) for row in rows] == [
            ("promote", None, shipped),
            ("promote", shipped, version),
            ("rollback", version, shipped),
        ]
        stack.has_all_accounted()
        assert "site-packages/tensorflow/" not in maps(worker)  # it serves from what was converted
    finally:
        stack.end()


def judging_versions(stack: Stack, number: int) -> set[str]:
    """Drops a few X-rays, and tells which versions judged them."""
    before = {row["scan_id"] for row in stack.query("SELECT scan_id FROM scan_results")}
    folder = stack.inbox / "xray" / str(number)
    folder.mkdir(parents=True)
    for seed in range(4):
        (folder / f"{seed}.png").write_bytes(png(picture("xray", 10 * number + seed)))
    stack.await_verdicts(4 * (number + 1))
    rows = stack.query("SELECT scan_id, ensemble FROM scan_results WHERE status <> 'rejected'")
    found = {row["ensemble"] for row in rows if row["scan_id"] not in before}
    assert found
    return found


def trained(stack: Stack, tmp_path: Path) -> str:
    """Puts another X-ray ensemble into the store, as training does."""
    copy = Path(shutil.copytree(SHIPPED, tmp_path / "trained"))
    path = copy / "ensembles" / "xray.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"number": 77}))
    (version,) = (files.version for files in adopt(copy, Store(Settings(home=stack.home).store).models) if files.name == "xray")
    return version


def log(stack: Stack) -> str:
    return (stack.home / "logs" / "inference-0.log").read_text()


def maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()
