"""The SQLite file holds documents: nobody but us reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from messaging.errors import ConfigurationError
from messaging.private_files import make_private


def test_a_new_database_file_is_ours_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "own.db"
    make_private(file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError):
        make_private(tmp_path / "file" / "own.db")
