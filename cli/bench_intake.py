"""How fast the watcher takes files in, and in how much memory: measured on a home of its own, with the watcher as its own process."""

import tempfile
import time
from pathlib import Path


def measure(count: int) -> dict[str, float]:
    """Drops `count` small PNG files, all different, into an inbox at once, and waits until the ledger knows them all.

    They lie on the inbox's file system and are moved in as one folder; the clock starts before that, so the quiet period counts too.

    Returns:
        `files`, `seconds`, `files_per_second`, and `peak_rss_kib` of the watcher.

    Raises:
        StackError: the watcher ended, or took nothing in for a minute.
        BrokerError: this machine has no Redis or Valkey server.
    """
    from cli.bench_pictures import write_noted
    from cli.own_stack import asking, settings_for, started, wait_for
    from imaging.phantoms import picture
    from lungline import broker
    from lungline.presence import live
    from lungline.processes import own_command
    from supervisor import own_broker

    with tempfile.TemporaryDirectory(prefix="lungline-bench-") as folder:
        settings = settings_for(Path(folder))
        write_noted(settings.layout.draft, [picture("xray", side=32)], count, "intake")
        with (
            started(own_broker.command(settings), settings, "redis", lambda: broker.answers(settings)),
            started(own_command("watch"), settings, "watch", lambda: live(settings.layout.run).get("watch", (0, False))[1]) as watcher,
            asking(settings) as ask,
        ):
            began = time.monotonic()
            settings.layout.draft.rename(settings.inbox / "draft")
            trouble = f"The watcher did not take in all {count} files; see `lungline doctor`."
            wait_for(lambda: ask("SELECT count(*) FROM files"), count, watcher, trouble)
            seconds = time.monotonic() - began
            peak = _peak_kib(watcher.pid)
    return {"files": count, "seconds": seconds, "files_per_second": count / seconds, "peak_rss_kib": peak}


def _peak_kib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1])
    return float("nan")
