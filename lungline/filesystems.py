"""On what kind of file system a path lies: decides whether inotify can be believed, and whether SQLite's locks can."""

import re
from pathlib import Path
from typing import Final

# Changes made by another host raise no inotify event here, and locks are not dependable (sqlite.org/faq.html#q5).
NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "glusterfs", "lustre", "beegfs"})
MOUNTS: Final = Path("/proc/self/mounts")
_OCTAL = re.compile(r"\\([0-7]{3})")


def kind(path: Path, mounts: Path = MOUNTS) -> str:
    """The file system's type as the kernel names it (ext4, nfs4, fuse.sshfs …); empty where the system does not tell.

    The path need not exist yet: its nearest existing folder answers.
    `mounts` is the kernel's list, or one that is written like it (proc_mounts(5)).
    """
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    path = path.resolve()
    best, found = -1, ""
    for line in lines:
        _device, mount, fs_type, *_ = line.split(" ")
        point = Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), mount))  # a space in a mount point is written \040
        if (point == path or point in path.parents) and len(point.parts) >= best:  # the last mount on a point is the one seen
            best, found = len(point.parts), fs_type
    return found


def is_remote(path: Path, mounts: Path = MOUNTS) -> bool:
    """Whether other hosts may change what lies there without this kernel's knowledge."""
    name = kind(path, mounts)
    return name in NETWORK or name.startswith("fuse.") or name == "fuse"
