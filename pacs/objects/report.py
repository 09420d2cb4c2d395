"""A result as a Comprehensive SR: an imaging measurement report (DICOM PS3.16 TID 1500), a group of measurements for each series."""

from collections.abc import Sequence

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import UID, ComprehensiveSRStorage

from lungline import MANUFACTURER, __version__
from lungline.findings import Status
from pacs.evidence import Evidence, ShownSeries
from pacs.objects import codes, common
from pacs.objects.order import Identity
from pacs.objects.originals import Original, reference


def make(evidence: Evidence, originals: Sequence[Original], identity: Identity) -> Dataset:
    """The report of a study. Preliminary or partial, and never verified: no person has looked at it."""
    sources = [reference(original.header) for original in originals]
    content = MeasurementReport(
        observation_context=_observer(identity),
        procedure_reported=codes.procedure(originals[0].series),
        title=codes.TITLE,
        imaging_measurements=_groups(evidence, originals, identity),
    )
    made = ComprehensiveSR(
        evidence=_once(sources),
        content=content[0],
        is_complete=evidence.stage == "final",
        is_final=False,
        is_verified=False,
        previous_versions=[_former(sources[0], identity)] if identity.former_uid else None,
        coding_schemes=[CodingSchemeIdentificationItem(codes.OWN, name="Lungline")],
        **common.identify("sr", identity),
    )
    common.inherit(made, originals[0].header)
    made.PreliminaryFlag = "PRELIMINARY"
    return made


def _observer(identity: Identity) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=identity.series_uid, name=MANUFACTURER, manufacturer_name=MANUFACTURER, model_name=__version__
    )
    return ObservationContext(observer_device_context=ObserverContext(dictionary.DCM.Device, device))


def _groups(evidence: Evidence, originals: Sequence[Original], identity: Identity) -> list[MeasurementsAndQualitativeEvaluations]:
    """One for each series that has an image to refer to, in the order in which they count."""
    groups = []
    for number, series in enumerate(evidence.series, 1):
        shown = [original for original in originals if original.series == series]
        if shown:
            groups.append(_group(series, shown, UID(f"{identity.instance_uid}.{number}"), f"series {number}"))
    return groups


def _group(series: ShownSeries, shown: Sequence[Original], uid: UID, name: str) -> MeasurementsAndQualitativeEvaluations:
    said = series.assessment
    measurements = [Measurement(codes.IMAGES_USED, said.slices_used, codes.NO_UNIT)]
    if said.probability is not None:
        measurements.insert(0, Measurement(codes.PROBABILITY, round(said.probability, 4), codes.NO_UNIT))
    members = dict.fromkeys(f"{member.member} {member.version}" for original in shown for member in original.image.members)
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=uid, identifier=name),
        finding_type=codes.FINDINGS[said.finding],
        algorithm_id=AlgorithmIdentification(
            name=MANUFACTURER,
            version=__version__,
            parameters=[f"ensemble {said.ensemble}", f"rule {said.rule}", *(f"member {member}" for member in members)],
        ),
        finding_sites=[FindingSite(codes.LUNGS)],
        measurements=measurements,
        qualitative_evaluations=[
            QualitativeEvaluation(codes.STATUS_OF_RESULT, codes.STATUS[Status(said.status)]),
            QualitativeEvaluation(codes.STAGE, codes.STAGES[said.stage]),
        ],
        source_images=[_source(original) for original in shown],
    )


def _source(original: Original) -> SourceImageForMeasurementGroup:
    frames = [original.image.frame] if "NumberOfFrames" in original.header else None
    return SourceImageForMeasurementGroup(original.header.SOPClassUID, original.header.SOPInstanceUID, frames)


def _once(headers: Sequence[Dataset]) -> list[Dataset]:
    """Frames of one object are one object."""
    return list({header.SOPInstanceUID: header for header in headers}.values())


def _former(original: Dataset, identity: Identity) -> Dataset:
    """The report that this one follows."""
    former = Dataset()
    former.StudyInstanceUID = original.StudyInstanceUID
    former.SeriesInstanceUID = UID(identity.series_uid)
    former.SOPInstanceUID = UID(str(identity.former_uid))
    former.SOPClassUID = ComprehensiveSRStorage
    return former
