"""A report as a LaTeX file for pdflatex, its figures as PDF in a folder beside it."""

import unicodedata
from collections.abc import Iterator

from tune_app.report.document.blocks import (
    Block,
    Bullets,
    Caution,
    Code,
    Document,
    Facts,
    Grid,
    Listing,
    Paragraph,
    Section,
    Strong,
    Text,
)
from tune_app.report.figures.frame import ReportFigure

_PREAMBLE = r"""\documentclass[10pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp}
% Outline fonts, whichever there are.
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{%
  \IfFileExists{charter.sty}{\usepackage{charter,courier}}{}}
\usepackage[a4paper,margin=22mm]{geometry}
\usepackage{array,booktabs,caption,graphicx}
\usepackage[hidelinks]{hyperref}
\captionsetup{hypcap=false,justification=raggedright,singlelinecheck=false}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.6em}
\sloppy
\setcounter{secnumdepth}{0}
\newsavebox{\fitbox}
% A table as it is, or shrunk to the width of the text.
\newcommand{\fit}[1]{\sbox{\fitbox}{#1}%
  \ifdim\wd\fitbox>\linewidth\resizebox{\linewidth}{!}{\usebox{\fitbox}}%
  \else\usebox{\fitbox}\fi}
"""
_LEVELS = ("section", "subsection", "subsubsection", "paragraph")
_ESCAPES = {
    **{char: f"\\{char}" for char in "&%$#{}"},
    "_": r"\_\allowbreak{}",
    "/": r"/\allowbreak{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "\n": " ",
    "\t": " ",
    "−": r"$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "·": r"\textperiodcentered{}",
}
# Ligatures of the T1 encoding, in typewriter fonts too.
_TYPED = {**_ESCAPES, "-": "-{}", "'": r"\textquotesingle{}", ",": ",{}", " ": r"\ "}
_ROWS_PER_TABLE = 45  # what is longer than a page goes on as another table
_LONG = 45  # characters, of a cell that is broken into lines


def to_latex(document: Document, folder: str) -> str:
    """Return the file. Its figures are `NAME.pdf` in `folder`, named as seen from the file."""
    lines = [
        _PREAMBLE,
        rf"\hypersetup{{pdftitle={{{_escaped(document.title)}}}}}",
        rf"\title{{{_escaped(document.title)}}}",
        rf"\author{{}}\date{{{_escaped(document.facts)}}}",
        r"\begin{document}",
        r"\maketitle",
        *(_block(block, folder) for block in document.answer),
        r"\tableofcontents",
    ]
    for section in document.sections:
        lines += _section(section, 0, folder)
    lines += [r"\bigskip\hrule\medskip", rf"{{\small {_text(document.ending)}}}", r"\end{document}"]
    return "\n\n".join(lines) + "\n"


def _section(section: Section, level: int, folder: str) -> Iterator[str]:
    yield rf"\{_LEVELS[level]}{{{_escaped(section.title)}}}"
    yield from (_block(block, folder) for block in section.blocks)
    for part in section.parts:
        yield from _section(part, level + 1, folder)


def _block(block: Block, folder: str) -> str:
    match block:
        case Paragraph(text=words):
            return _text(words)
        case Caution(text=words):
            return rf"\begin{{quote}}{_text(words)}\end{{quote}}"
        case Bullets(items=items):
            return _list("itemize", [rf"\item {_text(item)}" for item in items])
        case Facts(items=facts):
            terms = [rf"\item[{{{_escaped(term)}}}] {_text(words)}" for term, words in facts]
            return _list("description", terms)
        case Listing(text=typed, label=label):
            return _listing(typed, label)
        case Grid():
            return _table(block)
        case ReportFigure(name=name, title=title, caption=caption):
            about = rf"\textbf{{{_escaped(title.rstrip('.'))}.}} {_escaped(caption)}"
            return _kept_together(
                r"\centering",
                r"\includegraphics[width=\linewidth,height=.75\textheight,keepaspectratio]"
                rf"{{{folder}/{name}.pdf}}",
                rf"\captionof{{figure}}[{{{_escaped(title)}}}]{{{about}}}",
            )


def _list(kind: str, items: list[str]) -> str:
    return "\n".join([rf"\begin{{{kind}}}", *items, rf"\end{{{kind}}}"]) if items else ""


def _kept_together(*lines: str) -> str:
    opening = r"\par\medskip\noindent\begin{minipage}{\linewidth}"
    return "\n".join([opening, *lines, r"\end{minipage}\par\medskip"])


def _table(grid: Grid) -> str:
    longest = [max(map(len, column)) for column in zip(grid.headings, *grid.rows, strict=True)]
    wide = sum(length > _LONG for length in longest)
    align = "".join(
        rf">{{\raggedright\arraybackslash}}p{{{0.6 / wide:.2f}\linewidth}}"
        if length > _LONG
        else "r"
        if numeric
        else "l"
        for length, numeric in zip(longest, grid.numeric, strict=True)
    )
    heads = " & ".join(map(_escaped, grid.headings))
    parts = []
    for start in range(0, max(1, len(grid.rows)), _ROWS_PER_TABLE):
        again = " (continued)" if start else ""
        rows = [
            _row(row, best=place in grid.best)
            for place, row in enumerate(grid.rows)
            if start <= place < start + _ROWS_PER_TABLE
        ]
        last = start + _ROWS_PER_TABLE >= len(grid.rows)
        parts.append(
            _kept_together(
                rf"\captionof{{table}}{{{_escaped(grid.caption)}{again}}}",
                rf"\centering\small\fit{{\begin{{tabular}}{{@{{}}{align}@{{}}}}",
                r"\toprule",
                rf"{heads} \\",
                r"\midrule",
                *rows,
                r"\bottomrule",
                r"\end{tabular}}",
                *(rf"\par\smallskip{{\footnotesize {_escaped(note)}.\par}}" for note in grid.notes)
                if last
                else (),
            )
        )
    return "\n\n".join(parts)


def _row(row: tuple[str, ...], *, best: bool) -> str:
    cells = map(_escaped, row)
    return " & ".join(rf"\textbf{{{cell}}}" if best else cell for cell in cells) + r" \\"


def _listing(typed: str, label: str) -> str:
    lines = [
        rf"\strut {''.join(_TYPED.get(char) or _character(char) for char in line)}\par"
        for line in typed.strip("\n").split("\n")
    ]
    opening = r"{\setlength{\parskip}{0pt}\raggedright\footnotesize\ttfamily"
    return "\n".join([rf"\textbf{{{_escaped(label)}}}\nopagebreak", "", opening, *lines, "}"])


def _text(words: Text) -> str:
    return "".join(map(_span, words))


def _span(part: str | Code | Strong) -> str:
    match part:
        case Code(text=typed):
            coded = [_TYPED.get(char) or _character(char) for char in typed]
            # What has no space, a digest or a path, may break after every eighth character.
            pieces = ["".join(coded[at : at + 8]) for at in range(0, len(coded), 8)]
            broken = r"\allowbreak{}".join(pieces)
            return rf"\texttt{{{broken}}}"
        case Strong(text=stressed):
            return rf"\textbf{{{_escaped(stressed)}}}"
        case _:
            return _escaped(part)


def _escaped(words: str) -> str:
    return "".join(_ESCAPES.get(char) or _character(char) for char in words)


def _character(char: str) -> str:
    """Return `char`, if pdflatex can set it, or what comes close, or its number."""
    if " " <= char <= "~" or "\u00a1" <= char <= "\u00ff":
        return char
    if char == "\u00a0":
        return "~"
    near = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    if near.strip():
        return "".join(_ESCAPES.get(one, one) for one in near)
    return f"[U+{ord(char):04X}]" if char.isprintable() else ""
