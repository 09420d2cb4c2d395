"""A new kind of job costs a policy and a handler, and nothing else: here one that measures subjects."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from db import jobs
from db.job_leases import Cause
from db.jobs import NewJob
from db.writer import Writer
from jobs.app import make_app
from jobs.dispatcher import Dispatcher
from jobs.kinds import KINDS, JobKind
from lungline.settings import load
from tests.servers import Broker
from tests.waiting import wait_for

# What somebody who adds the kind would write; the worker's process imports it from here.
_GIVEN_UP = "INSERT INTO facts (name, value) VALUES ('given up', :subject)"


def give_up(connection: Connection, subject: str, _: Cause) -> None:
    connection.execute(text(_GIVEN_UP), {"subject": subject})


MEASURE = JobKind("measure", "lungline.measure", ("measures",), give_up, deaths_allowed=0, exclusive=True)

_WORKER = """
import os, sys
from sqlalchemy import text
from db import jobs
from db.migrate import open_database
from db.writer import Writer
from jobs.answer import Answering, register
from jobs.app import make_app
from jobs.consumer import consume
from jobs.kinds import KINDS
from jobs.leases import Leases
from lungline.settings import load
from tests.integration.jobs.test_new_kind import MEASURE

settings = load()
writer = Writer(open_database(settings))

def measure(claim, length, tell):
    if claim.subject == "deadly":
        os._exit(9)

    def work(connection):
        if jobs.finish(connection, claim):
            fact = {"name": claim.subject, "value": str(length)}
            connection.execute(text("INSERT INTO facts (name, value) VALUES (:name, :value)"), fact)

    writer.do(work)
    return f"{length} letters"

def lengths(connection, subjects):
    return {subject: len(subject) for subject in subjects}

answering = Answering(Leases(writer, "slot", (MEASURE,)), (MEASURE,), lengths, measure)
app = make_app(settings, (*KINDS, MEASURE))
register(app, answering)
consume(app, "measures@here", 1, MEASURE.queues)
"""


@pytest.fixture
def dispatcher(writer: Writer, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dispatcher]:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", fresh_broker.url)
    kinds = (*KINDS, MEASURE)
    dispatcher = Dispatcher(make_app(load(), kinds), writer, kinds=kinds)
    dispatcher.start()
    yield dispatcher
    dispatcher.stop()


def enter(writer: Writer, subject: str) -> None:
    assert writer.do(jobs.enter, [NewJob(MEASURE.name, subject, MEASURE.queues[0])]) == 1


def facts(writer: Writer) -> dict[str, str]:
    rows = writer.do(lambda connection: connection.execute(text("SELECT name, value FROM facts")).all())
    return {row.name: row.value for row in rows}


def start_worker() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", _WORKER])


def test_new_kind_is_rung_done_and_given_up_like_any_other(writer: Writer, dispatcher: Dispatcher) -> None:
    enter(writer, "deadly")
    dispatcher.wake()
    first = start_worker()
    assert first.wait(60) == 9  # it died of the job

    enter(writer, "subject")
    second = start_worker()  # frees what its predecessor in the slot held, and gives it up
    try:
        wait_for(lambda: facts(writer).get("subject") == "7", "the new kind's job")
    finally:
        second.terminate()
        second.wait(60)

    assert facts(writer)["given up"] == "deadly"
    assert writer.do(jobs.subjects, MEASURE.name) == set()
