"""What models/interchange and the processes that it starts say to each other, as JSON (lungline/child_process.py)."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ForeignFile(_Message):
    """A weight file to read, and where its weights go."""

    path: Path
    most_bytes: int  # a file that is larger, or promises more, is refused
    arrays: Path  # is written: float32 arrays as `numpy.save` writes them, one after the other


class DescribedLayer(_Message):
    """A layer with weights, as a file describes it."""

    name: str | None
    kind: str  # its class in snake case: dense, conv2d, batch_normalization …
    settings: dict[str, JsonValue]  # activation, strides …, where the file gives them
    arrays: int  # how many it has


class ForeignContents(_Message):
    """What a weight file holds."""

    layers: tuple[DescribedLayer, ...]  # of each kind in the network's order
    sides: tuple[int, int] | None  # rows and columns of the pictures that it takes, where the file gives them
    code: tuple[str, ...]  # layers that hold their author's code (Lambda), by name; it was not run


class ExportOrder(_Message):
    """A member's network to write in another library's format."""

    member: Path  # its folder
    form: str
    path: Path  # is written


class ExportResult(_Message):
    """How far a written network, run by its own library, is from Keras, and what it takes and gives."""

    difference: float  # models/runtimes/agreement.py
    input: tuple[int | None, ...]  # the shape by that library, None where any size fits
    output: tuple[int | None, ...]
