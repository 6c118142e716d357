"""Draws rows of numbers as an SVG, beside a CSV with exactly those numbers.

Needs matplotlib (dependency group "benchmarks"), which is imported only when something is drawn.
The same rows give the same bytes: text stays text, ids are salted, no date is written. One file
serves light and dark pages: its colours are variables, and it looks at the scheme of the page.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, float | str]
SALT = "hevo-edge"
STYLES = ("-", "--", ":", "-.")
SIZE = (5.6, 4.4)
"""In inches: so narrow that the text can be read where a phone shrinks it."""
COLOURS = {
    "#000000": ("ink", "#20222e", "#e6e8f2"),
    "#ffffff": ("paper", "#ffffff", "#1e2129"),
    "#b0b0b0": ("grid", "#b0b0b0", "#5a5f73"),
    "#7f7f7f": ("area", "#7f7f7f", "#a9adbd"),
    "#1f77b4": ("c0", "#1f77b4", "#7fb8ff"),
    "#ff7f0e": ("c1", "#c95d00", "#ffab66"),
    "#2ca02c": ("c2", "#23822a", "#7fd18a"),
    "#d62728": ("c3", "#c62828", "#ff8f8a"),
    "#9467bd": ("c4", "#7e4fae", "#c9a6ee"),
}
"""What matplotlib draws with: the variable's name, and the colour in light and in dark."""


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write rows (all with the same columns), floats with six significant digits."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0])
        for row in rows:
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row.values()])


def read_csv(path: Path) -> list[dict[str, float | str]]:
    """Return the rows of a CSV; what looks like a number is one."""

    def value(text: str) -> float | str:
        try:
            return float(text)
        except ValueError:
            return text

    with path.open(newline="", encoding="utf-8") as file:
        return [{k: value(v) for k, v in row.items()} for row in csv.DictReader(file)]


def draw(
    rows: Sequence[Row],
    path: Path,
    *,
    x: str,
    y_label: str,
    title: str,
    lines: Sequence[str] = (),
    bars: Sequence[str] = (),
    shaded: Sequence[str] = (),
    shaded_label: str = "",
    x_label: str | None = None,
    log_x: bool = False,
    log_y: bool = False,
) -> None:
    """Write ``path`` with .svg and .csv: columns of the rows over the column ``x``.

    Args:
        rows: All with the same columns; those that are not drawn are only in the CSV.
        path: Without a suffix.
        x: The column of the x axis: numbers, or words (each row's place, in order).
        y_label: What the left axis measures.
        title: Of the figure.
        lines: Columns drawn as lines.
        bars: Columns drawn as bars, side by side.
        shaded: Columns drawn as a shaded area, on an axis of their own at the right.
        shaded_label: What the right axis measures.
        x_label: The column's name if None.
        log_x: A logarithmic x axis.
        log_y: A logarithmic y axis; otherwise it starts at 0.
    """
    write_csv(rows, path.with_suffix(".csv"))
    rows = read_csv(path.with_suffix(".csv"))  # what is drawn is what was written
    import matplotlib  # noqa: PLC0415 -- the numbers need no matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": SALT, "font.size": 10}
    with matplotlib.rc_context(settings):
        figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
        places, names = _places(rows, x)
        if shaded:
            right = axes.twinx()
            for k, column in enumerate(shaded):
                right.fill_between(
                    places, _column(rows, column), color=f"C{7 - k}", alpha=0.2, lw=0, label=column
                )
            right.set(ylabel=shaded_label)
            right.set_ylim(bottom=0)
        for k, column in enumerate(lines):
            axes.plot(places, _column(rows, column), STYLES[k % len(STYLES)], label=column)
        width = 0.8 / max(len(bars), 1)
        for k, column in enumerate(bars):
            offset = (k - (len(bars) - 1) / 2) * width
            axes.bar([p + offset for p in places], _column(rows, column), width, label=column)
        if names:
            axes.set_xticks(places, names, rotation=30, ha="right")
        if log_x:
            axes.set_xscale("log")
        axes.set(xlabel=x if x_label is None else x_label, ylabel=y_label, title=title)
        if log_y:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
        plt.close(figure)
    path.with_suffix(".svg").write_text(with_schemes(text.getvalue()), encoding="utf-8")


def with_schemes(svg: str) -> str:
    """Return an SVG whose colours follow the colour scheme of the page that shows it."""
    light, dark = (
        "".join(f"--{name}:{shades[k]};" for name, *shades in COLOURS.values()) for k in (0, 1)
    )
    style = (
        f"<style>svg{{{light}}}text{{fill:var(--ink)}}"
        f"@media (prefers-color-scheme:dark){{svg{{{dark}}}}}</style>"
    )
    for colour, (name, *_) in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg.replace("<defs>", f"{style}\n <defs>", 1)


def _places(rows: Sequence[Row], x: str) -> tuple[list[float], list[str]]:
    """Return where the rows stand on the x axis, and their names if they have some."""
    if all(isinstance(row[x], float) for row in rows):
        return _column(rows, x), []
    return [float(k) for k in range(len(rows))], [str(row[x]) for row in rows]


def _column(rows: Sequence[Row], name: str) -> list[float]:
    return [float(row[name]) for row in rows]
