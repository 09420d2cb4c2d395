"""Converted networks on disk: whole or not at all, for exactly what they were made of, and not more than a bound."""

import dataclasses
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from models.files import MEMBER, WEIGHTS, Member
from models.runtimes import agreement, cache
from models.runtimes.cache import Converted


def only(folder: Path) -> Path:
    (path,) = folder.glob("*.npz")
    return path


def test_what_is_kept_is_found_again_for_the_same_member_alone(tmp_path: Path, member: Member, network: Converted) -> None:
    assert cache.find(tmp_path, member) is None
    cache.keep(tmp_path, member, network)
    found = cache.find(tmp_path, member)
    assert found is not None
    assert (found.description, found.weights) == (network.description, network.weights)
    np.testing.assert_array_equal(found.reference, network.reference)
    for change in ({"sha256": "0" * 64}, {"architecture": "mobilenetv2"}, {"preprocess": "gray-224"}, {"outputs": ("a", "b", "c")}):
        other = dataclasses.replace(member, record=member.record.model_copy(update=change))
        assert cache.find(tmp_path, other) is None


def test_other_code_or_another_openvino_finds_nothing(
    tmp_path: Path, member: Member, network: Converted, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.keep(tmp_path, member, network)
    assert cache.find(tmp_path, member, code="changed") is None
    monkeypatch.setattr(cache, "version", lambda package: f"9 of {package}")
    assert cache.find(tmp_path, member) is None


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_damaged_or_cut_file_is_not_believed(tmp_path: Path, member: Member, network: Converted, place: float) -> None:
    cache.keep(tmp_path, member, network)
    path = only(tmp_path)
    data = bytearray(path.read_bytes())
    path.write_bytes(data[: int(len(data) * place)])
    if place < 1:
        assert cache.find(tmp_path, member) is None
    weights = data.index(network.weights)
    data[weights + int((len(network.weights) - 1) * place)] ^= 1
    path.write_bytes(data)
    assert cache.find(tmp_path, member) is None


def test_networks_unused_for_longest_go(tmp_path: Path, member: Member, network: Converted) -> None:
    others = [dataclasses.replace(member, record=member.record.model_copy(update={"sha256": str(number) * 64})) for number in range(3)]
    for age, other in zip((30, 20, 10), others, strict=True):
        cache.keep(tmp_path, other, network, most=2)
        (newest,) = (path for path in tmp_path.glob("*.npz") if path.stat().st_mtime > 1e9)
        os.utime(newest, (1e9 - age, 1e9 - age))
    assert [cache.find(tmp_path, other) is not None for other in others] == [False, True, True]
    cache.keep(tmp_path, member, network, most=2)
    assert len(list(tmp_path.glob("*.npz"))) == 2


def _keep_often(folder: Path, member: Member, network: Converted) -> None:
    for _ in range(20):
        cache.keep(folder, member, network)


def test_two_that_write_at_once_leave_one_whole_file(tmp_path: Path, member: Member, network: Converted) -> None:
    folder = tmp_path / "cache"
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_keep_often, args=(folder, member, network)) for _ in range(2)]
    for process in both:
        process.start()
    while any(process.is_alive() for process in both):
        assert cache.find(folder, member) is not None or not list(folder.glob("*.npz"))
    assert [process.exitcode for process in both] == [0, 0]
    assert [path.suffix for path in folder.iterdir()] == [".npz"]


def test_child_process_converts_missing_and_reports_failures(tmp_path: Path, member: Member) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / MEMBER).write_bytes((member.folder / MEMBER).read_bytes())
    (broken / WEIGHTS).write_bytes(b"")
    bad = dataclasses.replace(member, record=member.record.model_copy(update={"name": "bad"}), folder=broken)
    (broken / MEMBER).write_text((member.folder / MEMBER).read_text().replace('"small"', '"bad"'))
    folder = tmp_path / "cache"
    assert cache.convert(folder, [member, bad]) == {bad.version: "ModelError"}
    found = cache.find(folder, member)
    assert found is not None
    assert found.reference.shape == (len(agreement.draw_pictures(member.preprocess)), 3)
    assert cache.convert(folder, [member]) == {}
