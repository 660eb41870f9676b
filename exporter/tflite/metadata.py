"""TFLite Metadata: what a file says of itself to MediaPipe and to the Task Library.

Written from its published schema (metadata_schema.fbs, identifier M001); the official writer is broken in the current
MediaPipe wheel. The numbers of fields and of enum values below are the schema's.
"""

import io
import zipfile
from dataclasses import dataclass

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from exporter.tflite.graph import INPUT, OUTPUT
from exporter.tflite.packing import pack, unpack
from exporter.tflite.records import LABELS_FILE

_IDENTIFIER, _ENTRY = b"M001", b"TFLITE_METADATA"
_FEATURE, _IMAGE = 1, 2  # ContentProperties
_RGB = 1  # ColorSpaceType
_NORMALIZATION = 1  # ProcessUnitOptions
_AXIS_LABELS = 2  # AssociatedFileType: TENSOR_AXIS_LABELS
_MIN_PARSER_VERSION = "1.0.0"  # the first parser knows all fields that are used here
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the format's earliest, so that the bytes do not change with the day


@dataclass(frozen=True)
class Description:
    """What a person reads about the file, and the class names in the order of the output."""

    name: str
    text: str
    version: str
    labels: tuple[str, ...]

    def labels_file(self) -> bytes:
        """Return the class names as a file, one a line."""
        return "".join(f"{label}\n" for label in self.labels).encode()


def with_metadata(content: bytes, description: Description) -> bytes:
    """Return a TFLite file with its metadata and, as a ZIP archive behind its end, the file of class names."""
    model = unpack(content)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(_metadata(description))
    entry.name, entry.buffer = _ENTRY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [kept for kept in model.metadata or [] if kept.name != _ENTRY] + [entry]
    file = io.BytesIO(pack(model))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(LABELS_FILE, _ZIP_DATE), description.labels_file())
    return file.getvalue()


def _metadata(description: Description) -> bytes:
    """Return the root table, ModelMetadata."""
    tables = _Tables()
    subgraph = tables.table(
        9, {2: tables.vector([_input_metadata(tables)]), 3: tables.vector([_output_metadata(tables)])}
    )
    fields = {
        0: tables.text(description.name),
        1: tables.text(description.text),
        2: tables.text(description.version),
        3: tables.vector([subgraph]),
        4: tables.text(""),  # author
        7: tables.text(_MIN_PARSER_VERSION),
    }
    return tables.finish(tables.table(8, fields))


def _input_metadata(tables: "_Tables") -> int:
    """Return TensorMetadata of the pixels: RGB, handed over as they are."""
    content = tables.table(3, {1: tables.table(2, {}, bytes_at={0: _RGB})}, bytes_at={0: _IMAGE})
    # mean 0 and standard deviation 1: the scaling to the network's range is inside the graph
    unchanged = tables.table(2, {0: tables.floats([0.0]), 1: tables.floats([1.0])})
    units = tables.vector([tables.table(2, {1: unchanged}, bytes_at={0: _NORMALIZATION})])
    return tables.table(
        7, {0: tables.text(INPUT), 3: content, 4: units, 5: tables.statistics(lowest=0.0, highest=255.0)}
    )


def _output_metadata(tables: "_Tables") -> int:
    """Return TensorMetadata of the probabilities, with the file that names them."""
    content = tables.table(3, {1: tables.table(0, {})}, bytes_at={0: _FEATURE})
    labels = tables.table(5, {0: tables.text(LABELS_FILE)}, bytes_at={2: _AXIS_LABELS})
    return tables.table(
        7,
        {
            0: tables.text(OUTPUT),
            3: content,
            5: tables.statistics(lowest=0.0, highest=1.0),
            6: tables.vector([labels]),
        },
    )


class _Tables:
    """Writes tables whose fields are other tables, texts or vectors, by number; each is made before it is used."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1024)

    def text(self, text: str) -> int:
        return int(self._builder.CreateString(text))

    def floats(self, values: list[float]) -> int:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependFloat32(value)
        return int(self._builder.EndVector())

    def vector(self, tables: list[int]) -> int:
        self._builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self._builder.PrependUOffsetTRelative(table)
        return int(self._builder.EndVector())

    def statistics(self, *, lowest: float, highest: float) -> int:
        return self.table(2, {0: self.floats([highest]), 1: self.floats([lowest])})

    def table(self, fields: int, values: dict[int, int], *, bytes_at: dict[int, int] | None = None) -> int:
        """Write a table of `fields` fields; `bytes_at` are those that hold a number of 0 to 255."""
        self._builder.StartObject(fields)
        for field, value in values.items():
            self._builder.PrependUOffsetTRelativeSlot(field, value, 0)
        for field, value in (bytes_at or {}).items():
            self._builder.PrependUint8Slot(field, value, 0)
        return int(self._builder.EndObject())

    def finish(self, root: int) -> bytes:
        self._builder.Finish(root, file_identifier=_IDENTIFIER)
        return bytes(self._builder.Output())
