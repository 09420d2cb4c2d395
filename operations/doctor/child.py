"""A child process that makes the doctor's checks for the page: some of them load networks, which the page never does."""

from lungline.child_process import answer_parent
from operations.page_orders import DoctorCheck, DoctorOrder, DoctorReport


def report(_order: DoctorOrder) -> DoctorReport:
    """What every check found."""
    from lungline.settings import load
    from operations.doctor.examine import examine

    found = [DoctorCheck(is_right=diagnosis.is_right, sentence=diagnosis.sentence) for diagnosis in examine(load())]
    return DoctorReport(checks=found)


if __name__ == "__main__":
    answer_parent(DoctorOrder, report)
