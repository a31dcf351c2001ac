#!/usr/bin/env python3
"""Draws a terminal's screen, as `tmux capture-pane -e -p` writes it on standard input, as an SVG on standard output."""
import html
import re
import sys
import unicodedata

COLUMNS, ROWS = int(sys.argv[1]), int(sys.argv[2])
GROUND, TEXT = (sys.argv[3], sys.argv[4]) if len(sys.argv) > 4 else ("#1b1e24", "#c8ccd4")
WIDE, HIGH, SIZE = 8.4, 18, 14
BASIC = ["#1d1f21", "#cc6666", "#b5bd68", "#f0c674", "#81a2be", "#b294bb", "#8abeb7", "#c5c8c6",
         "#666666", "#d54e53", "#b9ca4a", "#e7c547", "#7aa6da", "#c397d8", "#70c0b1", "#eaeaea"]


def indexed(number):
    if number < 16:
        return BASIC[number]
    if number < 232:
        number -= 16
        return "#" + "".join(f"{0 if part == 0 else 55 + 40 * part:02x}" for part in (number // 36, number // 6 % 6, number % 6))
    return "#" + f"{8 + 10 * (number - 232):02x}" * 3


def apply(style, codes):
    codes = [int(code or 0) for code in codes.replace(":", ";").split(";")]
    while codes:
        code = codes.pop(0)
        if code == 0:
            style.clear()
        elif code in (1, 2, 3, 4, 7, 9):
            style[code] = True
        elif code == 22:
            style.pop(1, None), style.pop(2, None)
        elif code in (23, 24, 27, 29):
            style.pop(code - 20, None)
        elif code in (38, 48):
            kind = codes.pop(0)
            if kind == 5:
                colour = indexed(codes.pop(0))
            else:
                colour = "#%02x%02x%02x" % tuple(codes[:3])
                del codes[:3]
            style["fg" if code == 38 else "bg"] = colour
        elif code in (39, 49):
            style.pop("fg" if code == 39 else "bg", None)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style["fg"] = BASIC[code - 30 if code < 90 else code - 82]
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style["bg"] = BASIC[code - 40 if code < 100 else code - 92]


def width(character):
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def main():
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{COLUMNS * WIDE + 16:.0f}" height="{ROWS * HIGH + 16}" '
           f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="{SIZE}">',
           f'<rect width="100%" height="100%" rx="6" fill="{GROUND}"/>']
    style = {}
    for row, line in enumerate(sys.stdin.read().split("\n")[:ROWS]):
        column, runs = 0, []
        for piece in re.split(r"(\x1b\[[0-9;:]*m)", line):
            if piece.startswith("\x1b["):
                apply(style, piece[2:-1])
                continue
            piece = re.sub(r"\x1b.", "", piece)
            for character in piece:
                cells = width(character)
                if cells == 0 and runs:
                    runs[-1][2] += character
                    continue
                if runs and runs[-1][3] == style and runs[-1][0] + runs[-1][1] == column and cells == 1 and runs[-1][4] == 1:
                    runs[-1][1] += 1
                    runs[-1][2] += character
                else:
                    runs.append([column, cells, character, dict(style), cells])
                column += cells
        for start, cells, text, look, _ in runs:
            front, back = look.get("fg", TEXT), look.get("bg")
            if look.get(7):
                front, back = back or GROUND, front
            x, y = 8 + start * WIDE, 8 + row * HIGH
            if back:
                out.append(f'<rect x="{x:.1f}" y="{y}" width="{cells * WIDE:.1f}" height="{HIGH}" fill="{back}"/>')
            if text.strip():
                more = ' font-weight="bold"' if look.get(1) else ""
                more += ' opacity="0.6"' if look.get(2) else ""
                more += ' text-decoration="underline"' if look.get(4) else ""
                out.append(f'<text x="{x:.1f}" y="{y + 13.5}" fill="{front}" textLength="{cells * WIDE:.1f}" lengthAdjust="spacingAndGlyphs" '
                           f'xml:space="preserve"{more}>{html.escape(text)}</text>')
    out.append("</svg>")
    print("\n".join(out))


main()
