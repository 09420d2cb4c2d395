"""Where everything lies: the layout of HOME, and of STORE (`STORE/ab/<sha256>/<original name>`; bytes and names live there alone)."""

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

# A mammography tomosynthesis or a 16-bit film stays below, a sparse 10 GB file does not: such a one is refused unread.
FILE_BYTES_MAX: Final = 512 << 20
# Studies are sent as archives, too. Both are limits of what is unpacked at all; imaging/archives.py has those of what it unpacks into.
ARCHIVE_BYTES_MAX: Final = 4 << 30
HELD: Final = ".held"


class Home:
    """The layout of a home, LUNGLINE_HOME: what one host keeps for itself. Makes no folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings_file = root / "lungline.toml"
        self.inbox = root / "inbox"
        """Unless LUNGLINE_INBOX sets it apart."""
        self.store = root / "store"
        """Unless LUNGLINE_STORE sets it apart."""
        self.database = root / "lungline.db"
        """Unless LUNGLINE_DATABASE_URL names another."""

        self.run = root / "run"
        """Lock files of live processes (lungline/presence.py)."""
        self.flower_address = self.run / "flower.url"
        """The address of the Flower that runs."""
        self.web_address = self.run / "web.url"
        """The address of the page that runs."""
        self.logs = root / "logs"
        """`<process>.log`: one file a process that `lungline up` starts."""

        self.secrets = root / "secrets"
        """Generated secrets, mode 0600."""
        self.pseudonym_key = self.secrets / "pseudonym.key"
        """Unless LUNGLINE_KEY_FILE sets it apart."""
        self.broker_address = self.secrets / "broker.url"
        """The address, with its password, of the server that `lungline up` starts."""
        self.broker_configuration = self.secrets / "broker.conf"
        self.flower_password = self.secrets / "flower.password"
        self.web_password = self.secrets / "web.password"
        """Of the page's first user, for one log-in; removed once that user has chosen another."""

        self.networks = root / "cache" / "networks"
        """Networks converted for OpenVINO (models/runtimes/cache.py)."""
        self.features = root / "cache" / "features"
        """What base networks see in training pictures (training/fitting/features.py)."""
        self.audits = root / "cache" / "audits"
        """Which errors the audit of a data set found (training/data/audit)."""

        self.training = root / "training"
        """`<run id>/`: checkpoints, members and ensembles of a training run until it has ended; and what `lungline train` makes."""
        self.trials = root / "trials"
        """`<recipe>/`: members of `lungline train --trials`."""
        self.reports = root / "reports"
        """`<id>/index.html`: pages of training runs and evaluations."""
        self.explained = root / "explained"
        """Pictures of `lungline explain`."""
        self.flower = root / "flower"
        """The history of Flower."""
        self.demo = root / "demo"
        """The home of `lungline demo`."""
        self.drawn = root / "drawn"
        """In that home: the pictures that were drawn."""
        self.draft = root / "draft"
        """In the home of a `lungline bench`: pictures that are made ready for its inbox."""


class Store:
    """The layout of a store, and how to find a scan's bytes in it. The watcher writes it, and workers what they unpack."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        """Out of the inbox, not yet entered and in place: `<file id>~<priority>~<modality or any>~<watcher>~<sha256 or none>/<name>`."""
        self.quarantine = root / "quarantine"
        """`<file id>/<name>`: what was refused."""
        self.unpacking = root / "unpacking"
        """`<file id>~<attempt>/`: what is being unpacked of an archive (workers/unpacking.py)."""
        self.labels = root / "labels"
        """Files of readers' labels that were dropped, and what became of each (watcher/label_drops.py)."""
        self.labelled = root / "labelled"
        """Links to the bytes of labelled scans, by their hashes (training/data/store_labels.py)."""
        self.models = root / "models"
        """Every version that was trained here or taken in, for all hosts; laid out as models/shipped is (models/files.py)."""
        self.training = root / "training"
        """`<run id>/`: the data that a training run learnt from (training/data/snapshot.py)."""

    def is_there(self) -> bool:
        """Whether the store itself is to be had: not while its share is away, or its disk is not mounted."""
        return os.path.isdir(self.incoming)

    def held_note(self, file_id: str) -> Path:
        """Where it is noted that another process has the original of a file open for writing (watcher/held.py)."""
        return self.incoming / f"{file_id}{HELD}"

    def is_held(self, file_id: str) -> bool:
        """Whether it has it open still."""
        return self.held_note(file_id).exists()

    def folder(self, sha256: str) -> Path:
        """Where the bytes with this hash lie, under every name that they were dropped by."""
        return self.root / sha256[:2] / sha256

    def find(self, sha256: str, file_id: str) -> Path | None:
        """A path to a scan's bytes, or None if the store does not hold them.

        The row of a drop is committed before its bytes are in place, so they may still be in, or just be leaving, `incoming`; of the drop
        that the scan came by, or of another one that brings lost bytes back.
        """
        for folder in self._places(sha256, file_id):
            for path in _entries(folder):
                return path
        return None

    def _places(self, sha256: str, file_id: str) -> Iterator[Path]:
        yield self.folder(sha256)
        yield from self.incoming.glob(f"{file_id}~*")
        yield from self.incoming.glob(f"*~{sha256}")
        yield self.folder(sha256)  # it may just have left `incoming`

    def names(self, sha256: str) -> list[str]:
        """The names that bytes were dropped by, for those who may read the store."""
        return sorted(path.name for path in _entries(self.folder(sha256)))

    def named(self, names: Collection[str]) -> dict[str, set[str]]:
        """Name -> hashes of the bytes that were dropped by it, of those names that there are. Walks the whole store if there are any."""
        found: dict[str, set[str]] = {}
        for folder in self.folders() if names else ():
            for path in _entries(folder):
                if path.name in names:
                    found.setdefault(path.name, set()).add(folder.name)
        return found

    def folders(self) -> list[Path]:
        """Where all bytes lie that are in place, a folder a hash."""
        return list(self.root.glob("[0-9a-f][0-9a-f]/*"))

    def holds_its_hash(self, folder: Path) -> bool:
        """Whether all that a folder holds has the hash that it is named for; True also if it has just gone. Reads every byte."""
        seen: set[int] = set()
        try:
            for path in sorted(folder.iterdir()):
                with path.open("rb") as file:
                    if (inode := os.fstat(file.fileno()).st_ino) in seen:  # another name for the same bytes
                        continue
                    seen.add(inode)
                    if hashlib.file_digest(file, "sha256").hexdigest() != folder.name:
                        return False
        except FileNotFoundError:
            return not folder.exists()
        except OSError:
            return False
        return True

    def refused_names(self, file_id: str) -> list[str]:
        """The name of a refused file; empty if it stayed in the inbox."""
        return [path.name for path in _entries(self.quarantine / file_id)]


def _entries(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder)]
    except OSError:
        return []
