"""What all sections of the configuration share: the model of a TOML table, and the commonest kinds of value.

Owns what a table may hold at all: known keys, and nothing that changes afterwards.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

Port = Annotated[StrictInt, Field(ge=0, le=65_535)]
Share = Annotated[StrictFloat, Field(ge=0, le=1, allow_inf_nan=False)]
Text = Annotated[StrictStr, Field(min_length=1)]


class Section(BaseModel):
    """One TOML table: immutable, unknown keys refused, its defaults checked like given values."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        defer_build=True,  # most sections are only ever read as part of the whole
    )
