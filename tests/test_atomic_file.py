"""A file is there whole, or as it was."""

import pytest

from tune_app.atomic_file import replacing
from tune_app.errors import StorageError


def test_the_old_content_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "folder" / "a.bin"
    for content in (b"one", b"two"):
        before = path.read_bytes() if path.exists() else None
        with replacing(path, durable=True) as file:
            file.write(content)
            assert (path.read_bytes() if path.exists() else None) == before
        assert path.read_bytes() == content
    assert [one.name for one in path.parent.iterdir()] == ["a.bin"]


def write_half(path, error):
    with replacing(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize(
    ("error", "raised"), [(OSError("full"), StorageError), (KeyError("x"), KeyError)]
)
def test_a_file_that_could_not_be_written_leaves_nothing(tmp_path, error, raised):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(raised):
        write_half(path, error)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a.bin", b"old")]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StorageError, match=r"file/a\.bin cannot be written: "),
        replacing(tmp_path / "file" / "a.bin"),
    ):
        pass
