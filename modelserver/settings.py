"""What the person who starts the model server decides."""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ModelServerSettings(BaseModel):
    """The settings of one model server, spelled as `tensorflow_model_server` spells its flags."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_name: str = Field(
        "default", min_length=1, description="The name that requests give in `model_spec.name`, for one model."
    )
    model_base_path: Path | None = Field(
        None, description="The folder that holds one folder per version, for one model."
    )
    model_config_file: Path | None = Field(
        None,
        description="A ModelServerConfig in text form, for several models; name and base path are ignored then.",
    )
    allow_version_labels_for_unavailable_models: bool = Field(
        False, description="Whether the file may label versions, although none is loaded when it is read."
    )
    host: str = Field("127.0.0.1", description="The address to listen on; only this machine by default.")
    port: int = Field(8500, ge=0, le=65535, description="The port to listen on; 0 takes any free one.")
    file_system_poll_wait_seconds: float = Field(
        1.0, gt=0, description="Seconds between two looks at the base path for another version."
    )
    grpc_max_threads: int = Field(
        default_factory=lambda: 4 * (os.cpu_count() or 1),
        gt=0,
        description="Requests that run in the graph at a time, 4 per CPU as in TensorFlow Serving; more wait.",
    )

    @model_validator(mode="after")
    def _names_a_model(self) -> Self:
        if self.model_base_path is None and self.model_config_file is None:
            raise ValueError("give --model_base_path for one model, or --model_config_file for several")
        return self
