"""Files of labels, before the ledger is asked: what is malformed is told by line, and never quoted."""

from datetime import UTC, datetime, timedelta

import pytest

from db import label_rows
from db.label_rows import BYTES_MAX, Fault, Table
from lungline.errors import LabelsError

HEAD = "sha256,finding,reader,read_at\n"
GOOD = "aa,covid19,dr who,2024-11-20T10:00:00+01:00\n"


def read(text: str) -> Table:
    return label_rows.read(text.encode("utf-8", "surrogateescape"))


def faults(text: str) -> list[tuple[int, Fault]]:
    return [(one.line, one.fault) for one in read(text).refused]


def test_a_row_says_who_read_what_and_when() -> None:
    (row,) = read(HEAD + GOOD).rows
    assert (row.line, row.scan, row.frame, row.finding, row.reader) == (2, "aa", None, "covid19", "dr who")
    assert row.read_at == datetime(2024, 11, 20, 9, tzinfo=UTC)


def test_columns_come_in_any_order_with_others_beside_them_and_as_spreadsheets_write_them() -> None:
    table = read("\ufeffReader, Read_At ,note,FINDING,frame,SOP_Instance_UID\r\nA,2024-11-20,x,normal,3,1.2.3\r\n\r\n")
    (row,) = table.rows
    assert (table.by, row.scan, row.frame, row.read_at) == ("sop_instance_uid", "1.2.3", 3, datetime(2024, 11, 20, tzinfo=UTC))
    assert table.refused == ()


def test_a_file_s_name_may_hold_any_bytes_and_folders_before_it() -> None:
    table = read("file_name,finding,reader,read_at\nday 1/caf\udce9.png,normal,A,2024-11-20\n")
    assert table.rows[0].scan == "caf\udce9.png"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("aa,covid19,dr who\n", Fault.MALFORMED),
        ("aa,covid19,dr who,2024-11-20,more\n", Fault.MALFORMED),
        ("aa,covid19,,2024-11-20\n", Fault.BAD_READER),
        (f"aa,covid19,{'x' * 65},2024-11-20\n", Fault.BAD_READER),
        ("aa,covid19,a\x00b,2024-11-20\n", Fault.BAD_READER),
        ("aa,covid19,dr who,\n", Fault.BAD_READ_AT),
        ("aa,covid19,dr who,yesterday\n", Fault.BAD_READ_AT),
        ("aa,covid19,dr who,0001-01-01T00:00:00+14:00\n", Fault.BAD_READ_AT),
        ('aa,"covid19"x,dr who,2024-11-20\n', Fault.MALFORMED),
        (f"aa,{'x' * 200_000},dr who,2024-11-20\n", Fault.MALFORMED),
    ],
)
def test_a_malformed_row_is_told_by_its_line(row: str, fault: Fault) -> None:
    table = read(HEAD + GOOD + row)
    assert [(one.line, one.fault) for one in table.refused] == [(3, fault)]
    assert len(table.rows) == 1


@pytest.mark.parametrize("frame", ["0", "-1", "x", "1.5", "²", "9" * 30])
def test_a_frame_is_a_number_from_one_on(frame: str) -> None:
    assert faults(f"sha256,finding,reader,read_at,frame\naa,normal,A,2024-11-20,{frame}\n") == [(2, Fault.BAD_FRAME)]


def test_lines_are_counted_as_editors_do() -> None:
    told = HEAD + '\naa,"cov\nid",A,2024-11-20\n' + "aa,normal,A,never\n"
    table = read(told)
    assert [row.line for row in table.rows] == [3]
    assert [(one.line, one.fault) for one in table.refused] == [(5, Fault.BAD_READ_AT)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        HEAD.encode(),
        b"sha256,finding,reader\naa,normal,A\n",
        b"finding,reader,read_at\nnormal,A,2024-11-20\n",
        b"sha256,file_name,finding,reader,read_at\naa,a.png,normal,A,2024-11-20\n",
        b"sha256,finding,finding,reader,read_at\naa,normal,normal,A,2024-11-20\n",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100,
        b'"' * 300_000,
        bytes(1 << 20),
        b"x" * (BYTES_MAX + 1),
    ],
)
def test_what_is_no_file_of_labels_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(LabelsError):
        label_rows.read(data)


@pytest.mark.parametrize("data", [(HEAD + GOOD).replace(",", ";").encode(), (HEAD + GOOD).encode("utf-16"), HEAD.encode()])
def test_what_is_expected_instead_is_told_and_nothing_quoted(data: bytes) -> None:
    with pytest.raises(LabelsError, match=r"comma-separated, in UTF-8") as refused:
        label_rows.read(data)
    assert "dr who" not in str(refused.value)


@pytest.mark.parametrize("row", ["aa;normal;A;2024-11-20", "aa,normal,Andr\udce9,2024-11-20"])  # of other separators, and of Latin-1
def test_a_row_that_is_written_otherwise_is_told_what_is_expected(row: str) -> None:
    (refused,) = read(HEAD + row).refused
    assert any(expected in refused.fault.sentence for expected in ("comma-separated", "UTF-8"))


def test_a_reading_is_not_of_the_future() -> None:
    now = datetime.now(UTC)
    times = [now + timedelta(hours=23), now + timedelta(hours=25), now.replace(year=now.year + 10, day=1)]
    table = read(HEAD + "".join(f"aa,normal,A,{time.isoformat()}\n" for time in times))
    assert [row.line for row in table.rows] == [2]  # its clock may be wrong, or its time zone left out
    assert [(one.line, one.fault) for one in table.refused] == [(3, Fault.BAD_READ_AT), (4, Fault.BAD_READ_AT)]


def test_a_finding_that_is_not_known_is_told_with_those_that_are() -> None:
    told = Fault.UNKNOWN_FINDING.sentence
    assert told.endswith("X-ray: covid19, pneumonia, normal; CT: covid19, non_covid, cap, normal")
