"""The numbers behind the figures of a network, against other ways to get them."""

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from tune_app.models.build import build_plan
from tune_app.models.cnn import plan_cnn
from tune_app.models.fcn import plan_fcn
from tune_app.models.network_plan import NetworkPlan
from tune_app.report.figures.networks.confusion import (
    Confusion,
    confusion_figure,
    count_confusion,
    errors_figure,
    surest_errors,
)
from tune_app.report.figures.networks.first_layer import first_layer, first_layer_figure
from tune_app.report.figures.networks.images import percent_text, short_name
from tune_app.report.figures.networks.network_drawing import network_figure, network_rows
from tune_app.report.figures.networks.predictions import first_of_each_class
from tune_app.report.figures.networks.trial_network import AnsweredImages, Answers, to_answers
from tune_app.report.figures.style import Theme

FCN = plan_fcn((1, 28, 28), [512, 256], 10, dropout=0.2)
CNN = plan_cnn(
    (3, 32, 32),
    [16, 16, 32, 32, 48, 48, 64, 64],
    10,
    conv="separable",
    residual=True,
    batch_norm=True,
    pool_every=4,
    head="gap",
    head_widths=[32],
)


def random_answers(generator, count, classes):
    confidence = generator.random(count).astype(np.float32)
    return Answers(generator.integers(classes, size=count), confidence)


def texts_of(figure, theme=Theme.LIGHT) -> list[str]:
    drawn = figure.render(theme)
    return [text.get_text() for text in drawn.findobj(lambda part: hasattr(part, "get_text"))]


@pytest.mark.parametrize("classes", [2, 7, 30])
def test_a_confusion_matrix_is_that_of_scikit_learn(classes):
    generator = np.random.default_rng(classes)
    labels = generator.integers(classes, size=500)
    predicted = generator.integers(classes, size=500)
    confusion = count_confusion(labels, predicted, [str(label) for label in range(classes)])
    everything = list(range(classes))
    assert np.array_equal(confusion.counts, confusion_matrix(labels, predicted, labels=everything))
    shares = confusion_matrix(labels, predicted, labels=everything, normalize="true")
    assert np.allclose(confusion.percent, 100 * shares)
    assert np.allclose(confusion.percent.sum(1), 100)
    assert confusion.accuracy == pytest.approx((labels == predicted).mean())


def test_a_class_without_examples_has_no_percentages_and_is_drawn_empty():
    confusion = Confusion(("a", "b", "c"), np.array([[3, 1, 0], [0, 0, 0], [0, 0, 2]]))
    assert np.isnan(confusion.percent[1]).all()
    figure = confusion_figure(confusion, name="confusion", split="validation")
    assert {"75.0", "25.0", "100.0", "b (0)"} <= set(texts_of(figure))
    assert "0.0" not in texts_of(figure)
    assert figure.caption.endswith("25.0 % of a are classified as b.")


def test_a_matrix_without_errors_names_none():
    confusion = Confusion(("a", "b"), np.array([[3, 0], [0, 2]]))
    caption = confusion_figure(confusion, name="confusion", split="test").caption
    assert "5 of 5 predictions are correct (100.00 %)" in caption
    assert "classified as" not in caption


def test_cells_of_many_classes_hold_no_numbers():
    confusion = Confusion(tuple(f"c{n}" for n in range(60)), np.eye(60, dtype=np.int64))
    texts = texts_of(confusion_figure(confusion, name="confusion", split="test"))
    assert "100" not in texts
    assert {"c0", "c58"} <= set(texts)
    assert "c1" not in texts  # every second class has its name


def test_the_surest_errors_are_those_of_a_plain_search():
    generator = np.random.default_rng(0)
    labels, answers = generator.integers(3, size=200), random_answers(generator, 200, 3)
    wrong = [row for row in range(200) if labels[row] != answers.predicted[row]]
    expected = sorted(wrong, key=lambda row: -answers.confidence[row])
    assert surest_errors(labels, answers, 10) == expected[:10]
    assert surest_errors(labels, answers, 1_000) == expected


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (4, 8, 6)], ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_errors_are_shown_in_grey_or_in_colour(shape, dtype):
    generator = np.random.default_rng(1)
    images = (255 * generator.random((30, *shape))).astype(dtype)
    labels, answers = generator.integers(3, size=30), random_answers(generator, 30, 3)
    examples = AnsweredImages("test", "abc", images, labels, answers)
    figure = errors_figure(examples, name="errors", count=2)
    shown = figure.render().axes[0].images[0].get_array()
    first = images[surest_errors(labels, answers, 1)[0]]
    colors = np.moveaxis(first[:3], 0, 2) if shape[0] >= 3 else first[0]
    assert shown.shape == colors.shape
    if dtype == np.uint8:
        assert np.array_equal(shown, colors)
    else:
        assert (shown.min(), shown.max()) == (0, 255)


def test_without_errors_there_is_no_figure_of_them():
    images, labels = np.zeros((2, 1, 4, 4), np.uint8), np.array([0, 1])
    answers = Answers(labels, np.ones(2, np.float32))
    examples = AnsweredImages("test", "ab", images, labels, answers)
    assert errors_figure(examples, name="errors") is None


def test_answers_are_the_softmax():
    outputs = torch.tensor([[0.0, np.log(3.0)], [np.log(4.0), 0.0]])
    answers = to_answers(outputs)
    assert answers.predicted.tolist() == [1, 0]
    assert answers.confidence.tolist() == pytest.approx([0.75, 0.8])


def test_the_first_images_are_of_each_class_in_turn():
    labels = np.array([2, 2, 0, 1, 0, 0])
    assert first_of_each_class(labels, 12) == [2, 3, 0, 4, 1, 5]
    assert first_of_each_class(labels, 2) == [2, 3]


@pytest.mark.parametrize("plan", [FCN, CNN], ids=["fcn", "cnn"])
def test_the_drawing_says_what_the_built_network_does(plan: NetworkPlan):
    network, shapes = build_plan(plan).eval(), {}
    for name, layer in network.named_children():
        layer.register_forward_hook(
            lambda _layer, _inputs, result, name=name: shapes.update({name: result.shape[1:]})
        )
    network(torch.zeros(1, *plan.input_shape))
    rows = network_rows(plan)
    assert [(row.name, row.shape) for row in rows[1:]] == list(shapes.items())
    weights = {
        name: sum(weight.numel() for weight in layer.parameters())
        for name, layer in network.named_children()
    }
    assert {row.name: row.weights for row in rows[1:]} == weights
    texts = texts_of(network_figure(plan, name="network"))
    assert f"{sum(weights.values()):,}" in texts
    assert {" × ".join(map(str, shape)) for shape in shapes.values()} <= set(texts)


def test_the_drawing_names_what_follows_a_layer():
    rows = {row.name: row for row in network_rows(CNN)}
    assert (rows["conv1"].kind, rows["conv1"].details) == ("convolution 3 × 3", "batch norm, relu")
    assert rows["conv4"].kind == "separable convolution 3 × 3"
    assert rows["conv4"].details == "batch norm, skip, relu, max pool"
    assert network_rows(FCN)[2].details == "relu, dropout 0.2"
    assert "535,818 weights, 535k multiply-adds" in network_figure(FCN, name="network").title


@pytest.mark.parametrize("conv", ["standard", "separable"])
def test_no_text_of_a_drawing_covers_another(conv):
    plan = plan_cnn(
        (3, 64, 64),
        [512] * 4,
        10,
        conv=conv,
        residual=True,
        batch_norm=True,
        activation="leaky_relu",
        conv_dropout=0.25,
    )
    drawn = network_figure(plan, name="network").render()
    drawn.canvas.draw()
    boxes = [text.get_window_extent() for text in drawn.axes[0].texts if text.get_text()]
    overlaps = [(a, b) for a in boxes for b in boxes if a is not b and a.overlaps(b)]
    assert not overlaps
    assert all(box.x0 >= 0 and box.x1 <= drawn.bbox.x1 for box in boxes)


def test_templates_are_what_a_unit_multiplies_an_image_with():
    plan = plan_fcn((3, 4, 5), [90], 10)
    network = build_plan(plan)
    layer = first_layer(plan, network.state_dict(), "abcdefghij", most=60)
    image = torch.randn(3, 4, 5)
    linear = network.hidden1.linear
    products = (linear(image.flatten()) - linear.bias)[list(layer.units)]
    expected = torch.tensor(layer.weights).mul(image).sum((1, 2, 3))
    assert torch.allclose(products, expected, atol=1e-6)
    norms = np.linalg.norm(layer.weights.reshape(60, -1), axis=1)
    assert (np.diff(norms) <= 0).all()
    left_out = set(range(90)) - set(layer.units)
    assert linear.weight[list(left_out)].norm(dim=1).max() <= norms[-1] + 1e-6
    assert (layer.total, layer.classes) == (90, ())


def test_filters_are_those_of_the_first_convolution():
    network = build_plan(CNN)
    layer = first_layer(CNN, network.state_dict(), [str(n) for n in range(10)])
    weights = network.conv1.conv.weight.detach().numpy()
    assert np.array_equal(layer.weights, weights[list(layer.units)])
    assert layer.limit == pytest.approx(np.quantile(np.abs(weights), 0.99))
    axes = first_layer_figure(layer, name="first-layer").render().axes
    assert len(axes) == 16  # of colours there is no scale
    shown = axes[0].images[0].get_array()
    unit = np.moveaxis(layer.weights[0], 0, 2)
    assert np.allclose(shown, np.clip(0.5 + unit / layer.limit / 2, 0, 1))


def test_a_network_of_one_layer_has_a_template_for_each_class():
    plan = plan_fcn((1, 4, 4), [], 3)
    network = build_plan(plan)
    layer = first_layer(plan, network.state_dict(), ["cat", "dog", "eel"])
    assert (layer.units, layer.classes) == ((0, 1, 2), ("cat", "dog", "eel"))
    axes = first_layer_figure(layer, name="first-layer").render().axes
    assert [part.get_title("center") for part in axes] == ["cat", "dog", "eel", ""]
    assert axes[0].images[0].get_clim() == pytest.approx((-layer.limit, layer.limit))


@pytest.mark.parametrize("channels", [2, 4])
def test_channels_that_make_no_colour_stand_side_by_side(channels):
    plan = plan_cnn((channels, 8, 8), [5], 3)
    network = build_plan(plan)
    layer = first_layer(plan, network.state_dict(), "abc")
    shown = first_layer_figure(layer, name="first-layer").render().axes[0].images[0].get_array()
    assert shown.shape == (3, 3 * channels)


def test_weights_on_other_inputs_are_a_heat_map():
    plan = plan_fcn((7,), [12], 2)
    network = build_plan(plan)
    layer = first_layer(plan, network.state_dict(), "ab")
    axes = first_layer_figure(layer, name="first-layer").render().axes
    weights = network.hidden1.linear.weight.detach().numpy()
    assert np.array_equal(axes[0].images[0].get_array(), weights[list(layer.units)].T)


def test_a_probability_is_never_rounded_to_certainty():
    assert [percent_text(share) for share in (0.0, 0.9321, 0.9994, 0.9996, 1.0)] == [
        *("0.0 %", "93.2 %", "99.9 %", ">99.9 %", ">99.9 %"),
    ]
    assert [percent_text(share, decimals=0) for share in (0.994, 0.996)] == ["99 %", ">99 %"]


def test_long_names_are_cut():
    assert short_name("Ankle boot") == "Ankle boot"
    assert short_name("a very long class name") == "a very long …"
