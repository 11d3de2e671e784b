"""What somebody swaps in between two looks is neither followed nor lost."""

import os
from pathlib import Path
from typing import Any

import pytest
from drop_stage import Drop

from promptsync.drop.archive import archive_file
from promptsync.drop.stability import Mark
from promptsync.drop.survey import confirm, survey
from promptsync.errors import Unavailable


@pytest.mark.parametrize("linkable", [True, False])
@pytest.mark.parametrize("taken_again", [True, False])
def test_a_file_that_replaces_the_loaded_one_at_the_last_moment_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linkable: bool, taken_again: bool
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("loaded")
    mark = Mark.of(path.stat())
    rename = os.rename

    def late(*names: Any, **folders: Any) -> None:
        monkeypatch.setattr("os.rename", rename)
        other = tmp_path / "other"
        other.write_text("newer")
        other.rename(path)
        rename(*names, **folders)
        if taken_again:
            path.write_text("newest")

    def refuse(*_names: Any, **_folders: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.rename", late)
    if not linkable:
        monkeypatch.setattr("os.link", refuse)
    assert archive_file(tmp_path, "x.csv", mark, "held", "Why.") is None
    found = {str(file.relative_to(tmp_path)): file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    assert found == ({"x.csv": "newest", "x.csv.1": "newer"} if taken_again else {"x.csv": "newer"})


def test_a_file_or_folder_swapped_for_a_link_is_never_opened(tmp_path: Path) -> None:
    drop, outside = Drop(tmp_path / "drop"), tmp_path / "outside"
    outside.mkdir()
    (outside / "x.csv").write_text("secret")
    mark = Mark.of((outside / "x.csv").stat())
    drop.folder.mkdir()
    (drop.folder / "sub").symlink_to(outside)
    (drop.folder / "x.csv").symlink_to(outside / "x.csv")
    assert confirm(drop.folder, "sub/x.csv") is None
    assert confirm(drop.folder, "x.csv") is None
    assert archive_file(drop.folder, "x.csv", mark, "done") is None
    with pytest.raises(Unavailable):
        archive_file(drop.folder, "sub/x.csv", mark, "done")
    assert (outside / "x.csv").read_text() == "secret"
    assert survey(drop.folder).files == {}
