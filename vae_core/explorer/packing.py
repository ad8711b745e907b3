"""Arrays as text for the page: whole numbers, deflated, in base64. `payload.js` reads them."""

import base64
import json
import zlib
from collections.abc import Mapping

import numpy as np
from markupsafe import Markup  # of Jinja2


def packed(values: np.ndarray, bits: int) -> dict[str, object]:
    """Whole numbers of `bits` bits from the smallest to the largest value of each column; values: (rows, columns)."""
    low, high = values.min(axis=0), values.max(axis=0)  # (columns,)
    step = np.maximum(high - low, np.finfo(np.float32).tiny) / (2**bits - 1)
    whole = np.round((values - low) / step).astype(np.uint16)
    return {"whole": whole, "low": low, "step": step}


def unpacked(array: Mapping[str, np.ndarray]) -> np.ndarray:
    """The values that the page reads; array: from `packed`."""
    return array["low"] + array["step"] * array["whole"]


def as_text(array: Mapping[str, np.ndarray]) -> dict[str, object]:
    """For JSON, from `packed`; low bytes before high bytes, which compress better apart."""
    planes = array["whole"].astype("<u2").view(np.uint8).reshape(-1, 2).T  # (2, rows * columns)
    ends = {name: [float(f"{value:.9g}") for value in array[name]] for name in ("low", "step")}
    return {"packed": deflated(planes), "rows": len(array["whole"]), **ends}


def deflated(values: np.ndarray) -> str:
    """The bytes of an array."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 9)).decode()


def element(name: str, content: Mapping[str, object]) -> Markup:
    """An element of the page that holds JSON, with a checksum by which the page knows whether it is whole."""
    # "<" would end the element in the middle of a text
    text = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    return Markup(
        f'<script type="application/json" data-checksum="{zlib.crc32(text.encode())}" id="{name}">{text}</script>'
    )
