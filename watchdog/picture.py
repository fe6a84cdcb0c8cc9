"""The report as a picture: a bar for each container over the hours, coloured by how it stood."""

import io
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from PIL import Image, ImageDraw, ImageFont

from watchdog.incidents import Standing
from watchdog.report import Report

MAX_ROWS = 30
WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 1200, 260, 110, 64, 44, 26  # pixels
PAPER, INK, FAINT = "#ffffff", "#1f2933", "#d5dbe1"
COLOURS = {
    Standing.UP: "#3fa66b",
    Standing.SICK: "#f0a830",
    Standing.DOWN: "#d64545",
    Standing.OFF: "#e4e8ec",
    Standing.BLIND: "#8d99a6",
}


def draw_report(report: Report, zone: ZoneInfo) -> bytes:
    """The picture as a PNG; the worst containers first, at most MAX_ROWS of them."""
    records = report.records[:MAX_ROWS]
    height = TOP + ROW * max(len(records), 1) + 20
    image = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=20)
    scale = (WIDTH - LEFT - RIGHT) / (report.end - report.start)

    def across(at: float) -> float:
        return LEFT + (at - report.start) * scale

    for at, label in _marks(report, zone):
        draw.line((across(at), TOP - 8, across(at), height - 14), fill=FAINT)
        draw.text((across(at), TOP - 14), label, fill=INK, font=font, anchor="ms")
    for row, record in enumerate(records):
        top = TOP + row * ROW + (ROW - BAR) / 2
        name = record.key.rpartition("/")[2] if record.key.count("/") == 1 else record.key
        while font.getlength(name) > LEFT - 34:
            name = name[:-2] + "…" if name.endswith("…") else name[:-1] + "…"
        draw.text((LEFT - 14, top + BAR / 2), name, fill=INK, font=font, anchor="rm")
        draw.rectangle((LEFT, top, WIDTH - RIGHT, top + BAR), fill=COLOURS[Standing.OFF])
        # Trouble is drawn last and never thinner than two pixels: a crash of a second must be seen.
        for span in sorted(record.spans, key=lambda span: span.standing in (Standing.SICK, Standing.DOWN)):
            is_trouble = span.standing in (Standing.SICK, Standing.DOWN)
            right = max(across(span.end), across(span.start) + (2 if is_trouble else 0))
            draw.rectangle((across(span.start), top, right, top + BAR), fill=COLOURS[span.standing])
        text = percent(record.availability)
        draw.text((WIDTH - RIGHT + 12, top + BAR / 2), text, fill=INK, font=font, anchor="lm")
    encoded = io.BytesIO()
    image.save(encoded, "PNG", optimize=True)
    return encoded.getvalue()


def percent(share: float | None) -> str:
    """An availability, never rounded up to 100 %."""
    if share is None:
        return "–"
    if share >= 1.0:
        return "100 %"
    return f"{min(share * 100, 99.99):.2f} %"


def _marks(report: Report, zone: ZoneInfo) -> list[tuple[float, str]]:
    """Six to nine round local hours within the report."""
    hours = (report.end - report.start) / 3600
    step = next(
        (step for step in (1, 2, 3, 4, 6, 12, 24) if hours / step <= 9), 24 * max(1, round(hours / 216))
    )
    mark = datetime.fromtimestamp(report.start, zone).replace(minute=0, second=0, microsecond=0)
    marks = []
    for _ in range(int(hours) + 2):
        mark += timedelta(hours=1)
        if mark.timestamp() >= report.end:
            break
        if mark.hour % step == 0 if step < 24 else mark.hour == 0:
            marks.append((mark.timestamp(), mark.strftime("%H:%M")))
    return marks
