"""Cards are rendered from records alone, by templates; what ships has the card that its record gives."""

import subprocess
import sys
from pathlib import Path

import pytest

from lungline.findings import FINDINGS, Modality
from models.files import CARD, ENSEMBLES, MEMBER, read_ensemble, read_member
from models.records import EnsembleRecord
from models.registry import SHIPPED
from training.evaluation.card import CardTable, DescribedEnsemble, render_card, render_sections

MEMBERS = [path.parent for path in sorted(SHIPPED.glob(f"*/{MEMBER}"))]


def ensemble(modality: Modality) -> DescribedEnsemble:
    record = EnsembleRecord.model_validate_json((SHIPPED / ENSEMBLES / f"{modality.value}.json").read_bytes())
    described = {"name": modality.value, "modality": modality, "outputs": FINDINGS[modality]}
    return DescribedEnsemble.model_validate(record.model_dump(exclude_unset=True) | described)


@pytest.mark.parametrize("folder", MEMBERS, ids=lambda folder: folder.name)
def test_a_shipped_member_has_the_card_of_its_record(folder: Path) -> None:
    member = read_member(folder)
    assert render_card(member.record, member.version) == (folder / CARD).read_text()


@pytest.mark.parametrize("modality", Modality)
def test_a_shipped_ensemble_has_the_card_of_its_record(modality: Modality) -> None:
    files = read_ensemble(SHIPPED, modality.value)
    assert render_card(ensemble(modality), files.version) == (SHIPPED / ENSEMBLES / f"{modality.value}.md").read_text()


def test_sections_hold_the_words_of_the_card() -> None:
    text = (SHIPPED / ENSEMBLES / "ct.md").read_text()
    found = render_sections(ensemble(Modality.CT))
    assert [section.title for section in found] == [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    for section in found:
        for part in section.parts:
            cells = [part] if isinstance(part, str) else [" | ".join(row) for row in (part.head, *part.rows)]
            assert all(cell.strip() in text for cell in cells)
    made = next(section for section in found if section.name == "made")
    assert isinstance(made.parts[0], CardTable)
    assert made.parts[0].head == ("member", "weight in the vote", "temperature")


def test_cards_and_pages_load_no_network_library() -> None:
    modules = "training.evaluation.card, training.report.page, models.registry"
    code = f"import sys, {modules}\nprint([name for name in ('keras', 'tensorflow', 'openvino') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
