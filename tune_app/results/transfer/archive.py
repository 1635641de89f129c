"""The archive format: a sweep and its files as lines of text.

If the storage of a cluster cannot be reached from here, the only way back is the output of a job,
so a job prints the sweep as text.
"""

import base64
import binascii
import io
import json
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath

from tune_app.errors import StorageError
from tune_app.results.store.store import Store
from tune_app.results.transfer.sweep_json import add_exact, sweep_to_json

BEGIN, END = "-----BEGIN TUNE-APP SWEEP-----", "-----END TUNE-APP SWEEP-----"
_RECORD = "record.json"
_LINE = 16_384  # characters; not so many that a log would cut them


def pack_sweep(store: Store, name: str) -> Iterator[str]:
    """Yield the lines of the archive of a sweep that is not running.

    Raises:
        UnknownSweepError, SweepBusyError: There is no such sweep, or a live process owns it.
    """
    store.refuse_if_live(name)
    record = sweep_to_json(store, name)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        text = json.dumps(record).encode()
        entry = tarfile.TarInfo(_RECORD)
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
        folder = store.sweep_folder(name)
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            if path.is_file() and not path.is_symlink():
                archive.add(path, f"files/{path.relative_to(folder).as_posix()}")
    content = packed.getvalue()
    coded = base64.b64encode(content).decode()
    yield BEGIN
    yield sha256(content).hexdigest()
    yield from (coded[start : start + _LINE] for start in range(0, len(coded), _LINE))
    yield END


def unpack_sweep(store: Store, text: str) -> str:
    """Add the sweep of the archive in `text` to a storage, and return its name.

    Raises:
        SweepExistsError: The storage has a sweep of that name.
        StorageError: The archive is incomplete, has another version, or cannot be written.
    """
    with tarfile.open(fileobj=io.BytesIO(_content(text))) as archive:
        stream = archive.extractfile(_RECORD)
        assert stream is not None
        record = json.loads(stream.read())
        record["sweep"]["owner"] = None  # the job that packed it has ended
        name = add_exact(store, record).name
        _write_files(archive, store.sweep_folder(name))
    return name


def _content(text: str) -> bytes:
    lines = [line.strip() for line in text.splitlines()]
    try:
        first, last = lines.index(BEGIN), lines.index(END)
        content = base64.b64decode("".join(lines[first + 2 : last]), validate=True)
    except (ValueError, binascii.Error):
        raise StorageError("the job's output holds no complete sweep; try again") from None
    if sha256(content).hexdigest() != lines[first + 1]:
        raise StorageError("the archive was damaged in transfer; try again")
    return content


def _write_files(archive: tarfile.TarFile, folder: Path) -> None:
    for entry in archive.getmembers():
        name = PurePosixPath(entry.name)
        if not entry.isfile() or name.parts[0] != "files" or ".." in name.parts:
            continue
        source = archive.extractfile(entry)
        assert source is not None
        place = folder.joinpath(*name.parts[1:])
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(source.read())
        except OSError as error:
            raise StorageError(f"{place} cannot be written: {error}") from error
