# SPDX-License-Identifier: Apache-2.0
"""The scorecard file: a logistic regression over features of several owners, and its bands.

    {"features": [{"name": "tax_arrears_months", "owner": "tax_office",
                   "mean": 1.9, "scale": 3.2, "weight": 0.84},
                  ...],
     "intercept": -2.1,
     "bands": [{"name": "low", "from": 0}, {"name": "medium", "from": 0.05},
               {"name": "high", "from": 0.2}],
     "threshold": 0.2}

A company's logit is intercept + sum of weight * (value - mean) / scale, its probability
1 / (1 + exp(-logit)), and its band the last one whose ``from`` does not exceed the probability. So
the bands cover 0 to 1 without a gap and without overlap, once they begin at 0 and ascend.

``threshold`` may be left out: it is that of a yes-or-no decision, which says whether the
probability is at least that.

The file is the model owner's secret. During a job the receiver of the scores learns the bands, and
a feature's owner the mean and scale of its own features, with which it standardises them before
they are encoded: so that features of any magnitude keep the same number of significant digits,
and nobody has to choose a fixed-point format. They describe the model owner's population, not
its customers one by one and not its weights. An owner that must not learn even that is served by
a scorecard with round numbers for means and scales: the weights take up the difference.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.primitives.whole_file import replacing

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Band:
    """The name of the probabilities from ``start`` on, up to the next band or 1."""

    name: str
    start: float


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """A column ``name`` in the table of ``owner``, and what the model makes of it."""

    name: str
    owner: str
    mean: float = field(repr=False)
    scale: float = field(repr=False)
    weight: float = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Scorecard:
    """What a scorecard file says, checked. Feature names differ, also between owners."""

    features: tuple[Feature, ...]
    intercept: float = field(repr=False)
    bands: tuple[Band, ...] = field(repr=False)
    threshold: float | None = field(repr=False, default=None)

    def save(self, path: str | Path) -> None:
        """Write the file that ``load`` reads, whole or not at all, for its owner only.

        Raises ``ConfigError`` when it cannot be written; a file that was there is then as it was.
        """
        data: dict[str, Any] = {
            "features": [
                {key: getattr(feature, key) for key in _FEATURE_KEYS} for feature in self.features
            ],
            "intercept": self.intercept,
            "bands": [{"name": band.name, "from": band.start} for band in self.bands],
        }
        if self.threshold is not None:
            data["threshold"] = self.threshold
        with replacing(Path(path)) as file:
            file.write((json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())

    @property
    def owners(self) -> dict[str, tuple[Feature, ...]]:
        """The features of each owner, owners and features in the order of the file."""
        names = dict.fromkeys(feature.owner for feature in self.features)
        return {name: tuple(f for f in self.features if f.owner == name) for name in names}

    def standardisation(self, names: Sequence[str]) -> tuple[Floats, Floats]:
        """The means and the scales of the features ``names``."""
        chosen = self._chosen(names)
        return np.array([f.mean for f in chosen]), np.array([f.scale for f in chosen])

    def weights(self, names: Sequence[str]) -> Floats:
        """The weights of the features ``names``, once they are standardised."""
        return np.array([f.weight for f in self._chosen(names)])

    def logit(self, values: Floats) -> Floats:
        """The logits of rows of feature values as they stand in the tables: the score in the open.

        ``values`` has the shape (rows, features), in the order of ``features``.
        """
        means, scales = self.standardisation([f.name for f in self.features])
        z = (values - means) / scales
        return np.asarray(z @ self.weights([f.name for f in self.features]) + self.intercept)

    def _chosen(self, names: Sequence[str]) -> list[Feature]:
        by_name = {feature.name: feature for feature in self.features}
        return [by_name[name] for name in names]


def load(path: str | Path, *, owners: Collection[str] | None = None) -> Scorecard:
    """The scorecard in the file ``path``; ``owners``, when given, are those it may name.

    Raises ``ConfigError`` that names the file, the key and what it should be.
    """
    try:
        data = json.loads(
            Path(path).read_text("utf-8"), parse_constant=_refuse, object_pairs_hook=_object
        )
    except OSError as fault:
        raise ConfigError(f"{path} cannot be read: {fault.strerror}") from fault
    except (ValueError, RecursionError) as fault:
        raise ConfigError(f"{path} is not JSON: {fault}") from fault
    return _Reader(str(path), owners).scorecard(data)


def band(bands: Sequence[Band], probabilities: Floats) -> list[str]:
    """The name of the band in which each of ``probabilities`` lies."""
    starts = np.array([band.start for band in bands])
    names = [band.name for band in bands]
    return [names[i] for i in np.searchsorted(starts, probabilities, side="right") - 1]


_FEATURE_KEYS = ("name", "owner", "mean", "scale", "weight")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the data of a file into a scorecard; each fault names the file and the key."""

    path: str
    owners: Collection[str] | None

    def scorecard(self, data: Any) -> Scorecard:
        self._keys(data, "", ("features", "intercept", "bands"), ("threshold",))
        features = tuple(
            self._feature(f"features[{i}]", f) for i, f in self._list(data, "features")
        )
        self._different((f.name for f in features), "features", "name")
        intercept = self._number(data, "", "intercept")
        bands = tuple(
            self._band(f"bands[{i}]", band, first=i == 0) for i, band in self._list(data, "bands")
        )
        self._different((b.name for b in bands), "bands", "name")
        for i, (low, high) in enumerate(pairwise(bands), 1):
            if not low.start < high.start:
                self._fault(f"bands[{i}].from", f"is {high.start}, but must exceed {low.start}")
        threshold = self._number(data, "", "threshold") if "threshold" in data else None
        if threshold is not None and not 0 < threshold < 1:
            self._fault("threshold", f"is {threshold}, but must be above 0 and below 1")
        return Scorecard(features, intercept, bands, threshold)

    def _feature(self, where: str, data: Any) -> Feature:
        self._keys(data, where, _FEATURE_KEYS)
        owner = self._text(data, where, "owner")
        if self.owners is not None and owner not in self.owners:
            known = ", ".join(map(repr, self.owners))
            self._fault(f"{where}.owner", f"is {owner!r}, which is no party of the job: {known}")
        scale = self._number(data, where, "scale")
        if scale <= 0:
            self._fault(f"{where}.scale", f"is {scale}, but must be above 0")
        return Feature(
            self._text(data, where, "name"),
            owner,
            self._number(data, where, "mean"),
            scale,
            self._number(data, where, "weight"),
        )

    def _band(self, where: str, data: Any, *, first: bool) -> Band:
        self._keys(data, where, ("name", "from"))
        start = self._number(data, where, "from")
        if first and start != 0:
            self._fault(f"{where}.from", f"is {start}, but the first band must begin at 0")
        if not 0 <= start < 1:
            self._fault(
                f"{where}.from", f"is {start}, but a band begins at 0 or above, and below 1"
            )
        return Band(self._text(data, where, "name"), start)

    def _keys(self, data: Any, where: str, keys: Sequence[str], more: Sequence[str] = ()) -> None:
        named = where or "the file"
        if not isinstance(data, dict):
            self._fault(named, f"must be an object with the keys {', '.join(keys)}")
        if missing := [key for key in keys if key not in data]:
            self._fault(named, f"lacks the key {missing[0]!r}; it must have {', '.join(keys)}")
        if unknown := [key for key in data if key not in (*keys, *more)]:
            may = ", ".join((*keys, *more))
            self._fault(named, f"has the unknown key {unknown[0]!r}; it may have {may}")

    def _list(self, data: dict[str, Any], key: str) -> Iterable[tuple[int, Any]]:
        if not isinstance(data[key], list) or not data[key]:
            self._fault(key, "must be a list of at least one object")
        return enumerate(data[key])

    def _text(self, data: dict[str, Any], where: str, key: str) -> str:
        value = data[key]
        if not isinstance(value, str) or not value.strip():
            self._fault(f"{where}.{key}", "must be a text that is not empty")
        if not value.isprintable():
            self._fault(f"{where}.{key}", f"has control characters: {value!r}")
        return str(value)

    def _number(self, data: dict[str, Any], where: str, key: str) -> float:
        value = data[key]
        named = f"{where}.{key}" if where else key
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._fault(named, "must be a number")
        if not abs(value) < 1e300 or not math.isfinite(value):
            self._fault(named, "must be a finite number below 1e300")
        return float(value)

    def _different(self, names: Iterable[str], where: str, key: str) -> None:
        seen: set[str] = set()
        for i, name in enumerate(names):
            if name in seen:
                self._fault(f"{where}[{i}].{key}", f"is {name!r} again; each must have its own")
            seen.add(name)

    def _fault(self, where: str, what: str) -> NoReturn:
        raise ConfigError(f"{self.path}: {where} {what}")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number that JSON knows")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; Python would silently take the last of two values under one key."""
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} is there twice")
    return data
