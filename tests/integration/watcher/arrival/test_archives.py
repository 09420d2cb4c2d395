"""An archive that is still being written is waited for, and is one drop."""

import time

from tests.corpus.archives import zipped
from tests.integration.watcher.arrival.watching import Watching, different

ARCHIVE = zipped({f"IM{number}": different(number) for number in range(9)})


def test_archive_still_written_is_one_drop(watching: Watching) -> None:
    watching.limits = {"patience": 1.0, "patience_for_archive": 60.0, "tend": 0.3}
    watching.start()
    with (watching.inbox / "study.zip").open("wb") as file:
        file.write(ARCHIVE[:1000])
        file.flush()
        time.sleep(3)
        assert watching.files() == {}
        file.write(ARCHIVE[1000:])
    watching.takes_in(unpacked=1)
    assert watching.bytes_in_store() == [ARCHIVE]


def test_archive_refused_as_cut_off_is_taken_in_once_whole(watching: Watching) -> None:
    watching.limits = {"patience": 1.0, "patience_for_archive": 1.0, "tend": 0.3}
    watching.start()
    with (watching.inbox / "study.zip").open("wb") as file:
        file.write(ARCHIVE[:1000])
        file.flush()
        watching.until(lambda: watching.files() == {"refused": 1}, "refused")
        assert watching.reasons() == ["archive_damaged"]
        file.write(ARCHIVE[1000:])
    watching.takes_in(refused=1, unpacked=1)
