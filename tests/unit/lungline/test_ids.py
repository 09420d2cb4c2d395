"""Ids are UUIDv7 text."""

import uuid
from uuid import UUID

from lungline.ids import derive_id, new_id


def test_ids_are_version_7_and_sort_by_the_time_they_were_made() -> None:
    ids = [new_id() for _ in range(1000)]
    assert all(uuid.UUID(text).version == 7 and str(uuid.UUID(text)) == text for text in ids)
    assert len(set(ids)) == 1000
    assert sorted(ids) == ids


def test_derived_ids_are_of_the_same_time_and_in_order() -> None:
    whole = new_id()
    parts = [derive_id(whole, number) for number in (0, 1, 63, 64, 49_999)]
    assert parts == sorted(set(parts))
    assert parts == [derive_id(whole, number) for number in (0, 1, 63, 64, 49_999)]
    assert {part[:13] for part in parts} == {whole[:13]}
    assert {(UUID(part).version, UUID(part).variant) for part in parts} == {(7, UUID(whole).variant)}
    assert derive_id(new_id(), 0) != parts[0]
