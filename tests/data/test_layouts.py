"""Which folders are classes and which are splits, and what is passed over with a line."""

import pytest
from made_images import NOWHERE, picture, pictures, summary_of, total

from tune_app.config.sections import DatasetConfig
from tune_app.data.sets import load_search_data
from tune_app.errors import DataError


def fill(root, names):
    """Make ten images in each of the folders."""
    for name in names:
        pictures(root / name, 10)


CLASSES = {
    "a class named train": ["bus", "car", "train"],
    "a class named test": ["exam", "test", "quiz"],
    "a class named val": ["val", "var", "let"],
    "classes named train and test": ["train", "test", "bus"],
    "a class named like a split": ["bullet_train", "test_tube"],
    "the same folders in each class": ["bus/2019", "bus/2020", "train/2019", "train/2020"],
    "folders below classes": ["cat", "cat/second", "dog", "dog/second"],
    "images two levels below": ["cat/a/b", "dog/c/d"],
    "some images below": ["cat", "dog/second"],
    "two underscores": ["__background__", "dog"],
}


@pytest.mark.parametrize("names", CLASSES.values(), ids=CLASSES)
def test_all_images_of_class_folders_are_read(tmp_path, names):
    fill(tmp_path, names=names)
    summary = summary_of(tmp_path)
    assert summary.classes == tuple(sorted({name.split("/")[0] for name in names}))
    assert total(summary) == 10 * len(names)
    assert (summary.passed_over, summary.notes) == ((), ())


SPLITS = {
    "train": ["train/cat", "train/dog"],
    "train, test": ["train/cat", "train/dog", "test/cat", "test/dog"],
    "train, val": ["train/cat", "train/dog", "val/cat", "val/dog"],
    "train, valid, test": ["train/cat", "train/dog", "valid/cat", "valid/dog", "test/cat"],
    "capitals": ["Train/cat", "Train/dog", "Validation/cat", "Validation/dog"],
    "training_set, test_set": ["training_set/a", "training_set/b", "test_set/a", "test_set/b"],
    "seg_train, seg_test": ["seg_train/a", "seg_train/b", "seg_test/a", "seg_test/b"],
    "folders below classes": ["train/cat/1", "train/cat/2", "train/dog", "test/cat", "test/dog"],
}


@pytest.mark.parametrize("names", SPLITS.values(), ids=SPLITS)
def test_splits_are_known_by_name_and_structure(tmp_path, names):
    fill(tmp_path, names=names)
    summary = summary_of(tmp_path)
    assert summary.classes in (("cat", "dog"), ("a", "b"))
    assert total(summary) == 10 * len(names)
    held_out = {split.name for split in summary.splits if split.held_out}
    tops = " ".join(names).lower()
    assert ("test" in held_out) == ("test" not in tops)
    assert ("validation" in held_out) == ("val" not in tops)


def test_a_validation_split_that_came_with_the_data_judges_the_trials(tmp_path):
    for name, count in (("train", 30), ("val", 10), ("test", 5)):
        for label in ("cat", "dog"):
            pictures(tmp_path / name / label, count)
    config = DatasetConfig(name="images", path=str(tmp_path))
    data = load_search_data(config, NOWHERE)
    assert (len(data.x_train), len(data.x_val)) == (60, 20)
    assert summary_of(tmp_path, validation=0.2).lines() == [
        "train       60 examples from train/: cat 30, dog 30",
        "validation  20 examples from val/: cat 10, dog 10",
        "test        10 examples from test/: cat 5, dog 5",
        "images: 90 of 6 x 5 colour",
        "note: validation: 0.2 of the file is not used, because the data come with a validation "
        "split",
    ]
    before = data.digest
    picture(tmp_path / "val" / "cat" / "0.png")
    assert load_search_data(config, NOWHERE).digest != before


def test_chosen_classes_and_random_labels_hold_for_the_validation_split(tmp_path):
    fill(tmp_path, names=[f"{part}/{name}" for part in ("train", "val") for name in "abc"])
    config = DatasetConfig(
        name="images", path=str(tmp_path), classes=("c", "a"), random_labels=True, train_size=8
    )
    data = load_search_data(config, NOWHERE)
    assert (data.classes, len(data.x_train), len(data.x_val)) == (("c", "a"), 8, 20)
    assert sorted(data.y_val.tolist()) == [0] * 10 + [1] * 10
    assert data.y_val.tolist() != [1] * 10 + [0] * 10


AMBIGUOUS = {
    "a folder beside train": (
        ["train/cat", "train/dog", "raw"],
        "train/ holds folders of images, as a training split does, but raw/ is beside it, as if "
        "train/ were a class; write layout: splits under dataset if they are splits, or layout: "
        "classes if they are classes",
    ),
    "splits without classes": (
        ["train", "test"],
        "train/ holds images, but no folder of images for each class; write layout: splits under "
        "dataset if they are splits, or layout: classes if they are classes",
    ),
}


@pytest.mark.parametrize(("names", "message"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_names_that_disagree_with_the_structure_are_refused_with_the_choice(
    tmp_path, names, message
):
    fill(tmp_path, names=names)
    with pytest.raises(DataError) as refused:
        summary_of(tmp_path)
    assert str(refused.value) == f"{tmp_path}: {message}"
    assert len(summary_of(tmp_path, layout="classes").classes) == 2
    if "raw" in names:
        summary = summary_of(tmp_path, layout="splits")
        assert summary.classes == ("cat", "dog")
        assert summary.remarks() == [
            "not read: 10 images in folders that are no split (raw/0.png, raw/1.png, raw/2.png, "
            "...)"
        ]


def test_splits_without_a_training_split_are_refused(tmp_path):
    fill(tmp_path, names=["val/cat", "val/dog", "test/cat", "test/dog"])
    with pytest.raises(DataError, match="has test/ and val/ with the same class folders, but no"):
        summary_of(tmp_path)


def test_two_folders_for_one_split_are_refused(tmp_path):
    fill(tmp_path, names=["train/cat", "train/dog", "val/cat", "valid/cat"])
    with pytest.raises(DataError, match="val/ and valid/ are both named like the validation split"):
        summary_of(tmp_path)


def test_a_folder_around_the_data_is_named(tmp_path):
    fill(tmp_path, names=["pets/cat", "pets/dog"])
    with pytest.raises(DataError) as refused:
        summary_of(tmp_path)
    assert str(refused.value).endswith(f"found only pets; did you mean path: {tmp_path}/pets?")


PASSED = {
    "AppleDouble": ("cat/._000.png", "1 hidden file (cat/._000.png)"),
    "Finder": ("cat/.DS_Store", "1 hidden file (cat/.DS_Store)"),
    "Finder above": (".DS_Store", "1 hidden file (.DS_Store)"),
    "Windows": ("cat/Thumbs.db", "1 system file (cat/Thumbs.db)"),
    "text": ("cat/labels.txt", "1 .txt file (cat/labels.txt)"),
    "text above": ("README.md", "1 .md file (README.md)"),
    "no suffix": ("cat/list", "1 file without a suffix (cat/list)"),
    "an image outside": ("sheet.png", "1 image outside class folders (sheet.png)"),
    "a zip from a Mac": ("__MACOSX/cat/0.png", "1 image in hidden folders (__MACOSX/cat/0.png)"),
    "Jupyter": (
        "cat/.ipynb_checkpoints/0-checkpoint.png",
        "1 image in hidden folders (cat/.ipynb_checkpoints/0-checkpoint.png)",
    ),
}


@pytest.mark.parametrize(("name", "line"), PASSED.values(), ids=PASSED)
def test_what_is_no_class_and_no_image_is_passed_over_with_a_line(tmp_path, name, line):
    fill(tmp_path, names=["cat", "dog"])
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"\0\5\x16\7" + bytes(60))
    summary = summary_of(tmp_path)
    assert summary.remarks() == [f"not read: {line}"]
    assert (summary.classes, total(summary)) == (("cat", "dog"), 20)


def test_a_class_that_the_training_split_lacks_is_found_at_the_start(tmp_path):
    fill(tmp_path, names=["train/cat", "train/dog", "val/cat", "val/cow"])
    with pytest.raises(DataError, match=r"val/cow: .*train has no class cow"):
        summary_of(tmp_path)


def test_a_link_to_the_folder_above_is_followed_once(tmp_path):
    fill(tmp_path, names=["cat", "dog"])
    (tmp_path / "cat" / "again").symlink_to(tmp_path / "cat")
    assert total(summary_of(tmp_path)) == 20
