"""Ids are UUIDv7 text."""

import uuid

from lungline.ids import new_id


def test_ids_are_version_7_and_sort_by_the_time_they_were_made() -> None:
    ids = [new_id() for _ in range(1000)]
    assert all(uuid.UUID(text).version == 7 and str(uuid.UUID(text)) == text for text in ids)
    assert len(set(ids)) == 1000
    assert sorted(ids) == ids
