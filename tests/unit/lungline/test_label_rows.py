"""Files of labels, before the ledger is asked: what is malformed is told by line, and never quoted."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from lungline import label_rows
from lungline.errors import LabelsError
from lungline.label_rows import BYTES_MAX, Fault, LabelTable, Scope

HEAD = "sha256,finding,reader,read_at\n"
GOOD = "aa,covid19,dr who,2024-11-20T10:00:00+01:00\n"


def read(text: str) -> LabelTable:
    return label_rows.read(text.encode("utf-8", "surrogateescape"))


def faults(text: str) -> list[tuple[int, Fault]]:
    return [(refusal.line, refusal.fault) for refusal in read(text).refused]


def test_a_row_says_who_read_what_and_when() -> None:
    (row,) = read(HEAD + GOOD).rows
    assert (row.line, row.scan, row.frame, row.finding, row.reader) == (2, "aa", None, "covid19", "dr who")
    assert row.read_at == datetime(2024, 11, 20, 9, tzinfo=UTC)


def test_columns_come_in_any_order_and_spelling() -> None:
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
    assert [(refusal.line, refusal.fault) for refusal in table.refused] == [(3, fault)]
    assert len(table.rows) == 1


@pytest.mark.parametrize("frame", ["0", "-1", "x", "1.5", "²", "9" * 30])
def test_a_frame_is_a_number_from_one_on(frame: str) -> None:
    assert faults(f"sha256,finding,reader,read_at,frame\naa,normal,A,2024-11-20,{frame}\n") == [(2, Fault.BAD_FRAME)]


def test_lines_are_counted_as_editors_do() -> None:
    answer = HEAD + '\naa,"cov\nid",A,2024-11-20\n' + "aa,normal,A,never\n"
    table = read(answer)
    assert [row.line for row in table.rows] == [3]
    assert [(refusal.line, refusal.fault) for refusal in table.refused] == [(5, Fault.BAD_READ_AT)]


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
        b"sep=,\n",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100,
        b'"' * 300_000,
        bytes(1 << 20),
        b"x" * (BYTES_MAX + 1),
    ],
)
def test_what_is_no_file_of_labels_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(LabelsError):
        label_rows.read(data)


@pytest.mark.parametrize("data", [(HEAD + GOOD).replace(",", ":").encode(), (HEAD + GOOD).encode("utf-16")[:60], HEAD.encode()])
def test_what_is_expected_instead_is_told_and_nothing_quoted(data: bytes) -> None:
    with pytest.raises(LabelsError, match=r"separated by commas, semicolons or tabs") as refused:
        label_rows.read(data)
    assert "dr who" not in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("separator", "first"), [(",", ""), (";", ""), ("\t", ""), (",", "sep=,\n"), ("\t", "sep=\t\n"), (";", '"sep=;"\n'), ("|", "SEP=|\n")]
)
def test_what_spreadsheets_write_is_read(encoding: str, end: str, separator: str, first: str) -> None:
    text = (HEAD + GOOD).replace(",", separator).replace("who", "Wér")
    (row,) = label_rows.read((first + text).replace("\n", end).encode(encoding)).rows
    assert (row.line, row.scan, row.reader) == (2 + bool(first), "aa", "dr Wér")


def test_cells_may_hold_other_separators() -> None:
    (row,) = read("SHA256;Finding;Reader;Read At;score;;\naa;normal;Q, Dr;2024-11-20;0,93;;;\n").rows
    assert (row.scan, row.reader, row.read_at) == ("aa", "Q, Dr", datetime(2024, 11, 20, tzinfo=UTC))


@pytest.mark.parametrize(
    ("head", "named"),
    [
        ("sha256,finding,finding,reader,read_at", r"`finding` \(columns 2 and 3\)"),
        ("sha256,finding,reader,Read At,read_at", r"`read_at` \(columns 4 and 5\)"),
        ("sha256,finding,reader,read_at,doe jane,DOE JANE", r"one \(columns 5 and 6\)"),
    ],
)
def test_two_columns_of_one_name_are_refused_by_name(head: str, named: str) -> None:
    with pytest.raises(LabelsError, match=named) as refused:
        read(f"{head}\n{'a,' * head.count(',')}a\n")
    assert "jane" not in str(refused.value).lower()


STRAY = [f"{'ab'[number % 2] * 64},normal,Dr Q,2026-11-0{number + 1}\n" for number in range(8)]


@pytest.mark.parametrize(
    "bad", ['cc,normal,"Dr Q" (chief),2026-11-01\n', 'cc,normal,"Dr Q,2026-11-01\n', 'cc,normal,Dr Q",2026-11-01\n', '"\n']
)
@pytest.mark.parametrize("at", range(9))
def test_a_stray_quote_costs_its_own_line_alone(bad: str, at: int) -> None:
    table = read(HEAD + "".join([*STRAY[:at], bad, *STRAY[at:]]))
    assert [(refusal.line, refusal.fault) for refusal in table.refused] == [(at + 2, Fault.MALFORMED)]
    assert sorted([row.line for row in table.rows] + [at + 2]) == list(range(2, 11))


def test_two_stray_quotes_swallow_nothing_between_them() -> None:
    table = read(HEAD + 'cc,normal,"Dr Q,2026-11-01\n' + "".join(STRAY) + 'cc,normal,Dr Q",2026-11-01\n')
    assert [refusal.line for refusal in table.refused] == [2, 11]
    assert len(table.rows) == 8


def test_a_note_may_have_several_lines() -> None:
    table = read(
        "note,sha256,finding,reader,read_at,more\n"
        + '"one, two\nthree\n\nfour",aa,normal,A,2024-11-20,"x\n""y"""\n'
        + "n,bb,normal,A,2024-11-20,\n"
    )
    assert [(row.line, row.scan) for row in table.rows] == [(2, "aa"), (7, "bb")]
    assert table.refused == ()


def test_each_line_is_taken_or_named_whatever_is_in_it() -> None:
    """Seeded noise of all that has a meaning in CSV."""
    noise = random.Random(9)
    for _ in range(300):
        lines = ["".join(noise.choices(['"', ",", ";", "a", " ", '""', "\x00", "\t", "normal"], k=noise.randrange(12))) for _ in range(12)]
        good = [f"{'b' * 64},normal,A,2024-11-{10 + number}" for number in range(12)]
        body = [line for pair in zip(good, lines, strict=True) for line in pair]
        table = read(HEAD + "\n".join(body))
        taken = {row.line for row in table.rows} | {refusal.line for refusal in table.refused}
        empty = {number for number, line in enumerate(body, 2) if not line.replace(",", "").replace('"', "").strip()}
        assert {*range(2, len(body) + 2, 2)} <= taken, body
        assert {*range(2, len(body) + 2)} <= taken | empty, body


@pytest.mark.parametrize("row", ["aa;normal;A;2024-11-20", "aa,normal,Andr\udce9,2024-11-20"])  # of other separators, and of Latin-1
def test_malformed_row_is_refused_with_what_is_expected(row: str) -> None:
    (refused,) = read(HEAD + row).refused
    assert any(expected in refused.fault.sentence for expected in ("other separators", "UTF-8"))


@pytest.mark.parametrize(
    ("columns", "by", "scope"),
    [
        ("study_instance_uid", "study_instance_uid", Scope.STUDY),
        ("study_instance_uid,Series Instance UID", "series_instance_uid", Scope.SERIES),
        ("study_instance_uid,series_instance_uid,sop_instance_uid", "sop_instance_uid", Scope.SCAN),
    ],
)
def test_the_narrowest_column_says_what_is_labelled(columns: str, by: str, scope: Scope) -> None:
    uids = ",".join(f"1.2.{number}" for number in range(columns.count(",") + 1))
    table = read(f"{columns},finding,reader,read_at\n{uids},normal,A,2024-11-20\n")
    assert (table.by, table.scope, table.rows[0].scan) == (by, scope, uids.split(",")[-1])


def test_a_series_has_no_frame() -> None:
    row = "series_instance_uid,finding,reader,read_at,frame\n1.2,normal,A,2024-11-20,{}\n"
    assert faults(row.format("")) == []
    assert faults(row.format(1)) == [(2, Fault.BAD_FRAME)]


def test_a_reading_is_not_of_the_future() -> None:
    now = datetime.now(UTC)
    times = [now + timedelta(hours=23), now + timedelta(hours=25), now.replace(year=now.year + 10, day=1)]
    table = read(HEAD + "".join(f"aa,normal,A,{time.isoformat()}\n" for time in times))
    assert [row.line for row in table.rows] == [2]  # its clock may be wrong, or its time zone left out
    assert [(refusal.line, refusal.fault) for refusal in table.refused] == [(3, Fault.BAD_READ_AT), (4, Fault.BAD_READ_AT)]


def test_unknown_finding_is_refused_with_the_known_ones() -> None:
    answer = Fault.UNKNOWN_FINDING.sentence
    assert answer.endswith("X-ray: covid19, pneumonia, normal; CT: covid19, non_covid, cap, normal")
