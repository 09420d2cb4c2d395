"""Findings are fixed for a modality; what data sets call otherwise is mapped onto them or refused."""

import pytest

from lungline.findings import FINDINGS, Modality, finding_of, label_of, labels


def test_every_modality_has_its_findings_and_knows_covid19() -> None:
    assert set(FINDINGS) == set(Modality)
    for findings in FINDINGS.values():
        assert "covid19" in findings
        assert len(set(findings)) == len(findings)


@pytest.mark.parametrize("modality", list(Modality))
def test_a_finding_is_its_own_label(modality: Modality) -> None:
    assert [finding_of(modality, finding) for finding in FINDINGS[modality]] == list(FINDINGS[modality])


@pytest.mark.parametrize("label", ["cap", "normal"])
def test_ct_slices_without_covid19_are_one_finding(label: str) -> None:
    assert finding_of(Modality.CT, label) == "non_covid"


@pytest.mark.parametrize(("modality", "label"), [(Modality.XRAY, "cap"), (Modality.XRAY, "non_covid"), (Modality.CT, "pneumonia")])
def test_a_label_that_its_modality_lacks_is_refused(modality: Modality, label: str) -> None:
    with pytest.raises(KeyError):
        finding_of(modality, label)


@pytest.mark.parametrize(
    ("modality", "said", "label"),
    [
        (Modality.XRAY, "COVID-19", "covid19"),
        (Modality.XRAY, "corona", "covid19"),
        (Modality.XRAY, "No finding", "normal"),
        (Modality.XRAY, "viral pneumonia", "pneumonia"),
        (Modality.CT, "Viral_Pneumonia", "cap"),
        (Modality.CT, "healthy", "normal"),
        (Modality.CT, "Non-COVID", "non_covid"),
    ],
)
def test_a_label_is_known_by_what_people_call_it(modality: Modality, said: str, label: str) -> None:
    assert label_of(modality, said) == label


@pytest.mark.parametrize("modality", list(Modality))
def test_every_label_is_known_by_its_own_name(modality: Modality) -> None:
    assert [label_of(modality, label) for label in labels(modality)] == list(labels(modality))


@pytest.mark.parametrize(("modality", "said"), [(Modality.XRAY, "non_covid"), (Modality.CT, "tuberculosis"), (Modality.XRAY, "")])
def test_what_a_modality_does_not_tell_is_no_label(modality: Modality, said: str) -> None:
    with pytest.raises(KeyError):
        label_of(modality, said)
