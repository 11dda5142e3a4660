"""Archives of submissions as Canvas and Moodle hand them out, whole, damaged, and made to do harm."""

import shutil
import stat
import zipfile

import pytest
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from grader.__main__ import app
from grader.classroom import archive, roster
from grader.classroom.archive import Person, file_of, owners, plain
from grader.tests import school

LESSON = "02_bce"
PEOPLE = [
    Person("ada", "Ada", "Lovelace", "12345"),
    Person("ana", "Ana María", "Núñez", ""),
    Person("li1", "Li", "Wei", ""),
    Person("li2", "Wei", "Li", ""),
]


def of(name):
    file = file_of(zipfile.ZipInfo(name))
    return file and (owners(file, PEOPLE), file.name, file.attempt)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("lovelaceada_12345_67890_02_bce.ipynb", (["ada"], "02_bce.ipynb", 0)),
        ("somebodyelse_LATE_12345_67890_02_bce-2.ipynb", (["ada"], "02_bce.ipynb", 2)),
        ("nunezanamaria_99_100_my notebook (1).ipynb", (["ana"], "my notebook (1).ipynb", 0)),
        ("Ada Lovelace_777_assignsubmission_file/02_bce.ipynb", (["ada"], "02_bce.ipynb", 0)),
        ("Ada Lovelace_777_assignsubmission_file_/02_bce.ipynb", (["ada"], "02_bce.ipynb", 0)),
        ("Ada Lovelace_777_assignsubmission_file_02_bce.ipynb", (["ada"], "02_bce.ipynb", 0)),
        ("download/Núñez Ana María_5_assignsubmission_file/a_1.ipynb", (["ana"], "a_1.ipynb", 0)),
        ("x/Ada Lovelace_777_assignsubmission_file/my work/1/02_bce.ipynb", (["ada"], "02_bce.ipynb", 0)),
        ("Li Wei_3_assignsubmission_file/02_bce.ipynb", (["li1", "li2"], "02_bce.ipynb", 0)),
        ("Nobody Here_3_assignsubmission_file/02_bce.ipynb", ([], "02_bce.ipynb", 0)),
        ("02_bce.ipynb", None),
        ("readme.txt", None),
    ],
)
def test_whose_a_file_is(name, expected):
    assert of(name) == expected


def test_a_name_as_platforms_squeeze_it():
    assert plain("O'Neill-Šimůnek, José") == "oneillsimunekjose"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A course whose gradebook knows the people: made once, and copied for each test."""
    folder = school.make(tmp_path_factory.mktemp("prepared"), LESSON)
    with Gradebook(f"sqlite:///{folder}/gradebook.db", "losses") as book:
        for person in PEOPLE:
            book.add_student(
                person.id,
                first_name=person.first_name,
                last_name=person.last_name,
                lms_user_id=person.lms_user_id or None,
            )
    return folder


@pytest.fixture
def course(prepared, tmp_path, monkeypatch):
    shutil.copytree(prepared, tmp_path / "course")
    monkeypatch.chdir(tmp_path / "course")
    return tmp_path / "course"


def collect(path):
    return CliRunner().invoke(app, ["collect", LESSON, "--from", str(path)])


def packed(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def test_an_archive_is_taken_in_and_a_newer_one_replaces(course):
    first = [
        ("lovelaceada_12345_1_02_bce.ipynb", "first"),
        ("lovelaceada_12345_2_02_bce-1.ipynb", "second"),
        ("nunezanamaria_99_3_work.ipynb", "hers"),
        ("weili_98_4_02_bce.ipynb", "whose?"),
        ("lovelaceada_12345_5_03_bce_with_logits.ipynb", "another lesson"),
        ("notes.txt", "nobody's"),
    ]
    done = collect(packed(course / "one.zip", first))
    assert done.exit_code == 0, done.output
    assert "2 new, 0 replaced by what the archive holds, 0 unchanged; left in the archive: 4" in done.output
    assert "`lovelaceada_12345_2_02_bce-1.ipynb` came later, and counts" in done.output
    assert "it may be li1, li2's" in done.output and "it is a notebook of 03_bce_with_logits" in done.output
    assert (course / "submitted/ada/02_bce/02_bce.ipynb").read_text() == "second"
    assert (course / "submitted/ana/02_bce/work.ipynb").read_text() == "hers"
    again = collect(
        packed(course / "two.zip", [*first[1:3], ("lovelaceada_12345_9_02_bce-2.ipynb", "third")])
    )
    assert "0 new, 1 replaced by what the archive holds (ada), 1 unchanged" in again.output
    assert (course / "submitted/ada/02_bce/02_bce.ipynb").read_text() == "third"
    assert not list((course / "submitted/ada").glob(".taken*"))


def dated(name, day):
    """A member of an archive that was put into it on this day of May."""
    return zipfile.ZipInfo(name, (2026, 5, day, 12, 0, 0))


def test_an_older_archive_replaces_nothing_and_one_without_times_does(course):
    name, kept = "lovelaceada_12345_1_02_bce.ipynb", course / "submitted/ada/02_bce/02_bce.ipynb"
    collect(packed(course / "new.zip", [(dated(name, 20), "new")]))
    old = packed(
        course / "old.zip", [(dated(name, 10), "old"), (dated("nunezanamaria_9_3_a.ipynb", 10), "hers")]
    )
    done = collect(old)
    assert "ada: what lies here is newer than what the archive holds, and stays." in done.output
    assert "1 new, 0 replaced by what the archive holds, 0 unchanged, 1 older" in done.output
    assert kept.read_text() == "new"
    shutil.rmtree(kept.parent)  # what the sentence says
    collect(old)
    assert kept.read_text() == "old"
    # through the exchange, and later than the archive
    (kept.parent / "timestamp.txt").write_text("2026-05-30 12:00:00 UTC")
    collect(course / "new.zip")
    assert kept.read_text() == "old"
    collect(packed(course / "timeless.zip", [(zipfile.ZipInfo(name), "timeless")]))
    assert kept.read_text() == "timeless"


def test_a_placeholder_that_grading_made_is_no_newer_submission(course):
    first, second = dated("nunezanamaria_9_3_work.ipynb", 10), dated("nunezanamaria_9_4_work-1.ipynb", 20)
    collect(packed(course / "one.zip", [(first, "first")]))
    (course / "submitted/ana/02_bce/02_bce.ipynb").touch()
    collect(packed(course / "two.zip", [(second, "second")]))
    assert (course / "submitted/ana/02_bce/work.ipynb").read_text() == "second"


def test_what_would_do_harm_stays_in_the_archive(course):
    link = zipfile.ZipInfo("lovelaceada_12345_1_02_bce.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    harm = [
        (link, "/etc/passwd"),
        ("../../lovelaceada_12345_1_..", "up"),
        ("/etc/Ada Lovelace_7_assignsubmission_file/.bashrc", "hidden"),
        ("nunezanamaria_9_3_02_bce.ipynb", "hers"),
    ]
    done = collect(packed(course / "harm.zip", harm))
    assert "1 new" in done.output and "left in the archive: 3" in done.output
    assert [path.name for path in (course / "submitted").iterdir()] == ["ana"]


def test_one_learners_odd_file_keeps_nobody_elses_out(course):
    """A name too long for a disk, a time of submission that its author wrote, more than a learner may hand
    in; texts typed in Moodle."""
    with (course / "nbgrader_config.py").open("a") as file:
        file.write("c.CourseDirectory.max_dir_size = 1000\n")
    odd = [
        (f"lovelaceada_12345_1_{'x' * 240}.ipynb", "long"),
        ("lovelaceada_12345_1_timestamp.txt", "2020-01-01 00:00:00 UTC"),
        ("Li Wei_4_assignsubmission_onlinetext/onlinetext.html", "<p>typed</p>"),
        ("Ada Lovelace_5_assignsubmission_onlinetext_onlinetext.html", "<p>typed</p>"),
        ("lovelaceada_12345_1_02_bce.ipynb", bytes(2 << 20)),
        ("nunezanamaria_9_3_02_bce.ipynb", "hers"),
    ]
    done = collect(packed(course / "odd.zip", odd))
    assert done.exit_code == 0 and "1 new" in done.output, done.output
    for said in (
        "its name is too long",
        "says when it was submitted",
        "2 texts that were typed",
        "more than 1 MB",
    ):
        assert said in done.output
    assert [path.name for path in (course / "submitted").iterdir()] == ["ana"]


def test_a_size_that_is_a_lie_is_a_damaged_file(course):
    """A member that says 5 bytes, and unpacks to a million: it is not unpacked further than it says."""
    path = course / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("lovelaceada_12345_1_02_bce.ipynb", bytes(1_000_000))
    said, true = (5).to_bytes(4, "little"), (1_000_000).to_bytes(4, "little")
    assert path.read_bytes().count(true) == 2
    path.write_bytes(path.read_bytes().replace(true, said))
    done = collect(path)
    assert done.exit_code == 0 and "0 new" in done.output and "it is damaged" in done.output
    assert not list((course / "submitted").glob("*/02_bce"))


def test_a_damaged_file_is_passed_over_and_named(course):
    path = packed(
        course / "one.zip",
        [("lovelaceada_12345_1_02_bce.ipynb", "hello hello"), ("nunezanamaria_9_3_02_bce.ipynb", "hers")],
    )
    path.write_bytes(path.read_bytes().replace(b"hello hello", b"hello hELLo"))
    done = collect(path)
    assert done.exit_code == 0 and "1 new" in done.output and "it is damaged" in done.output
    assert not (course / "submitted/ada/02_bce").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", b"%PDF-1.4"])
def test_what_is_no_archive_is_one_sentence(course, content):
    (course / "x.zip").write_bytes(content)
    done = collect(course / "x.zip")
    assert done.exit_code == 1 and "no zip archive" in done.output and "Traceback" not in done.output


def test_an_archive_that_is_too_much_is_refused(course, monkeypatch):
    path = packed(course / "one.zip", [("nunezanamaria_9_3_02_bce.ipynb", "hers" * 1000)])
    monkeypatch.setattr(archive, "WHOLE", 1000)
    assert "more than 8 GB" in collect(path).output
    monkeypatch.setattr(archive, "WHOLE", 1 << 30)
    monkeypatch.setattr(archive, "LARGEST", 1000)
    assert "it is too large" in collect(path).output
    assert collect(course / "no.zip").exit_code == 1


# ---------------------------------------------------------------- whose the class is


LIST = "id{0}first_name{0}last_name{0}email\r\nann{0}Ann{0}Ångström{0}ann@x.org\r\n\r\nbob{0}Bob{0}{0}\r\n"


@pytest.mark.parametrize(
    "data",
    [
        LIST.format(",").encode(),
        LIST.format(";").encode("utf-8-sig"),  # Excel's "CSV UTF-8", where a comma stands in numbers
        LIST.format(";").encode("cp1252"),  # Excel's "CSV"
        LIST.format("\t").encode("utf-16"),  # Excel's "Unicode text"
        LIST.format(",").replace("first_name", " First name ").replace("id", "ID").encode(),
    ],
)
def test_a_class_list_is_read_as_spreadsheets_write_it(data):
    ann, bob = roster.table(data)
    assert (ann["id"], ann["last_name"], ann["email"]) == ("ann", "Ångström", "ann@x.org")
    assert (bob["id"], bob["first_name"], bob["last_name"]) == ("bob", "Bob", "")


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "but: nothing"),
        ("name,email\nann,x", "names no column `id`, but: name, email"),
        ("id,email\nann,x\n,y", "Row 3: an id has 1 to 128 letters, and this one 0"),
        ("id\nann\nbob\nann", "Row 4: ann stands in row 2, too."),
    ],
)
def test_a_list_that_cannot_be_taken_in_is_a_sentence(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(school.make(tmp_path, LESSON))
    (tmp_path / "class.csv").write_text(text)
    done = CliRunner().invoke(app, ["students", "class.csv"])
    assert done.exit_code == 1 and said in done.output, done.output


def test_a_class_list_adds_and_changes_and_removes_nobody(course):
    (course / "class.csv").write_text("id;last_name\nada;King\nana;Núñez\nnew;Person\n")
    done = CliRunner().invoke(app, ["students", "class.csv"])
    assert "1 new, 1 changed, 1 unchanged" in done.output, done.output
    with Gradebook(f"sqlite:///{course}/gradebook.db", "losses") as book:
        assert {student.id for student in book.students} == {*(person.id for person in PEOPLE), "new"}
        ada = book.find_student("ada")
        assert (ada.first_name, ada.last_name, ada.lms_user_id) == ("Ada", "King", "12345")
    assert CliRunner().invoke(app, ["students", "gone.csv"]).exit_code == 2


def test_without_students_it_says_how_to_take_them_in(tmp_path, monkeypatch):
    monkeypatch.chdir(school.make(tmp_path, LESSON))
    done = collect(packed(tmp_path / "one.zip", [("a_1_2_02_bce.ipynb", "x")]))
    assert done.exit_code == 1 and "course students" in done.output.replace("\n", " ")
