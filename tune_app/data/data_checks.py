"""Check a data set before it is trained on, and summarise it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tune_app.config.data_summary import DataSummary, SplitSummary
from tune_app.config.sections import DatasetConfig
from tune_app.config.sweep import SweepConfig
from tune_app.data.sets import open_source, plan_of
from tune_app.data.source import Examination, Source
from tune_app.data.splits import SplitPlan
from tune_app.data.user_files.arrays import Arrays
from tune_app.errors import DataMissingError, SpaceError

DOMINANT_SHARE = 0.9  # of one class, above which accuracy says little
CLASSES_NAMED = 10


def summarize_data(config: SweepConfig, root: Path) -> DataSummary:
    """Read every part of the data of a sweep and return a summary of them.

    The test part is checked like the others, but only its number of examples of each class is
    returned. A published data set does not have to be downloaded yet.

    Raises:
        DataMissingError, DataError: The data are missing, or a part cannot be used.
        SpaceError: The options of the file, or its objective, do not fit the data.
    """
    source = open_source(config.dataset, root)
    require_objective(config, source)
    counts = source.counts()
    plan = plan_of(config.dataset, source, counts)
    found = _examined(config, source)
    classes = tuple(source.classes[index] for index in plan.chosen) if source.classes else ()
    splits = tuple(_splits(config.dataset, source, plan, found))
    return DataSummary(
        task=source.task,
        input_shape=source.input_shape,
        classes=classes,
        splits=splits,
        kinds=found.kinds,
        passed_over=found.passed_over,
        notes=(*found.notes, *_unused_shares(config.dataset, source)),
        warnings=(
            *_absent_classes(classes, splits),
            *_dominant_class(config.objective.metric, classes, splits[0]),
        ),
    )


def _examined(config: SweepConfig, source: Source) -> Examination:
    try:
        return source.examine()
    except DataMissingError as error:
        # A search needs no test part, and `check` no download.
        if source.is_here and (config.final is not None or config.baselines):
            raise
        note = f"not checked, because it is not there yet: {error.text}"
        return Examination({"train": source.name}, notes=(note,))


def _unused_shares(config: DatasetConfig, source: Source) -> Iterator[str]:
    for option, is_there in (("validation", source.has_validation), ("test", source.has_test)):
        share = getattr(config, option)
        if is_there and share != DatasetConfig.model_fields[option].default:
            yield (
                f"{option}: {share:g} of the file is not used, because the data come with a "
                f"{option} split"
            )


def require_objective(config: SweepConfig, source: Source) -> None:
    """Raise SpaceError if the targets are numbers, but the objective is the share of classes."""
    if source.task == "classification" or config.objective.metric != "val_accuracy":
        return
    text = (
        "objective.metric: the targets are decimal numbers, a regression, without accuracy; "
        "use val_loss"
    )
    if isinstance(source, Arrays) and (whole := source.whole_targets()):
        text += (
            f". All of them are whole ({whole}): if they are classes, save y.astype(int) instead"
        )
    raise SpaceError(text)


def _splits(
    config: DatasetConfig, source: Source, plan: SplitPlan, found: Examination
) -> Iterator[SplitSummary]:
    train, origins = found.origins["train"], found.origins
    yield SplitSummary("train", train, plan.train)
    yield SplitSummary(
        "validation",
        origins.get("validation", train),
        plan.validation,
        held_out=not source.has_validation,
    )
    test = found.test_counts if source.has_test else plan.held_out
    if test is not None:
        kept = tuple(test[index] for index in plan.chosen)
        yield SplitSummary("test", origins.get("test", train), kept, held_out=not source.has_test)


def _absent_classes(classes: Sequence[str], splits: Sequence[SplitSummary]) -> Iterator[str]:
    totals = [sum(split.counts[index] for split in splits) for index in range(len(classes))]
    for split in splits:
        absent = [index for index in range(len(classes)) if not split.counts[index]]
        if not absent:
            continue
        if len(absent) == 1:
            name, total = classes[absent[0]], totals[absent[0]]
            yield (
                f"{split.name} has no example of class {name} ({total:,} in all); what a network "
                f"answers for this class does not change its {split.name} accuracy"
            )
        else:
            shown = ", ".join(
                f"{classes[index]} ({totals[index]:,} in all)" for index in absent[:CLASSES_NAMED]
            )
            more = ", ..." if len(absent) > CLASSES_NAMED else ""
            yield (
                f"{split.name} has no example of {len(absent)} of {len(classes)} classes: "
                f"{shown}{more}; add examples, or hold out more for {split.name}"
            )


def _dominant_class(metric: str, classes: Sequence[str], train: SplitSummary) -> Iterator[str]:
    if metric != "val_accuracy" or not classes:
        return
    most = max(train.counts)
    if most > DOMINANT_SHARE * train.total:
        yield (
            f"{most / train.total:.1%} of the training examples are of class "
            f"{classes[train.counts.index(most)]}, so a network that always answers it has about "
            "that accuracy; consider objective: {metric: val_balanced_accuracy}"
        )
