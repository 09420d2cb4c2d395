"""From the last byte of a CT to its provisional assessment: 300 drawn slices of 512 x 512 and 16 bits through a running Lungline."""

import os
import time
from pathlib import Path
from typing import Final

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from sqlalchemy import Connection, select

from db import series as series_rows
from db.connect import connect, read_only
from db.tables import series
from imaging.phantoms import phantom
from lungline.findings import Modality
from lungline.progress import steps
from lungline.settings import PREFIX, load
from models import registry, series_rule, speed
from models.runtimes.choice import RuntimeChoice
from operations.bench.figures import BenchFigure, Part
from operations.bench.flow import runtime_seconds
from operations.own_stack import asking, running, settings_for, wait_for
from workers import series_findings

SLICES: Final = 300
SIDE: Final = 512
_QUIET_SECONDS: Final = 10.0
_ALLOWED: Final = 1.3  # times what the runtime alone takes for the slices
_PICTURES: Final = 64
_ASSESSED: Final = "SELECT count(*) FROM series_results WHERE slices = :slices"


def measure(folder: Path, rounds: int) -> list[BenchFigure]:
    """Times a whole CT beside the runtime alone on as many slices, and what its assessment costs."""
    files = registry.shipped()[Modality.CT]
    home = settings_for(folder / "home-series")
    os.environ[f"{PREFIX}SERIES_QUIET_SECONDS"] = str(_QUIET_SECONDS)
    settings = load()
    given = speed.inputs(files, speed.admitted(Modality.CT, _PICTURES))
    took, allowed, assessing = [], [], []
    with running(settings) as up, asking(settings) as ask, steps("series", rounds) as step:
        ensemble = registry.load_ensemble(files, RuntimeChoice.of(settings))
        ensemble.warm(settings.batch_max)
        for number in range(rounds):
            alone = runtime_seconds(ensemble, given, SLICES, settings.batch_max)
            _write(home.layout.draft, number)
            home.layout.draft.rename(settings.inbox / str(number))
            began = time.perf_counter()
            failure = "A series was not assessed; see `lungline doctor`."
            wait_for(lambda: ask(_ASSESSED, slices=SLICES), number + 1, up, failure, patience=600.0)
            took.append(time.perf_counter() - began)
            allowed.append(_QUIET_SECONDS + _ALLOWED * alone)
            assessing.append(_assessing_seconds(settings.database_url) / alone)
            step()
    of = f"{files.version}, {SLICES} slices of {SIDE} x {SIDE}"
    ratios = [mine / most for mine, most in zip(took, allowed, strict=True)]
    return [
        BenchFigure.over(Part.SERIES, of, f"last byte to assessment, {_QUIET_SECONDS:g} s of silence included", "s", took),
        BenchFigure.over(Part.SERIES, of, f"the quiet period, and {_ALLOWED} times what the runtime alone takes", "s", allowed),
        BenchFigure.over(Part.SERIES, of, "the former over the latter", "ratio", ratios),
        BenchFigure.over(Part.SERIES, of, "CPU time of assessing, over what the runtime alone takes", "ratio", assessing),
    ]


def _write(folder: Path, number: int) -> None:
    """One series, in an order that is not that of the body."""
    folder.mkdir(parents=True)
    study, series_uid = generate_uid(), generate_uid()
    for place in range(SLICES):
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, generate_uid()
        made.StudyInstanceUID, made.SeriesInstanceUID, made.PatientID = study, series_uid, f"bench-{number}"
        made.Modality, made.BodyPartExamined, made.InstanceNumber = "CT", "CHEST", place + 1
        made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        made.ImageOrientationPatient, made.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-150, -150, 1.25 * place]
        made.SliceThickness, made.PixelSpacing = 1.25, [0.7, 0.7]
        made.RescaleSlope, made.RescaleIntercept = 1, -1024
        made.Rows = made.Columns = SIDE
        made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
        made.BitsAllocated = made.BitsStored = 16
        made.HighBit = 15
        made.PixelData = phantom("ct", number * SLICES + place, SIDE).tobytes()
        made.save_as(folder / f"{place * 7 % SLICES:03}-{place:03}.dcm", enforce_file_format=True)


def _assessing_seconds(database_url: str) -> float:
    """CPU time of this thread for what an assessment of the latest series reads and computes."""
    engine = read_only(connect(database_url))
    with engine.connect() as connection:
        spent = _assess(connection)
    engine.dispose()
    return spent


def _assess(connection: Connection) -> float:
    latest = str(connection.scalar(select(series.c.id).order_by(series.c.id.desc()).limit(1)))
    rule = series_rule.shipped()
    began = time.thread_time()
    of = series_rows.find(connection, latest)
    series_findings.assess(of, series_rows.slices(connection, of), rule, 900.0)
    return time.thread_time() - began
