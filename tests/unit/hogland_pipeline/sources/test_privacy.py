"""Hashes need their key, and texts that could name somebody are withheld."""

import pytest

from hogland_pipeline.sources.privacy import WITHHELD, PersonalValues, RespondentKey

KEY = RespondentKey(b"sixteen bytes or more")


def test_the_same_person_has_one_hash_and_another_key_another() -> None:
    other = RespondentKey(b"sixteen bytes, others")
    assert KEY.respondent("wave", "a@example.org") == KEY.respondent("wave", "a@example.org")
    hashes = {
        KEY.respondent("wave", "a@example.org"),
        KEY.respondent("next wave", "a@example.org"),
        KEY.respondent("wave", "b@example.org"),
        other.respondent("wave", "a@example.org"),
    }
    assert len(hashes) == 4
    assert KEY.key_id != other.key_id


def test_parts_of_an_identity_do_not_run_together() -> None:
    assert KEY.respondent("1", "12") != KEY.respondent("11", "2")


def test_the_secret_is_shown_nowhere() -> None:
    assert "sixteen" not in repr(KEY) and "sixteen" not in KEY.key_id


def test_a_short_key_is_refused_without_telling_it() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes") as error:
        RespondentKey(b"short")
    assert "short" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "anna.berg@example.org",
        "x@y",
        "Anna",
        "fråga ANNA berg",
        "BERG",
        "Bo",
        "070-123 45 67",
        "19800101-1234",
        "en lång mening som någon skrev själv och som därför kan säga vem det är",
    ],
)
def test_what_could_name_somebody_is_withheld(text: str) -> None:
    assert PersonalValues(["anna.berg@example.org", "Anna Berg", "Bo"]).withhold(text) == WITHHELD


@pytest.mark.parametrize("text", ["Kanske", "Bergman", "14.1.2025", "4", "Tranås"])
def test_other_texts_stay(text: str) -> None:
    assert PersonalValues(["anna.berg@example.org", "Anna Berg"]).withhold(text) == text
