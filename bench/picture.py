# SPDX-License-Identifier: Apache-2.0
"""The life of a container as stacked bars, one verb on the other, one bar for each runtime: an SVG."""

from __future__ import annotations

WIDTH, HEIGHT, LEFT, TOP, BAR, GAP = 640, 360, 60, 40, 44, 14
COLOURS = {
    "create": "#4c6ef5", "start": "#12b886", "state": "#fab005", "kill": "#fd7e14", "delete": "#fa5252",
}  # fmt: skip


def draw(measurements: dict[str, dict[str, dict[str, float]]]) -> str:
    """{MEASUREMENT: {NAME: {VERB: median}}}, where the sum of each measurement's runc is 1."""
    tallest = max(sum(bar.values()) for bars in measurements.values() for bar in bars.values())
    scale = (HEIGHT - 2 * TOP - 30) / tallest
    parts, x = [_legend(), _line(HEIGHT - TOP - scale)], LEFT
    for measurement, bars in measurements.items():
        parts.append(_text(x, HEIGHT - 8, measurement))
        for name, bar in bars.items():
            parts.append(_bar(x, bar, scale))
            parts.append(_text(x, HEIGHT - TOP + 14, f"{name} {sum(bar.values()):.2f}", size=10))
            x += BAR + GAP
        x += GAP
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(WIDTH, x)}" height="{HEIGHT}" '
        f'font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _bar(x: int, bar: dict[str, float], scale: float) -> str:
    parts, y = [], float(HEIGHT - TOP)
    for verb, value in bar.items():
        y -= value * scale
        parts.append(
            f'<rect x="{x}" y="{y:.1f}" width="{BAR}" height="{value * scale:.1f}" fill="{COLOURS[verb]}">'
            f"<title>{verb} {value:.2f}</title></rect>"
        )
    return "\n".join(parts)


def _legend() -> str:
    places = enumerate(COLOURS.items())
    return "\n".join(
        f'<rect x="{LEFT + 90 * place}" y="10" width="12" height="12" fill="{colour}"/>'
        + _text(LEFT + 90 * place + 16, 20, verb)
        for place, (verb, colour) in places
    )


def _line(y: float) -> str:
    return (
        f'<line x1="{LEFT - 8}" x2="100%" y1="{y:.1f}" y2="{y:.1f}" stroke="#868e96" stroke-dasharray="4"/>'
        + _text(4, y + 4, "runc = 1", size=10)
    )


def _text(x: float, y: float, words: str, size: int = 12) -> str:
    return f'<text x="{x}" y="{y:.1f}" font-size="{size}">{words}</text>'
