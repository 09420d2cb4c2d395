"""Reason codes are what people search for: short, unlike one another, and each with something to do."""

import json
import re

import pytest

from lungline.reasons import Reason


@pytest.mark.parametrize("reason", list(Reason))
def test_code_is_a_short_snake_case_name_of_its_member(reason: Reason) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.value)
    assert len(reason.value) <= 24
    assert reason.name.lower() == reason.value


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_says_in_sentences_what_it_is_and_what_to_do(reason: Reason) -> None:
    for text in (reason.sentence, reason.action):
        assert text[0].isupper()
        assert text.endswith(".")


def test_no_two_reasons_share_code_or_sentence() -> None:
    assert len({reason.value for reason in Reason}) == len(Reason.__members__)
    assert len({reason.sentence for reason in Reason}) == len(Reason.__members__)


def test_a_reason_is_its_code_wherever_text_is_written() -> None:
    assert f"{Reason.EMPTY}" == "empty"
    assert json.dumps(Reason.EMPTY) == '"empty"'
    assert Reason["empty".upper()] is Reason.EMPTY
