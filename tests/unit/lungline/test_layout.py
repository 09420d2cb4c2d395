import re
from pathlib import Path

from lungline.layout import Home, Store

ROOT = Path(__file__).parents[3]
_ROOMS = ("cli", "db", "imaging", "jobs", "models", "training", "watcher", "workers", "operations", "supervisor", "web", "pacs")


def test_each_place_lies_below_its_root_and_is_named_once(tmp_path: Path) -> None:
    for layout in (Home(tmp_path / "home"), Store(tmp_path / "store")):
        places = [path for name, path in vars(layout).items() if name != "root"]
        assert all(layout.root in path.parents for path in places)
        assert len(set(places)) == len(places)


def test_no_room_joins_a_path_of_home_or_store_by_itself() -> None:
    sources = [path for room in _ROOMS for path in (ROOT / room).rglob("*.py")]
    joins = re.compile(r"settings\.(home|store) /|load\(\)\.(home|store) /")
    assert [path.name for path in sources if joins.search(path.read_text())] == []
