"""What the judge tells, in another language: German, for two lessons."""

import re

import pytest
from babel.messages.pofile import read_po

from grader.course import translate
from grader.course.lessons import exercises
from grader.judging import language
from grader.judging.judge import judge
from grader.judging.language import FOLDER, GAP, Catalogue, languages, say
from grader.judging.panel import note

LESSONS = ("sigmoid", "bce")


def told(exercise, answer):
    """The verdict on an answer."""
    return judge(exercise, lambda question, gradient: exercise.run(answer, question, gradient))


@pytest.fixture
def german(monkeypatch):
    monkeypatch.setenv("GRADER_LANGUAGE", "de")


def entries(name):
    with (FOLDER / f"{name}.po").open("rb") as file:
        return [entry for entry in read_po(file, locale=name) if entry.id]


def test_a_gap_takes_what_stands_there_and_is_translated_in_its_turn():
    catalogue = Catalogue(
        {"{1} of {2} cases pass": "{2}, davon {1}", "{1}: not yet ({2})": "{1}: noch nicht ({2})"}
    )
    assert catalogue.say("bce: not yet (3 of 5 cases pass)") == "bce: noch nicht (5, davon 3)"


def test_few_words_around_gaps_do_not_take_a_whole_sentence():
    catalogue = Catalogue({"{1} of {2}": "{1} von {2}"})
    assert catalogue.say("3 of 5") == "3 von 5"
    assert catalogue.say("You return the mean of the losses.") == "You return the mean of the losses."


def test_what_comes_besides_is_translated_alone():
    catalogue = Catalogue(
        {"The minus is missing.": "Das Minus fehlt.", "The first sample is left out.": "Eins fehlt."}
    )
    said = catalogue.say("The minus is missing. Besides, the first sample is left out.")
    assert said == "Das Minus fehlt. Besides, Eins fehlt."


def test_without_a_language_and_with_an_unknown_one_it_is_english(monkeypatch):
    assert say("How to repair it") == "How to repair it"
    monkeypatch.setenv("GRADER_LANGUAGE", "xx")
    assert say("How to repair it") == "How to repair it"


@pytest.mark.parametrize("name", languages())
def test_a_translation_keeps_the_code_and_the_gaps(name):
    for entry in entries(name):
        if entry.string:
            code = set(re.findall(r"`[^`]+`", entry.id))
            assert code <= set(re.findall(r"`[^`]+`", entry.string)), entry.id
            assert set(GAP.findall(entry.string)) <= set(GAP.findall(entry.id)), entry.id


@pytest.mark.parametrize("lesson", LESSONS)
def test_nine_tenths_of_a_lesson_are_translated(lesson):
    """A sentence that is changed stays English until somebody translates it: `./course language de` shows which."""
    done = {entry.id for entry in entries("de") if entry.string}
    texts = [sentence.text for sentence in translate.sentences() if sentence.lesson == lesson]
    assert texts
    assert sum(text in done for text in texts) >= 0.9 * len(texts)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_wrong_answer_is_told_in_german(german, lesson):
    """The finding, its repair, the title, and the labels of the example."""
    for exercise in exercises().values():
        if exercise.lesson == lesson:
            mistake = next(m for m in exercise.mistakes if say(m.says) != m.says)
            verdict = told(exercise, mistake.function)
            assert "Fällen bestanden" in verdict.text()
            assert "erwartet:" in verdict.text()
            assert language.say(mistake.says) in verdict.text()
            assert mistake.says not in verdict.html()


def test_the_record_of_a_grade_stays_english(german):
    """The report counts by the sentence, whatever language it was read in."""
    exercise = exercises()["bce"]
    mistake = exercise.mistakes[0]
    assert told(exercise, mistake.function).summary()["mistake"] == mistake.says


def test_a_note_is_told_in_german(german):
    text, panel = note("Going on with the course's `bce`. Yours takes over as soon as it passes its check.")
    assert text.startswith("Es geht weiter mit dem bce des Kurses.")
    assert "<code>bce</code>" in panel


def test_bringing_a_catalogue_up_to_date_changes_nothing_the_second_time(tmp_path, monkeypatch):
    path = tmp_path / "de.po"
    path.write_bytes((FOLDER / "de.po").read_bytes())
    monkeypatch.setattr(translate, "FOLDER", tmp_path)
    translate.update("de")
    once = path.read_text()
    catalog, _ = translate.update("de")
    assert path.read_text() == once
    have, of_all = translate.translated(catalog)["bce"]
    assert 0.9 * of_all <= have <= of_all
