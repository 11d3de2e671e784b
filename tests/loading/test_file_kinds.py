"""What a file is by its name, whichever vendor's or plugin's it is: one answer, that never raises."""

import pytest

from promptsync import ChangeSetName, FileKind, FileName, InputRefused, TableFiles
from promptsync.plugins.calls import Calls
from promptsync.plugins.declared import Declared
from promptsync.plugins.loading import Plugin
from tests.kinds import file_kinds

EXPORT, CHANGES = "message_7_2026-02-04T08-00-00Z.csv.gz", "people_v5_7_3.parquet"


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("message_7_2026-02-04.csv", "nightly", "unknown_name"),
        ("nonsense_v5_1_2.parquet", "customerio", "unknown_name"),
        ("people_v1_7_3.parquet", "customerio", "old_version"),
        ("1.2.track.csv", "customerio", "other_product"),  # though its ending is the exports'
        ("notes.txt", None, "unknown_name"),
    ],
)
def test_a_name_that_is_refused_says_by_which_kind_and_why(name: str, kind: str | None, reason: str) -> None:
    found = file_kinds().recognise(name)
    assert (found.kind.name if found.kind else None, found.stated) == (kind, None)
    assert isinstance(found.refused, InputRefused) and found.refused.reason == reason
    assert name in str(found.refused)


def test_a_second_file_of_one_name_is_what_the_first_is() -> None:
    """The archive of the drop folder puts a number after the name."""
    kinds = file_kinds(plugins=[_plugin(FileKind("shifts", "*.shifts", lambda _: []))])
    for name in (EXPORT, CHANGES, "today.shifts", "nonsense_v5_1_2.parquet", "notes.txt"):
        first, second = kinds.recognise(name), kinds.recognise(f"{name}.12")
        assert (second.kind, second.stated, second.decoder) == (first.kind, first.stated, first.decoder)


def test_what_no_kind_knows_is_told_which_endings_there_are() -> None:
    assert str(file_kinds().recognise("notes.txt").refused).endswith("it does not end in .csv, .csv.gz or .parquet.")


def test_files_are_loaded_kind_by_kind_and_those_that_say_nothing_last() -> None:
    kinds = file_kinds()
    later = "people_v5_7_12.parquet"
    names = ["notes.txt", later, CHANGES, EXPORT]
    assert sorted(names, key=lambda name: kinds.recognise(name).order) == [EXPORT, CHANGES, later, "notes.txt"]


def test_what_is_passed_over() -> None:
    kinds = file_kinds()
    assert kinds.mark("some/folder/cio-validate") is not None
    assert kinds.mark("cio-validated") is None
    assert kinds.is_empty(CHANGES, lambda: 0) and kinds.is_empty("x.parquet", lambda: 0)
    assert not kinds.is_empty(CHANGES, lambda: 1)
    assert not kinds.is_empty(EXPORT, lambda: 0), "an empty export is a damaged one, and somebody should know"


def _plugin(*kinds: FileKind | TableFiles) -> Plugin:
    return Plugin("mine", "test", Calls("mine"), declared=Declared(file_kinds=list(kinds)))


def test_a_plugin_is_asked_before_the_vendors_and_never_for_what_a_vendor_writes_for_itself() -> None:
    decoded = FileKind("all", "*", lambda _: [])
    kinds = file_kinds(plugins=[plugin := _plugin(decoded)])
    assert kinds.recognise(EXPORT).decoder == (plugin, decoded)
    assert kinds.recognise("cio-validate").decoder is None


def _fail(_name: str) -> FileName:
    raise RuntimeError("secret contents")


@pytest.mark.parametrize(
    ("recognise", "says"),
    [
        (lambda _: FileName("cio_people", 1, 1), "is of cio_people, and no such files fill"),
        (lambda _: ChangeSetName("message", 1, 1, 1), "is of message, and no such files fill"),
        (lambda _: ChangeSetName("nothing", 1, 1, 1), "is of nothing, and no such files fill"),
        (lambda _: "message", "is of message, and no such files fill"),
        (_fail, "RuntimeError"),
    ],
)
def test_a_plugin_that_is_wrong_about_a_name_has_the_file_held(recognise: object, says: str) -> None:
    plugin = _plugin(TableFiles("mine", recognise, (".x",)))  # type: ignore[arg-type]
    found = file_kinds(plugins=[plugin]).recognise("a.x")
    plugin.calls.close()
    assert found.stated is None and isinstance(found.refused, InputRefused) and found.refused.reason == "plugin"
    assert says in str(found.refused) and "secret" not in str(found.refused)
