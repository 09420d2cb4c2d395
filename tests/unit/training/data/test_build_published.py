"""Clones of published data sets, small, become manifests that training reads."""

import zipfile
from collections import Counter
from pathlib import Path

import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from tests.unit.training.building import by_file, made
from tests.unit.training.drawn import cloudy, save
from training.data import datasets
from training.data.builders.groups import side_of

_TODAY = "patientid,offset,finding,survival,view,modality,folder,filename,doi,"


_EARLY_2020 = "Patientid,offset,sex,age,finding,survival,view,date,location,filename,doi, url,license,notes"


def chestxray(folder: Path, head: str, lines: list[str]) -> Path:
    (folder / "images").mkdir(parents=True)
    (folder / "metadata.csv").write_text("\n".join([head, *lines]) + "\n")
    for number in range(1, 8):
        save(folder / "images" / f"{number}.jpg", cloudy(number))
    return folder


def test_a_clone_of_covid_chestxray_of_today(tmp_path: Path) -> None:
    lines = [
        "2,0,Pneumonia/Viral/COVID-19,Y,PA,X-ray,images,1.jpg,,",
        "2,3,Pneumonia/Viral/COVID-19,Y,AP Supine,X-ray,images,2.jpg,,",
        "3,,Pneumonia/Bacterial/Streptococcus,,PA,X-ray,images,3.jpg,,",
        "4,,No Finding,,AP,X-ray,images,4.jpg,,",
        "5,,Tuberculosis,,PA,X-ray,images,5.jpg,,",
        "6,,Pneumonia/Viral/COVID-19,,L,X-ray,images,6.jpg,,",
        "7,,Pneumonia/Viral/COVID-19,,Axial,CT,volumes,7.nii.gz,,",
        "8,,Pneumonia/Viral/COVID-19,,PA,X-ray,images,absent.jpg,,",
        "9,,Pneumonia,,PA,X-ray,images,7.jpg,,",
    ]
    built = made("ieee8023", chestxray(tmp_path / "clone", _TODAY, lines), tmp_path)
    rows = by_file(tmp_path)
    labels = {"1.jpg": "covid19", "2.jpg": "covid19", "3.jpg": "pneumonia", "4.jpg": "normal", "7.jpg": "pneumonia"}
    assert {name: row["label"] for name, row in rows.items()} == labels
    assert rows["1.jpg"]["group"] == rows["2.jpg"]["group"] == "ieee8023-2"
    assert rows["1.jpg"]["path"] == "clone/images/1.jpg"
    assert {row["source"] for row in rows.values()} == {"ieee8023/covid-chestxray-dataset"}
    assert built.skipped["that are no frontal X-ray"] == 2
    assert built.skipped["whose file is not in the clone, or no picture"] == 1
    assert any("Tuberculosis" in why for why in built.skipped)


def test_a_clone_of_covid_chestxray_of_early_2020(tmp_path: Path) -> None:
    lines = [
        '1, ,,,COVID-19,,PA,2019,"Cho Ray Hospital, Vietnam",1.jpg,,,,',
        '5,,,,ARDS,,PA,2017,,2.jpg,,,,"Severe, intubated"',
        '6,0,,,"COVID-19, ARDS",,AP,2020,,3.jpg,,,,',
        "7,0,,,SARS,,PA,2004,,4.jpg,,,,",
        "17,9,M,54,COVID-19,Y,CT,2020,,5.jpg,,,,",
        "18,9,M,54,COVID-19,Y,L,2020,,6.jpg,,,,",
    ]
    clone = chestxray(tmp_path / "clone", _EARLY_2020, lines)
    made("ieee8023", clone, tmp_path)
    assert {name: row["label"] for name, row in by_file(tmp_path).items()} == {"1.jpg": "covid19", "3.jpg": "covid19", "4.jpg": "pneumonia"}
    made("ieee8023", clone, tmp_path, "ARDS=pneumonia")
    assert by_file(tmp_path)["2.jpg"]["label"] == "pneumonia"


_COVID = [
    "2020.03.22.20040782-p25-1541.png",
    "2020.03.22.20040782-p25-1542.png",
    "PIIS0140673620301549_0%0.png",
    "PIIS0140673620301549_0%1.png",
    "kjr-21-e24-p2-8.png",
]


_NON_COVID = ["15%0.jpg", "15%1.jpg", "996.png", "7.jpg"]


_LISTS = {
    "COVID/testCT_COVID.txt": _COVID[1:2],
    "COVID/valCT_COVID.txt": _COVID[0:1],
    "COVID/trainCT_COVID.txt": ["CT_COVID/PIIS0140673620301549_0%0.png ", _COVID[3]],
    "NonCOVID/testCT_NonCOVID.txt": ["15%0.jpg", "15%1.jpg"],
    "NonCOVID/trainCT_NonCOVID.txt": ["996.png"],
}


def covid_ct(folder: Path) -> Path:
    seed = 0
    for name, files in (("CT_COVID", _COVID), ("CT_NonCOVID", _NON_COVID)):
        archive = folder / "Images-processed" / f"{name}.zip"
        archive.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr(f"__MACOSX/{name}/._{files[0]}", b"of a Mac")
            for file in files:
                seed += 1
                opened.write(save(folder.parent / "drawn" / file, cloudy(seed)), f"{name}/{file}")
    for name, files in _LISTS.items():
        path = folder / "Data-split" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\r\n".join(files))
    return folder


def test_a_clone_of_covid_ct(tmp_path: Path) -> None:
    clone = covid_ct(tmp_path / "clone")
    built = made("covid-ct", clone, tmp_path)
    rows = by_file(tmp_path)
    assert Counter(row["label"] for row in rows.values()) == {"covid19": 5, "non_covid": 4}
    assert {row["modality"] for row in rows.values()} == {"ct"}
    listed = [rows[name]["split"] for name in (*_COVID[:4], "15%0.jpg", "15%1.jpg", "996.png")]
    assert listed == ["val", "test", "train", "train", "test", "test", "train"]
    assert rows["kjr-21-e24-p2-8.png"]["split"] == side_of("covid-ct-COVID-kjr-21-e24")  # in no list
    assert rows[_COVID[0]]["group"] == rows[_COVID[1]]["group"] == "covid-ct-COVID-2020.03.22.20040782"
    assert rows["15%0.jpg"]["group"] == rows["15%1.jpg"]["group"] == "covid-ct-NonCOVID-15"
    assert rows[_COVID[0]]["path"] == f"covid-ct-pictures/CT_COVID/{_COVID[0]}"
    assert built.torn == 1  # the lists put one paper on two sides
    assert {path.name for path in clone.rglob("*.png")} == set()  # nothing was unpacked into the clone


def test_what_the_lists_put_on_two_sides_can_be_left_out(tmp_path: Path) -> None:
    built = made("covid-ct", covid_ct(tmp_path / "clone"), tmp_path, only_sound=True)
    assert _COVID[1] in by_file(tmp_path)
    assert _COVID[0] not in by_file(tmp_path)  # val, beside test
    assert built.torn == 0
    datasets.load(tmp_path, Modality.CT)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    clone = covid_ct(tmp_path / "clone")
    archive = clone / "Images-processed" / "CT_NonCOVID.zip"
    archive.write_bytes(archive.read_bytes()[:500])
    with pytest.raises(TrainingError, match=r"CT_NonCOVID\.zip"):
        made("covid-ct", clone, tmp_path)
