"""What is to be sent of assessed studies: once a target and object, by the settings, and what becomes of each; on both databases."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from db import deliveries, jobs
from db.deliveries import Delivery, DeliveryOutcome, DeliveryRules
from db.jobs import Claim
from jobs.kinds import DELIVER
from lungline.reasons import Reason
from tests.studies import assess_study, enter_slice, enter_study

RULES = DeliveryRules(targets=("folder:/a", "folder:/b"), objects=("sc", "sr"), when="review", provisional=False)
SR_TO_A = replace(RULES, targets=("folder:/a",), objects=("sr",))


def begin(connection: Connection, rules: DeliveryRules) -> None:
    """The targets are known from now on."""
    assert deliveries.enter_due(connection, rules) == 0


def rows(connection: Connection) -> list[Any]:
    return [dict(row) for row in connection.execute(text("SELECT * FROM deliveries ORDER BY created_at, delivery_id")).mappings()]


def claim_one(connection: Connection) -> tuple[Claim, Delivery]:
    subject = str(connection.scalar(text("SELECT subject FROM jobs WHERE kind = 'deliver' AND state = 'waiting' ORDER BY id")))
    claim = jobs.claim(connection, (DELIVER.name,), [subject], "slot/boot/d", DELIVER.lease_seconds)[subject]
    return claim, deliveries.find(connection, [subject])[subject]


def test_each_target_gets_each_object_once(connection: Connection, tmp_path: Path) -> None:
    begin(connection, RULES)
    enter_study(connection, tmp_path)
    assert deliveries.is_due(connection, RULES)
    assert deliveries.enter_due(connection, RULES) == 4
    assert not deliveries.is_due(connection, RULES)
    assert deliveries.enter_due(connection, RULES) == 0
    found = rows(connection)
    assert {(row["target"], row["object"]) for row in found} == {(target, each) for target in RULES.targets for each in RULES.objects}
    assert {(row["state"], row["attempts"], row["delivered_at"], row["study_key"]) for row in found} == {("waiting", 0, None, "st")}


def test_what_was_assessed_before_the_target_was_named_stays(connection: Connection, tmp_path: Path) -> None:
    begin(connection, SR_TO_A)
    enter_study(connection, tmp_path)
    assert deliveries.enter_due(connection, RULES) == 2  # as both kinds of object to the first, which was there
    assert {row["target"] for row in rows(connection)} == {"folder:/a"}


@pytest.mark.parametrize(("when", "covid19", "count"), [("positive", 0.1, 0), ("positive", 0.95, 1), ("review", 0.1, 0), ("all", 0.1, 1)])
def test_the_setting_says_of_which_studies(connection: Connection, tmp_path: Path, when: str, covid19: float, count: int) -> None:
    rules = replace(SR_TO_A, when=when)
    begin(connection, rules)
    enter_study(connection, tmp_path, slices=3, covid19=covid19)
    assert deliveries.enter_due(connection, rules) == count


def test_a_provisional_result_is_sent_only_if_asked(connection: Connection, tmp_path: Path) -> None:
    begin(connection, SR_TO_A)
    enter_slice(connection, tmp_path, 1, 0.9)
    assess_study(connection, final_seconds=900.0)
    assert deliveries.enter_due(connection, SR_TO_A) == 0
    assert deliveries.enter_due(connection, replace(SR_TO_A, provisional=True)) == 1


def test_a_delivery_ends_with_its_job(connection: Connection, tmp_path: Path) -> None:
    begin(connection, SR_TO_A)
    enter_study(connection, tmp_path)
    deliveries.enter_due(connection, SR_TO_A)
    claim, delivery = claim_one(connection)
    assert (delivery.number, delivery.former, delivery.is_superseded) == (1, None, False)
    assert deliveries.end(connection, claim, DeliveryOutcome.DELIVERED)
    assert not deliveries.end(connection, claim, DeliveryOutcome.FAILED)
    (row,) = rows(connection)
    assert (row["state"], row["attempts"], row["reason"]) == ("delivered", 1, None)
    assert row["delivered_at"] is not None
    assert connection.scalar(text("SELECT count(*) FROM jobs WHERE kind = 'deliver'")) == 0


def test_a_failed_attempt_is_made_again_later(connection: Connection, tmp_path: Path) -> None:
    begin(connection, SR_TO_A)
    enter_study(connection, tmp_path)
    deliveries.enter_due(connection, SR_TO_A)
    claim, _ = claim_one(connection)
    assert deliveries.try_later(connection, claim, Reason.TARGET_AWAY, 10.0)
    assert not deliveries.try_later(connection, claim, Reason.TARGET_AWAY, 10.0)
    (row,) = rows(connection)
    assert (row["state"], row["attempts"], row["reason"]) == ("waiting", 1, "target_away")
    (claim, delivery) = claim_one(connection)
    assert delivery.attempts == 1


def test_a_later_assessment_is_sent_as_the_next_of_its_series(connection: Connection, tmp_path: Path) -> None:
    begin(connection, SR_TO_A)
    enter_study(connection, tmp_path)
    deliveries.enter_due(connection, SR_TO_A)
    claim, first = claim_one(connection)
    deliveries.end(connection, claim, DeliveryOutcome.DELIVERED)
    enter_slice(connection, tmp_path, 7, 0.99)
    assess_study(connection)
    assert deliveries.enter_due(connection, SR_TO_A) == 1
    _, second = claim_one(connection)
    assert (second.number, second.former) == (2, first.assessment_id)


def test_what_was_superseded_before_it_was_sent_is_known(connection: Connection, tmp_path: Path) -> None:
    begin(connection, SR_TO_A)
    enter_study(connection, tmp_path)
    deliveries.enter_due(connection, SR_TO_A)
    enter_slice(connection, tmp_path, 7, 0.99)
    assess_study(connection)
    claim, delivery = claim_one(connection)
    assert delivery.is_superseded
    assert deliveries.end(connection, claim, DeliveryOutcome.SUPERSEDED)
    assert [(row["state"], row["attempts"]) for row in rows(connection)] == [("superseded", 0)]


def test_a_failed_delivery_is_tried_anew_if_asked(connection: Connection, tmp_path: Path) -> None:
    begin(connection, SR_TO_A)
    enter_study(connection, tmp_path)
    deliveries.enter_due(connection, SR_TO_A)
    claim, delivery = claim_one(connection)
    deliveries.end(connection, claim, DeliveryOutcome.FAILED, Reason.TARGET_REFUSED)
    assert deliveries.newest(connection, 5, failed=True)[0]["reason"] == "target_refused"
    assert deliveries.retry(connection, ["another"]) == 0
    assert deliveries.retry(connection, [delivery.delivery_id]) == 1
    assert deliveries.retry(connection) == 0
    (row,) = rows(connection)
    assert (row["state"], row["attempts"], row["reason"]) == ("waiting", 0, None)


def test_a_delivery_that_ends_its_processes_fails(connection: Connection, tmp_path: Path) -> None:
    begin(connection, SR_TO_A)
    enter_study(connection, tmp_path)
    deliveries.enter_due(connection, SR_TO_A)
    _, delivery = claim_one(connection)
    deliveries.give_up(connection, delivery.delivery_id)
    assert [(row["state"], row["reason"]) for row in rows(connection)] == [("failed", "internal_error")]
