"""The page in a real browser: Chromium paints all plots, in light and in dark, and runs nothing."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from synthetic import synthetic_run

from plait.bench import reports
from plait.bench.reports import palette

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="*** NO CHROMIUM HERE: nobody looked at the report (apt-get install chromium) ***",
)
WIDTH, HEIGHT = 1100, 1600
# Blink's own numbers for the two schemes.
SCHEMES = {"light": (1, palette.LIGHT), "dark": (0, palette.DARK)}


def browse(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        "--headless",
        # As root, as in a container, Chromium has no sandbox; the page is our own.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--enable-logging=stderr",
        f"--user-data-dir={profile}",
        f"--window-size={WIDTH},{HEIGHT}",
        *options,
        page.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_plots_are_painted(scheme: str, tmp_path: Path) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "page.png"
    page.write_text(reports.page(synthetic_run()))
    number, colours = SCHEMES[scheme]
    done = browse(
        page,
        tmp_path / "profile",
        f"--blink-settings=preferredColorScheme={number}",
        f"--screenshot={picture}",
    )
    # The console has a line for each thing that the policy forbade and each script that failed.
    assert "CONSOLE" not in done.stderr
    width, height, rows = pixels(picture.read_bytes())
    assert (width, height) == (WIDTH, HEIGHT)
    counts: dict[bytes, int] = {}
    for row in rows:
        for at in range(0, len(row), 3):
            colour = row[at : at + 3]
            counts[colour] = counts.get(colour, 0) + 1
    assert max(counts, key=lambda colour: counts[colour]) == bytes.fromhex(colours["surface"][1:])
    # A line of each subject in two plots of 400 pixels; smoothed edges have other colours.
    for name in ("s0", "s1", "s2", "s3", "s4"):
        assert counts.get(bytes.fromhex(colours[name][1:]), 0) > 100, name
    column = 0 if scheme == "light" else 2
    for level in (-3, -2, 0):
        assert counts.get(bytes.fromhex(palette.HEAT[level][column][1:]), 0) > 5000, level


def test_the_page_keeps_its_form_in_the_browser(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(reports.page(synthetic_run()))
    done = browse(page, tmp_path / "profile", "--dump-dom")
    assert "CONSOLE" not in done.stderr
    # A parser that had to repair the page would have moved or added elements.
    for tag in ("<svg", "<desc", "<section", "<table", "<figure", "<path", "<rect"):
        assert done.stdout.count(tag) == page.read_text().count(tag) > 0


def pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height, and the rows of a PNG with three or four bytes a pixel, as three bytes a pixel."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, packed, width, height, step = 8, b"", 0, 0, 0
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, form = struct.unpack(">IIBB", body[:10])
            assert depth == 8
            step = {2: 3, 6: 4}[form]
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    flat, stride = zlib.decompress(packed), width * step
    above, rows = bytearray(stride), []
    for start in range(0, len(flat), stride + 1):
        above = unfilter(flat[start], bytearray(flat[start + 1 : start + 1 + stride]), above, step)
        rows.append(bytes(above) if step == 3 else b"".join(above[i : i + 3] for i in range(0, stride, 4)))
    return width, height, rows


def unfilter(kind: int, row: bytearray, above: bytearray, step: int) -> bytearray:
    """One of PNG's five filters, undone."""
    if kind == 2:
        return bytearray((value + up) & 255 for value, up in zip(row, above, strict=True))
    for index in range(len(row)) if kind else ():
        left = row[index - step] if index >= step else 0
        corner = above[index - step] if index >= step else 0
        up = above[index]
        guess = left + up - corner
        nearest = min((left, up, corner), key=lambda value: abs(guess - value))
        row[index] = (row[index] + (0, left, up, (left + up) // 2, nearest)[kind]) & 255
    return row
