"""LaTeX for pdflatex: tables for any file, and documents with their figures as PDF files."""

import unicodedata
from collections.abc import Sequence

from tune_app.results.tables.markup.backend import Backend
from tune_app.results.tables.markup.parts import FigureParts, Grid, PageParts, Text

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
    **{char: f"\\{char}" for char in "&%$#_{}"},
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
    "\u00a0": "~",
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
# Names and paths in running text may be broken into lines after these.
_BREAKS = {char: rf"{_ESCAPES.get(char, char)}\allowbreak{{}}" for char in "_/"}
# The T1 encoding has ligatures in typewriter fonts too: these keep "--" and "''" as they are.
_TYPED = {"-": "-{}", "'": r"\textquotesingle{}", ",": ",{}", " ": r"\ "}
_ROWS_PER_TABLE = 45  # a longer table does not fit a page and goes on as another table
_LONG = 45  # characters: longer cells are broken into lines


class Latex(Backend):
    """Writes LaTeX for pdflatex; with `breaks`, names may be broken after "_" and "/"."""

    def __init__(self, *, breaks: bool) -> None:
        self._escapes = _ESCAPES | (_BREAKS if breaks else {})
        self._typed = self._escapes | _TYPED

    def escape(self, words: str) -> str:
        return "".join(self._escapes.get(char) or self._character(char) for char in words)

    def _typed_characters(self, typed: str) -> list[str]:
        return [self._typed.get(char) or self._character(char) for char in typed]

    def _character(self, char: str) -> str:
        """Return a character if pdflatex can set it, else the closest one, else its number."""
        if " " <= char <= "~" or "\u00a1" <= char <= "\u00ff":
            return char
        near = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
        if near.strip():
            return "".join(self._escapes.get(one, one) for one in near)
        return f"[U+{ord(char):04X}]" if char.isprintable() else ""

    def code(self, typed: str) -> str:
        coded = self._typed_characters(typed)
        # A digest or a path has no spaces: it may be broken after every eighth character.
        pieces = ["".join(coded[at : at + 8]) for at in range(0, len(coded), 8)]
        broken = r"\allowbreak{}".join(pieces)
        return rf"\texttt{{{broken}}}"

    def strong(self, words: str) -> str:
        return rf"\textbf{{{self.escape(words)}}}"

    def heading(self, title: str, level: int) -> str:
        return rf"\{_LEVELS[level - 1]}{{{self.escape(title)}}}"

    def paragraph(self, words: Text) -> str:
        return self.text(words)

    def caution(self, words: Text) -> str:
        return rf"\begin{{quote}}{self.text(words)}\end{{quote}}"

    def bullets(self, items: Sequence[Text]) -> str:
        return _list("itemize", [rf"\item {self.text(item)}" for item in items])

    def facts(self, items: Sequence[tuple[str, Text]]) -> str:
        terms = [rf"\item[{{{self.escape(term)}}}] {self.text(words)}" for term, words in items]
        return _list("description", terms)

    def listing(self, typed: str, label: str) -> str:
        lines = [
            rf"\strut {''.join(self._typed_characters(line))}\par"
            for line in typed.strip("\n").split("\n")
        ]
        opening = r"{\setlength{\parskip}{0pt}\raggedright\footnotesize\ttfamily"
        return "\n".join([rf"{self.strong(label)}\nopagebreak", "", opening, *lines, "}"])

    def tabular(self, align: str, headings: Sequence[str], rows: Sequence[str]) -> str:
        """Return a table's lines, ruled by booktabs; headings and rows are LaTeX already."""
        return "\n".join(
            [
                rf"\begin{{tabular}}{{{align}}}",
                r"\toprule",
                " & ".join(headings) + r" \\",
                r"\midrule",
                *rows,
                r"\bottomrule",
                r"\end{tabular}",
            ]
        )

    def row(self, cells: Sequence[str], *, best: bool = False) -> str:
        """Return a row of plain cells; the best one is bold."""
        write = self.strong if best else self.escape
        return " & ".join(map(write, cells)) + r" \\"

    def table(self, grid: Grid) -> str:
        """Return a table as wide as the text at most, in parts where it is longer than a page."""
        longest = grid.longest
        wide = sum(length > _LONG for length in longest)
        # Columns of long cells share 60 % of the line; the others are as wide as their text.
        paragraph = rf">{{\raggedright\arraybackslash}}p{{{0.6 / max(1, wide):.2f}\linewidth}}"
        align = "".join(
            paragraph if length > _LONG else "r" if numeric else "l"
            for length, numeric in zip(longest, grid.numeric, strict=True)
        )
        headings = [self.escape(heading) for heading in grid.headings]
        rows = [self.row(row, best=index in grid.best) for index, row in enumerate(grid.rows)]
        notes = [
            rf"\par\smallskip{{\footnotesize {self.escape(note)}.\par}}" for note in grid.notes
        ]
        parts = []
        for start in range(0, max(1, len(rows)), _ROWS_PER_TABLE):
            again = " (continued)" if start else ""
            shown = rows[start : start + _ROWS_PER_TABLE]
            tabular = self.tabular(f"@{{}}{align}@{{}}", headings, shown)
            is_last = start + _ROWS_PER_TABLE >= len(rows)
            parts.append(
                _kept_together(
                    rf"\captionof{{table}}{{{self.escape(grid.caption)}{again}}}",
                    rf"\centering\small\fit{{{tabular}}}",
                    *(notes if is_last else ()),
                )
            )
        return "\n\n".join(parts)

    def figure(self, figure: FigureParts) -> str:
        (path,) = figure.drawings
        about = f"{self.strong(figure.title.rstrip('.') + '.')} {self.escape(figure.caption)}"
        return _kept_together(
            r"\centering",
            r"\includegraphics[width=\linewidth,height=.75\textheight,keepaspectratio]"
            rf"{{{path}}}",
            rf"\captionof{{figure}}[{{{self.escape(figure.title)}}}]{{{about}}}",
        )

    def section(self, title: str, place: tuple[int, ...], content: Sequence[str]) -> str:
        return "\n\n".join([self.heading(title, len(place)), *content])

    def page(self, page: PageParts) -> str:
        title = self.escape(page.title)
        lines = [
            _PREAMBLE,
            rf"\hypersetup{{pdftitle={{{title}}}}}",
            rf"\title{{{title}}}",
            rf"\author{{}}\date{{{self.escape(page.facts)}}}",
            r"\begin{document}",
            r"\maketitle",
            *page.answer,
            r"\tableofcontents",
            *page.sections,
            r"\bigskip\hrule\medskip",
            rf"{{\small {self.text(page.ending)}}}",
            r"\end{document}",
        ]
        return "\n\n".join(lines) + "\n"


def _list(kind: str, items: list[str]) -> str:
    return "\n".join([rf"\begin{{{kind}}}", *items, rf"\end{{{kind}}}"]) if items else ""


def _kept_together(*lines: str) -> str:
    opening = r"\par\medskip\noindent\begin{minipage}{\linewidth}"
    return "\n".join([opening, *lines, r"\end{minipage}\par\medskip"])


LATEX = Latex(breaks=True)
