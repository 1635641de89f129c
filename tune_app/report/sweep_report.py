"""Reports of sweeps: one HTML file, or a Markdown or LaTeX file with a folder of figures."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

from tune_app.config.budget import format_budget
from tune_app.errors import StorageError, TuneAppError
from tune_app.report import background, findings, history, protocol
from tune_app.report.comparison import comparison, verdict_lines
from tune_app.report.document.blocks import Block, Bullets, Document, Section, paragraph, text
from tune_app.report.document.renderer import to_html, to_latex, to_markdown
from tune_app.report.figures.frame import ReportFigure, save
from tune_app.report.figures.networks.network_figures import FigureRequest, network_figures
from tune_app.report.figures.sweeps.sweep_figures import sweep_figures
from tune_app.report.findings import Best
from tune_app.results.humanize import joined, sentence
from tune_app.results.importance_record import Importance
from tune_app.results.store import Store, SweepRecord
from tune_app.results.tables.trial_table import objective_of, trial_rows
from tune_app.results.test_split_log import note_test_reading

SUFFIXES = (".html", ".md", ".tex")
_FIGURE_FORMAT = {".md": "svg", ".tex": "pdf"}
_NONE: Mapping[str, Sequence[Section]] = MappingProxyType({})


def check_target(to: Path) -> None:
    """Raise if no report can be written to `to`. To be called before the report is computed."""
    if to.suffix.lower() not in SUFFIXES:
        raise TuneAppError(f"{to}: the name of a report must end in {joined(SUFFIXES, 'or')}")
    if not to.absolute().parent.is_dir():
        raise StorageError(f"cannot write {to}: there is no folder {to.absolute().parent}")


def build_document(
    store: Store,
    names: Sequence[str],
    data_root: Path,
    importance: Mapping[str, Sequence[Importance]],
    diagnoses: Mapping[str, Sequence[Section]] = _NONE,
) -> Document:
    """Return the report of the sweeps `names`, which `write_document` writes in any format.

    `importance` and the sections of `diagnoses`, which follow a sweep's figures, are by sweep;
    the caller computes them, because they need Optuna and a Workbench. A figure with images of
    the test split reads that split, which is noted in the record. Figures whose data or weights
    are missing are left out; the report lists them.

    Raises:
        UnknownSweepError: A sweep is not in the store.
    """
    sweeps = [store.get_sweep(name) for name in dict.fromkeys(names)]
    several = len(sweeps) > 1
    found: list[Best] = []
    parts = []
    for sweep in sweeps:
        best = findings.best_networks(store, sweep, trial_rows(store, sweep))
        figures = _draw(store, sweep, best, data_root, importance.get(sweep.name, ()))
        # The sweep is read again below, since drawing may have noted a reading of the test split.
        drawn = [figures]
        if sections := diagnoses.get(sweep.name):
            drawn.append(_diagnosed(sweep, sections))
        parts.append(_sections(store, store.get_sweep(sweep.name), drawn, alone=not several))
        found += best
    if several:
        named = [Section(sweep.name, (), part) for sweep, part in zip(sweeps, parts, strict=True)]
        sections = (comparison(store, sweeps, found), *named)
    else:
        sections = parts[0]
    return Document(
        title=" and ".join(sweep.name for sweep in sweeps),
        facts=_facts(sweeps),
        answer=(*verdict_lines(sweeps, found), *findings.answer(sweeps, found)),
        sections=sections,
        ending=_ending(),
    )


def write_document(document: Document, to: Path) -> list[Path]:
    """Write a report and, except for HTML, a folder with its figures; return the paths.

    Raises:
        StorageError: A file cannot be written.
    """
    suffix = to.suffix.lower()
    try:
        if suffix == ".html":
            to.write_text(to_html(document), encoding="utf-8")
            return [to]
        folder = to.with_name(f"{_file_stem(to.stem)}-figures")
        write = to_markdown if suffix == ".md" else to_latex
        to.write_text(write(document, folder.name), encoding="utf-8")
        written = [to]
        for block in document.blocks():
            if isinstance(block, ReportFigure):
                written += save(block, folder, formats=[_FIGURE_FORMAT[suffix]])
    except OSError as err:
        raise StorageError(f"cannot write {to}: {err.strerror}") from err
    return written


def _sections(
    store: Store, sweep: SweepRecord, figures: Sequence[Section], *, alone: bool
) -> tuple[Section, ...]:
    trials = store.trials(sweep.name)
    tested = background.test_count(store, trials)
    return (
        background.question(sweep),
        background.data(sweep, tested),
        background.space(sweep, trials),
        background.budgets(sweep),
        history.history(sweep, trials),
        findings.results(store, sweep, trial_rows(store, sweep), alone=alone),
        *figures,
        protocol.protocol(sweep, trials),
        protocol.again(sweep, trials),
    )


def _diagnosed(sweep: SweepRecord, found: Sequence[Section]) -> Section:
    """Return the sections of diagnoses as one section, with unique names for their figures."""
    parts = [
        replace(
            section,
            blocks=tuple(
                _named_after(sweep, block) if isinstance(block, ReportFigure) else block
                for block in section.blocks
            ),
        )
        for section in found
    ]
    return Section("Diagnoses", parts=tuple(parts))


def _draw(
    store: Store,
    sweep: SweepRecord,
    best: Sequence[Best],
    data_root: Path,
    importance: Sequence[Importance],
) -> Section:
    """Return the figures of a sweep and of its best network."""
    figures = sweep_figures(store, sweep, importance)
    parts = [Section("The search", tuple(_named_after(sweep, figure) for figure in figures))]
    if best:
        parts.append(_draw_network(store, sweep, best, data_root))
    return Section("Figures", parts=tuple(parts))


def _draw_network(
    store: Store, sweep: SweepRecord, best: Sequence[Best], data_root: Path
) -> Section:
    sign = 1 if objective_of(sweep)[1] == "min" else -1
    # A tested network has the more reliable result, even if validation prefers another one.
    tested = [network for network in best if network.tested]
    chosen = min(tested or best, key=lambda network: sign * network.score)
    trial = store.get_trial(sweep.name, chosen.tested or chosen.trial_id)
    left_out: list[str] = []
    request = FigureRequest(
        store,
        sweep,
        trial,
        data_root,
        on_test_reading=lambda why: note_test_reading(store, sweep.name, f"report: {why}"),
        on_left_out=left_out.append,
    )
    figures = network_figures(request)
    what = f"a network with {trial.weights:,} weights, trained by the search"
    if trial.stage == "final":
        what = f"the configuration of trial {trial.source} ({trial.weights:,} weights), retrained"
    intro = paragraph(f"Trial {trial.trial_id}: {what}.")
    blocks: list[Block] = [intro, *(_named_after(sweep, figure) for figure in figures)]
    if left_out:
        blocks.append(paragraph("Some figures could not be drawn:"))
        blocks.append(Bullets(tuple(text(sentence(reason)) for reason in left_out)))
    return Section("The best network", tuple(blocks))


def _named_after(sweep: SweepRecord, figure: ReportFigure) -> ReportFigure:
    """Return the figure with a name that is unique in a report of several sweeps."""
    return replace(figure, name=_file_stem(f"{sweep.name}-{figure.name}"))


def _file_stem(name: str) -> str:
    """Return `name` without characters that a path in LaTeX or Markdown would have to escape."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)


def _facts(sweeps: Sequence[SweepRecord]) -> str:
    """Return a line with the kind of network, the data sets, budgets and dates."""
    data = joined(list(dict.fromkeys(sweep.dataset for sweep in sweeps)))
    kinds = dict.fromkeys(background.KINDS.get(sweep.model, sweep.model) for sweep in sweeps)
    limits = sorted({budget for sweep in sweeps for budget in sweep.budgets})
    days = dict.fromkeys(
        history.moment(moment)[:10]
        for sweep in sweeps
        for moment in (sweep.created, sweep.ended)
        if moment is not None
    )
    ends = sorted(days)
    parts = [
        f"{joined(list(kinds))} networks on {data}",
        f"budgets {', '.join(map(format_budget, limits))}" if limits else "",
        ends[0] if len(ends) == 1 else f"{ends[0]} to {ends[-1]}",
    ]
    return sentence(" · ".join(part for part in parts if part))


def _ending() -> tuple[str, ...]:
    try:
        version = f" {metadata.version('tune-app')}"
    except metadata.PackageNotFoundError:
        version = ""
    return (f"Written by tune-app{version} on {history.moment(time.time())}.",)
