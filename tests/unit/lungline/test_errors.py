"""Errors share one root, and an unreadable scan speaks in our own sentences."""

import inspect
import pickle

from lungline import errors
from lungline.reasons import Reason


def test_every_error_descends_from_one_root_and_explains_itself() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    assert len(kinds) > 5
    for kind in kinds:
        assert issubclass(kind, errors.LunglineError)
        assert inspect.getdoc(kind)


def test_an_unreadable_scan_tells_its_reason_and_a_detail() -> None:
    error = errors.UnreadableScan(Reason.TRUNCATED)
    assert error.reason is Reason.TRUNCATED
    assert error.detail == Reason.TRUNCATED.sentence
    assert errors.UnreadableScan(Reason.TOO_LARGE, "Frame 3 of 2.").detail == "Frame 3 of 2."


def test_reason_of_an_unreadable_scan_survives_pickling() -> None:
    back = pickle.loads(pickle.dumps(errors.UnreadableScan(Reason.NO_PIXELS, "A report.")))
    assert (back.reason, back.detail) == (Reason.NO_PIXELS, "A report.")
