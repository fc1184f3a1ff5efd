# SPDX-License-Identifier: Apache-2.0
"""The report's pictures, as SVG: told apart by hatches, markers and dashes as well as by colour.

Narrow on purpose: side by side on a desk, one below the other on a phone, at the same size of type.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..record import Record, faster, quantity, shown_size
from . import profile
from .scaling import Curve

WIDTH = 4.4  # inches
_COLOURS = ("#0b4f6c", "#e08e45", "#8fb8a8", "#7a2e39", "#b9b4c7", "#4c6e3d", "#d9c27e", "#555555")
_HATCHES = ("", "///", "|||", "xxx", "\\\\\\", "---", "+++", "//--")  # round ones take 100 kB each
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ("-", "--", ":", "-.")
_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "svg.fonttype": "none",  # type as type: smaller files, and it can be searched
    "svg.hashsalt": "mpc",  # the same numbers give the same file
}


def _drawn(draw: Callable[[Figure], None], height: float) -> bytes:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def label(record: Record) -> str:
    """What tells a figure from the others, in few words."""
    shown = {n: v for n, v in record.params.items() if n not in _SAID_ELSEWHERE}
    words = " ".join(
        str(v) if isinstance(v, str) else f"{n}={_shown(n, v)}" for n, v in shown.items()
    )
    return f"{record.benchmark} {words}".strip()


def _shown(name: str, value: object) -> str:
    """Keys are known by their length, and all else by its size."""
    return str(value) if name.endswith("bits") else shown_size(value)


_SAID_ELSEWHERE = {"kernels", "backend", "cores", "expansion", "over"}
_SAID_ELSEWHERE |= {"bandwidth_mbit", "latency_ms"}  # which the link's name stands for


def ratios(rows: Sequence[tuple[str, str, float]], title: str) -> bytes:
    """Bars on a log scale: what, beside whom, and how many times as fast."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        whose = list(dict.fromkeys(row[1] for row in rows))
        for place, (_, who, times) in enumerate(rows):
            again, kind = divmod(whose.index(who), len(_COLOURS))
            axes.barh(
                place,
                times - 1,
                left=1,
                height=0.72,
                color=_COLOURS[kind],
                hatch=_HATCHES[(kind + again) % len(_HATCHES)],
                edgecolor="white",
                linewidth=0,
                label=who if who not in [row[1] for row in rows[:place]] else None,
            )
            axes.annotate(
                f"{quantity(times)}×",
                (max(times, 1), place),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
        _log(axes, "x")
        axes.axvline(1, color="black", linewidth=0.9)
        low, high = min(r[2] for r in rows), max(r[2] for r in rows)
        # The numbers stand right of the bars, where those of the slower leave room for them.
        axes.set_xlim(min(0.5, low / 2), max(2.0, high) * (max(high, 2) / min(low, 0.5)) ** 0.3)
        axes.set_yticks(range(len(rows)), [row[0] for row in rows], fontsize=7)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        _over_all(figure, title)
        axes.set_xlabel("slower  ◂  times as fast  ▸  faster")
        figure.legend(loc="outside lower center", ncols=min(3, len(whose)))

    return _drawn(draw, 1.3 + 0.2 * len(rows))


def growth(curves: Sequence[Curve], title: str, names: Sequence[str]) -> bytes:
    """Curves of one unit over sizes, both logarithmic, with their slopes in the legend."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, (curve, name) in enumerate(zip(curves, names, strict=True)):
            axes.plot(
                curve.sizes,
                curve.medians,
                color=_COLOURS[place % len(_COLOURS)],
                marker=_MARKERS[place % len(_MARKERS)],
                linestyle=_DASHES[place % len(_DASHES)],
                markersize=4,
                linewidth=1.2,
                label=f"{name}  ({_grows(curve)})",
            )
        axes.set_xscale("log", base=2)
        _log(axes, "y")
        axes.set_xlabel(curves[0].size)
        axes.set_ylabel(curves[0].unit)
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.set_title(title)
        figure.legend(loc="outside lower center", ncols=1)

    return _drawn(draw, 2.6 + 0.17 * len(curves))


def _grows(curve: Curve) -> str:
    """Of rates and of costs per item, it is that of one item."""
    what = "cost of one" if "/" in curve.unit else "cost"
    return f"{what} ∝ n^{curve.slope:.2f} ± {curve.error:.2f}"


def stages(stacks: Mapping[str, Mapping[str, float]], title: str) -> bytes:
    """Stacked bars: a run each, the share of time that each of its stages took."""
    names = list(dict.fromkeys(stage for stack in stacks.values() for stage in stack))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, stack in enumerate(stacks.values()):
            _stack(axes, place, stack, names, drawn)
        axes.set_yticks(range(len(stacks)), list(stacks), fontsize=7)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0%}"))
        axes.set_title(title)
        figure.legend(loc="outside lower center", ncols=4)

    drawn: set[int] = set()
    return _drawn(draw, 1.15 + 0.36 * len(stacks) + 0.18 * ((len(names) + 3) // 4))


def _stack(
    axes: Axes, place: int, stack: Mapping[str, float], names: Sequence[str], drawn: set[int]
) -> None:
    """One bar of ``stages``; ``drawn`` are those of ``names`` that are in the legend already."""
    whole, left = sum(stack.values()) or 1.0, 0.0
    for stage, seconds in stack.items():
        kind = names.index(stage)
        share = seconds / whole
        axes.barh(
            place,
            share,
            left=left,
            height=0.6,
            color=_COLOURS[kind % len(_COLOURS)],
            hatch=_HATCHES[kind % len(_HATCHES)],
            edgecolor="white",
            linewidth=0.5,
            label=stage if kind not in drawn else None,
        )
        drawn.add(kind)
        left += share
    axes.annotate(
        f"{quantity(1e3 * whole)} ms",
        (1, place),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
    )


def links(rows: Sequence[tuple[str, float, float]], title: str) -> bytes:
    """Pairs of bars: seconds taken, and what its bytes and rounds alone take on that link."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        kinds = (("measured", 1, -0.19), ("its bytes and rounds alone", 2, 0.19))
        for kind, (name, column, shift) in enumerate(kinds):
            places = [place + shift for place in range(len(rows))]
            values = [max(float(row[column]), 1e-4) for row in rows]
            axes.barh(
                places,
                values,
                height=0.36,
                color=_COLOURS[kind],
                hatch=_HATCHES[kind],
                edgecolor="white",
                linewidth=0,
                label=name,
            )
            for place, value, row in zip(places, values, rows, strict=True):
                axes.annotate(
                    f"{quantity(float(row[column]))} s",
                    (value, place),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=7,
                )
        _log(axes, "x")
        axes.set_xlim(right=5 * max(row[1] for row in rows))
        axes.set_yticks(range(len(rows)), [row[0] for row in rows], fontsize=7)
        axes.invert_yaxis()
        axes.set_xlabel("seconds")
        _over_all(figure, title)
        figure.legend(loc="outside lower center", ncols=1)

    return _drawn(draw, 1.5 + 0.42 * len(rows))


def _over_all(figure: Figure, title: str) -> None:
    """The title over the names of the bars too, which leave too little room beside them."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=9, fontweight="bold")


def _log(axes: Any, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = axis.get_data_interval()
    if high < 30 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    elif which == "x":
        # Numbers stand side by side there, and those of every power of ten ran into each other.
        axis.set_major_locator(LogLocator(numticks=5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: quantity(value)))
    axis.set_minor_formatter(NullFormatter())


# --- which of the records go into which picture ------------------------------------------------


def typical(records: Sequence[Record]) -> list[Record]:
    """One record of each figure: on one core, of the largest size and by the default way."""
    found: dict[str, Record] = {}
    for record in of_best_backend(records):
        if record.params.get("cores", 1) == 1 and record.params.get("form") != "hashes":
            split = {n: v for n, v in record.params.items() if isinstance(v, str)}
            if "link" in split and split["link"] != "tls":
                continue
            found[f"{record.benchmark} {split}"] = record
    return list(found.values())


def of_best_backend(records: Sequence[Record]) -> list[Record]:
    """Without the portable backend's records of what was measured on lanes too."""
    lanes = {r.benchmark for r in records if r.params.get("backend") == "simd"}
    return [
        record
        for record in records
        if record.benchmark not in lanes or record.params.get("backend") == "simd"
    ]


def peer_rows(records: Sequence[Record]) -> list[tuple[str, str, float]]:
    """For ``ratios``: every typical figure beside every peer."""
    return [
        (label(record), peer, faster(record.unit, ratio))
        for record in typical(records)
        for peer, ratio in (record.peers or {}).items()
    ]


def floor_rows(records: Sequence[Record]) -> list[tuple[str, str, float]]:
    """For ``ratios``: every typical figure beside its floor."""
    return [
        (label(record), record.floor[0], faster(record.unit, record.floor[1]))
        for record in typical(records)
        if record.floor is not None
    ]


def stage_rows(records: Sequence[Record], subject: str) -> dict[str, dict[str, float]]:
    """For ``stages``: the sides of the largest run of ``subject``, over the default link."""
    own = [r for r in records if r.benchmark == f"{subject}.stage" and "stage" in r.params]
    own = [r for r in own if r.params.get("link", "tls") in ("tls", "loopback")] or own
    groups: dict[str, list[Record]] = {}
    for record in own:
        left = {n: v for n, v in record.params.items() if n not in ("stage", "side", "times")}
        groups.setdefault(str(left), []).append(record)
    if not groups:
        return {}
    largest = max(groups.values(), key=lambda group: sum(r.median for r in group))
    return {
        " ".join(w.split("=")[1] for w in title.split() if w.startswith(("side=", "form="))): stack
        for title, stack in profile.stacks(largest).items()
    }
