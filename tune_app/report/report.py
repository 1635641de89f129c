"""Sweeps into one report: HTML in a single file, or Markdown or LaTeX with figures beside it."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tune_app.errors import EnvironmentalError, StorageError, TuneAppError
from tune_app.report import background, findings, history, protocol
from tune_app.report.comparison import comparison
from tune_app.report.document import Block, Caution, Document, Section, joined, paragraph, text
from tune_app.report.figures.frame import ReportFigure, save
from tune_app.report.html import to_html
from tune_app.report.latex import to_latex
from tune_app.report.markdown import to_markdown
from tune_app.results.store import Store, SweepRecord, TrialRecord
from tune_app.results.table import trial_rows
