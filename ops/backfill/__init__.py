"""The daily batch over a range of trading days, written in sets."""

from typing import Literal

Mode = Literal["missing", "failed", "all"]
Engine = Literal["local", "dask"]
