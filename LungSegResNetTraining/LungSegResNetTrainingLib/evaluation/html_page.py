"""Pieces of a web page that needs nothing but itself: text, tables, pictures as data, light and dark, printable."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

_MINUS = re.compile(r"(?<![\w.-])-(?=\d)")
_JPEG_QUALITY = 88

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1c2128; --faint: #616b77; --line: #d8dde3;
  --panel: #f5f7f9; --accent: #1f6fb2; }
@media (prefers-color-scheme: dark) { :root { --paper: #161b22; --ink: #dbe1e8; --faint: #95a0ad; --line: #323a45;
  --panel: #1e252e; --accent: #6cb6ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15.5px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 28px 64px; }
h1 { font-size: 29px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 46px 0 10px; padding-top: 14px; border-top: 1px solid var(--line); }
h3 { font-size: 16px; margin: 26px 0 8px; }
p, li { max-width: 82ch; }
a { color: var(--accent); }
.faint { color: var(--faint); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 12px; margin: 24px 0; }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 13px 16px 11px; }
.tile b { display: block; font-size: 25px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span { display: block; font-size: 13px; color: var(--faint); overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; margin: 8px 0; }
caption { text-align: left; color: var(--faint); padding-bottom: 6px; }
th, td { padding: 5px 13px 5px 0; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child, .text th, .text td { text-align: left; }
td small, th small { display: block; color: var(--faint); font-size: 12px; font-weight: 400; white-space: nowrap; }
th small { white-space: normal; }
table:not(.text) td + td { white-space: nowrap; }
thead th { border-bottom: 1.5px solid var(--ink); }
td.other, th.other { color: var(--faint); }
figure { margin: 20px 0 28px; }
figure img { display: block; max-width: 100%; height: auto; border-radius: 6px; }
figcaption { font-size: 13.5px; color: var(--faint); margin-top: 7px; max-width: 100ch; }
figcaption b { color: var(--ink); }
footer { margin-top: 46px; padding-top: 12px; border-top: 1px solid var(--line); font-size: 13px; color: var(--faint); }
@media print {
  @page { size: A4; margin: 13mm; }
  :root { color-scheme: light; --paper: #ffffff; --ink: #000000; --faint: #4a4f55; --line: #c4c9cf; --panel: #ffffff;
    --accent: #000000; }
  body { font-size: 10pt; } main { padding: 0; max-width: none; } table { font-size: 7.5pt; }
  td small, th small { font-size: 6.5pt; } th, td { padding-right: 7px; } .wide { overflow: visible; }
  h2, h3, h2 + p { break-after: avoid; } figure, tr, .tile, .wide { break-inside: avoid; }
  thead { display: table-header-group; } figure img { max-height: 112mm; } h2 { margin-top: 9mm; }
  .tiles { grid-template-columns: repeat(auto-fit, minmax(30mm, 1fr)); gap: 2mm; } .tile b { font-size: 15pt; }
}
"""


def page(title: str, body: Iterable[str]) -> str:
    """A whole page; ``body`` are pieces of HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def text(plain: str) -> str:
    """Plain text as HTML; a minus before a number becomes a true one."""
    return _MINUS.sub("\N{MINUS SIGN}", html.escape(plain))


def paragraph(plain: str, kind: str = "") -> str:
    """A paragraph of plain text; ``kind`` is a class of the style sheet."""
    return f'<p class="{kind}">{text(plain)}</p>' if kind else f"<p>{text(plain)}</p>"


def heading(plain: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{text(plain)}</h{level}>"


def tiles(entries: Sequence[tuple[str, str]]) -> str:
    """Figures to be seen first: (value, what it is)."""
    inner = "".join(f'<div class="tile"><b>{text(value)}</b><span>{text(what)}</span></div>' for value, what in entries)
    return f'<div class="tiles">{inner}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "", faint_columns: Sequence[int] = ()) -> str:
    """A table of plain text; what follows a line break in a cell stands below it, small.

    ``kind`` ``text`` sets all columns to the left; ``faint_columns`` are for comparison only.
    """

    def cells(row: Sequence[str], tag: str) -> str:
        out = []
        for n, cell in enumerate(row):
            large, _, small = cell.partition("\n")
            kind = ' class="other"' if n in faint_columns else ""
            out.append(f"<{tag}{kind}>{text(large)}{f'<small>{text(small)}</small>' if small else ''}</{tag}>")
        return f"<tr>{''.join(out)}</tr>"

    body = "\n".join(cells(row, "td") for row in rows)
    opening = f'<table class="{kind}">' if kind else "<table>"
    return f'<div class="wide">{opening}<thead>{cells(head, "th")}</thead><tbody>\n{body}\n</tbody></table></div>'


def link(address: str, words: str) -> str:
    """A link; the page shows it as words and loads nothing from there."""
    return f'<a href="{html.escape(address, quote=True)}">{text(words)}</a>'


def figure(image: str, label: str, caption: str) -> str:
    """An image (see ``png_image`` and ``scan_image``) with its caption; the label, such as ``Figure 2.``, is bold."""
    return f"<figure>{image}<figcaption><b>{text(label)}</b> {text(caption)}</figcaption></figure>"


def scan_image(path: Path, what: str) -> str:
    """A picture file as JPEG inside the page: scans as PNG would make it several times larger."""
    with Image.open(path) as picture, io.BytesIO() as buffer:
        # Without subsampling thin coloured outlines stay sharp.
        picture.convert("RGB").save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)
        return f'<img src="{_data("image/jpeg", buffer.getvalue())}" alt="{html.escape(what, quote=True)}">'


def png_image(light: bytes, dark: bytes, what: str) -> str:
    """A drawing inside the page, in the version that suits the reader's colours."""
    return (
        f'<picture><source media="screen and (prefers-color-scheme: dark)" srcset="{_data("image/png", dark)}">'
        f'<img src="{_data("image/png", light)}" alt="{html.escape(what, quote=True)}"></picture>'
    )


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
