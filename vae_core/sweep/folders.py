"""The folders of sweeps: which settings go where, so that no two ever meet.

<base>                       all settings are the notebook's defaults
<base>/<name=value,...>      what differs from them, in the notebook's order
<base>/comparison-<names>    several of these side by side
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

from vae_core.sweep.axes import said

LONGEST = 80  # characters of a name: Windows has 260 for the whole path
SAFE = re.compile(r"([a-z0-9_+-]+(\.[a-z0-9_+-]+)*)?")  # on every system; on some A and a are the same


def sweep_name(settings: Mapping[str, object], defaults: Mapping[str, object]) -> str:
    """The folder's name of a sweep with these settings, such as latent_dim=10; empty if they are the defaults."""
    return _shortened(",".join(_differing(settings, defaults)))


def comparison_name(axes: Sequence[str], settings: Mapping[str, object], defaults: Mapping[str, object]) -> str:
    """The folder's name of a comparison over the axes, such as comparison-latent_dim.

    What else differs from the defaults, in all sweeps alike, is in it with its value.
    """
    fixed = _differing({name: value for name, value in settings.items() if name not in axes}, defaults)
    return _shortened("comparison-" + ",".join([*axes, *fixed]))


def _differing(settings: Mapping[str, object], defaults: Mapping[str, object]) -> list[str]:
    return [f"{name}={_safe(said(value))}" for name, value in settings.items() if value != defaults[name]]


def _safe(text: str) -> str:
    if SAFE.fullmatch(text):
        return text
    return f"{re.sub('[^a-z0-9_-]+', '-', text.lower())[:20]}~{_digest(text)}"


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 9]}~{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
