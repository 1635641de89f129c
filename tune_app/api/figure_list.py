"""The figures of a sweep, which a notebook shows one below the other."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, overload

from tune_app.errors import TuneAppError

if TYPE_CHECKING:
    from tune_app.report.figures.frame import ReportFigure


class Figures(Sequence["ReportFigure"]):
    """Figures in their order, or by name: `figures["pareto"]`."""

    def __init__(self, figures: Sequence["ReportFigure"]) -> None:
        self._figures = tuple(figures)

    @property
    def names(self) -> list[str]:
        return [figure.name for figure in self._figures]

    @overload
    def __getitem__(self, place: int | str) -> "ReportFigure": ...

    @overload
    def __getitem__(self, place: slice) -> "Figures": ...

    def __getitem__(self, place: int | str | slice) -> "ReportFigure | Figures":
        if isinstance(place, slice):
            return Figures(self._figures[place])
        if isinstance(place, int):
            return self._figures[place]
        for figure in self._figures:
            if figure.name == place:
                return figure
        raise TuneAppError(f"no figure '{place}': there are {', '.join(self.names)}")

    def __len__(self) -> int:
        return len(self._figures)

    def __iter__(self) -> Iterator["ReportFigure"]:
        return iter(self._figures)

    def __repr__(self) -> str:
        return f"<figures: {', '.join(self.names)}>"

    def _ipython_display_(self) -> None:
        import_module("IPython.display").display(*self._figures)
