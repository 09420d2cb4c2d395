"""Readers' labels are dropped like scans; old scans are read again after a promotion and after the way back, while new ones come."""

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lungline.layout import Store
from lungline.settings import Settings
from models.files import adopt
from models.registry import SHIPPED
from tests.acceptance.drops import backlog, put
from tests.acceptance.stack import LUNGLINE, Stack

_BECAUSE = ("--by", "dr who", "--why", "another threshold")


def test_labels_are_dropped_and_old_scans_read_again(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    stack = make_stack()
    stack.up()
    put(stack.inbox, backlog(60, seed=7))
    stack.await_verdicts(60)
    labels_agree_or_not(stack)
    before = Counter(row["status"] for row in stack.query("SELECT status FROM scan_results"))
    doubtful = in_doubt(stack, tmp_path)
    assert stack.run("models", "promote", doubtful, *_BECAUSE).returncode == 0
    answer = reprocessed_while_scans_flow_and_the_worker_dies(stack)
    assert answer["left"] == 0
    assert sum((Counter({change["status_before"]: change["scans"]}) for change in answer["changes"]), Counter()) == before
    assert {change["status"] for change in answer["changes"]} == {"review"}
    stack.await_verdicts(80)
    assert {(row["ensemble"], row["status"]) for row in stack.query("SELECT ensemble, status FROM scan_results")} == {(doubtful, "review")}
    assert stack.run("models", "rollback", *_BECAUSE).returncode == 0
    repeated = stack.run("reprocess", "--status", "review", "--json")
    assert repeated.returncode == 0, repeated.stderr
    assert sum(change["scans"] for change in json.loads(repeated.stdout)["changes"]) == 80
    history = stack.query("SELECT ensemble, reinstated_at FROM scan_history WHERE superseded_at IS NULL")
    assert {row["ensemble"] == doubtful for row in history} == {False}
    assert sum(row["reinstated_at"] is not None for row in history) == 60  # the others had no verdict by that version
    doubled = "SELECT scan_id FROM scan_history GROUP BY scan_id, ensemble HAVING count(*) > 1"
    assert stack.query(doubled) == []
    actions = [row["action"] for row in stack.query("SELECT action FROM audit_log ORDER BY audit_id")]
    assert actions[-7:] == ["labels", "promote", "reprocess", "reprocess", "rollback", "reprocess", "reprocess"]
    stack.has_all_accounted()


def labels_agree_or_not(stack: Stack) -> None:
    """Two readers, one scan that nobody dropped."""
    rows = ["b7-0.png,normal,A", "b7-1.png,normal,A", "b7-1.png,covid19,B", "nobody.png,normal,A"]
    (stack.inbox / "labels").mkdir()
    (stack.inbox / "labels" / "march.csv").write_text("file_name,finding,reader,read_at\n" + "".join(f"{row},2024-11-20\n" for row in rows))
    stack.until(lambda: bool(stack.query("SELECT 1 FROM audit_log WHERE action = 'labels'")), 60, "imported")
    (fetched,) = stack.query("SELECT detail FROM audit_log WHERE action = 'labels'")
    assert fetched["detail"].startswith("4 rows: 3 new, 0 known before, 1 refused")
    agreement = stack.query("SELECT reader_finding, model_finding, agrees FROM label_agreement")
    assert len(agreement) == 3
    assert all(bool(row["agrees"]) == (row["reader_finding"] == row["model_finding"]) for row in agreement)
    listed = [json.loads(line) for line in stack.run("labels", "list", "--conflicts", "--json").stdout.splitlines()]
    assert [row["finding"] for row in listed] == ["normal", "covid19"]
    assert stack.status()["files"] == 60  # a file of labels is no scan


def reprocessed_while_scans_flow_and_the_worker_dies(stack: Stack) -> dict[str, Any]:
    command = [str(LUNGLINE), "reprocess", "--all", "--json"]
    process = subprocess.Popen(command, env=stack.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        stack.until(lambda: len(stack.query("SELECT 1 FROM scan_history WHERE superseded_at IS NOT NULL")) > 8, 120, "read again")
        os.kill(stack.status()["processes"]["inference-0"], signal.SIGKILL)
        put(stack.inbox, backlog(80, seed=7)[60:])
        assert len(stack.query("SELECT 1 FROM scan_results")) >= 60  # none is missing meanwhile
        said, _ = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 0
    facts: dict[str, Any] = json.loads(said)
    return facts


def in_doubt(stack: Stack, tmp_path: Path) -> str:
    """Puts an X-ray ensemble into the store that wants all of its findings reviewed."""
    copy = Path(shutil.copytree(SHIPPED, tmp_path / "trained"))
    path = copy / "ensembles" / "xray.json"
    ensemble = json.loads(path.read_text())
    path.write_text(json.dumps(ensemble | {"number": 78, "thresholds": ensemble["thresholds"] | {"margin": 0.999999}}))
    (version,) = (files.version for files in adopt(copy, Store(Settings(home=stack.home).store).models) if files.name == "xray")
    return version
