"""Files in an object store, s3:// or gs://, through pyarrow."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tune_app.errors import StorageError

# Google's own is a quarter of an hour, also without credentials, and no signal ends it.
_GS_RETRIES_S = 15
_URL = re.compile(r"(s3|gs)://[^/\s]+(/\S*)?")


def is_url(text: str) -> bool:
    """Tell whether `text` is the address of an object store and not a folder.

    Raises:
        StorageError: `text` is an address with an unknown scheme.
    """
    if "://" not in text:
        return False
    if not _URL.fullmatch(text):
        raise StorageError(
            f"'{text}' is not a storage: expected a folder, s3://BUCKET/PATH or gs://BUCKET/PATH"
        )
    return True


class Bucket:
    """The files below an address of an object store; names are relative to it. Writes are atomic.

    Credentials and the region are found in the same way as by the tools of AWS (including
    AWS_ENDPOINT_URL) or Google. An address of Google can end with options of pyarrow, such as
    gs://anonymous@BUCKET/PATH?scheme=http&endpoint_override=HOST:PORT&retry_limit_seconds=60.

    Raises:
        StorageError: Every method, if the object store cannot be reached or refuses the request.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        with _explained(self.url):
            self._files, self._root = open_files(self.url)

    def write(self, name: str, content: bytes) -> None:
        """Write a file; it is stored when this returns."""
        with (
            _explained(f"{self.url}/{name}"),
            self._files.open_output_stream(self._at(name)) as out,
        ):
            out.write(content)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None if it does not exist."""
        with _explained(f"{self.url}/{name}"):
            try:
                with self._files.open_input_stream(self._at(name)) as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        with _explained(f"{self.url}/{name}"):
            try:
                self._files.delete_file(self._at(name))
            except FileNotFoundError:
                return

    def remove_folder(self, name: str) -> None:
        """Remove all files below a folder."""
        for file in self.names(name):
            self.remove(file)

    def names(self, folder: str = "", *, below: bool = True) -> dict[str, str]:
        """Return the files in a folder, each with a text that changes if the file is rewritten."""
        from pyarrow.fs import FileSelector, FileType  # type: ignore[import-untyped]

        with _explained(f"{self.url}/{folder}"):
            found = self._files.get_file_info(
                FileSelector(self._at(folder), recursive=below, allow_not_found=True)
            )
        return {
            info.path[len(self._root) + 1 :]: f"{info.mtime_ns} {info.size}"
            for info in found
            if info.type == FileType.File
        }

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root


def open_files(url: str) -> tuple[Any, str]:
    """Return pyarrow's file system for an address, and the path in it."""
    from pyarrow import fs  # type: ignore[import-untyped]

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if url.startswith("s3://") and endpoint:  # which pyarrow does not look at
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return fs.S3FileSystem(endpoint_override=endpoint, region=region), url[len("s3://") :]
    if url.startswith("gs://") and "retry_limit_seconds=" not in url:
        url = f"{url}{'&' if '?' in url else '?'}retry_limit_seconds={_GS_RETRIES_S}"
    files, path = fs.FileSystem.from_uri(url)
    return files, str(path)


@contextmanager
def _explained(place: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        text = " ".join(str(error).split())
        raise StorageError(f"{place} cannot be reached: {text[:300]}") from error
    except ImportError as error:
        raise StorageError(f"{place} needs {error.name}, which is not installed") from error
