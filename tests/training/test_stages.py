"""What the stages of a run share, and what each promises."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
from keras import ops

from captioner import Captioner, TrainConfig
from captioner.decoder import Decoder
from captioner.errors import CaptionerError
from captioner.training.distribution import OneDevice
from captioner.training.stages import STAGES, FeatureStage, Stage, TeacherForcedStage
from captioner.training.teacher_forcing import word_loss
from tests.training.conftest import an_example


def stage_of(captioner, **settings):
    """A stage that is ready to train a captioner from features, with no run around it."""
    config = TrainConfig(**settings)
    data = SimpleNamespace(captions=None)
    stage = FeatureStage(config, captioner, data, OneDevice(), print, progress=False)
    captioner.encoder.freeze()
    stage.compile(stage.teacher, learning_rate=0.01)
    return stage


def test_l2_is_part_of_the_loss_of_a_step(tiny_captioner):
    encoder, vocabulary = tiny_captioner.encoder, tiny_captioner.vocabulary
    decoder = Decoder(len(vocabulary), encoder.channels, units=8, embedding=6, l2=0.5)
    captioner = Captioner(encoder, decoder, vocabulary)
    inputs, targets = an_example(captioner)
    weights = decoder.recurrent[0].equation_weights()
    norm = sum((weights[name] ** 2).sum() for name in ("w_xh", "w_ih", "w_hh"))
    words = float(word_loss(targets, decoder(**inputs), label_smoothing=0.1))
    loss = stage_of(captioner).steps.train(inputs, targets)
    assert loss == pytest.approx(words + 0.5 * norm, rel=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_stage_learns_in_either_precision(tiny_captioner, precision):
    stage = stage_of(tiny_captioner, precision=precision, label_smoothing=0.0)
    inputs, targets = an_example(tiny_captioner)
    first = float(word_loss(targets, tiny_captioner.decoder(**inputs)))
    losses = [float(stage.learn(inputs, targets)) for _ in range(40)]
    assert losses[0] == pytest.approx(first, rel=0.02)
    assert losses[-1] < losses[0]
    assert {weight.dtype for weight in tiny_captioner.decoder.weights} == {"float32"}


def test_weight_averaging_keeps_the_moving_average(tiny_captioner):
    stage = stage_of(tiny_captioner, ema=0.75)
    variable = tiny_captioner.decoder.logits.kernel
    inputs, targets = an_example(tiny_captioner)
    passed = []
    for _ in range(3):
        stage.steps.train(inputs, targets)
        passed.append(ops.convert_to_numpy(variable).copy())
    wanted = 0.75 * (0.75 * passed[0] + 0.25 * passed[1]) + 0.25 * passed[2]
    with stage.averaged_weights():
        np.testing.assert_allclose(variable, wanted, atol=1e-6)
    np.testing.assert_array_equal(variable, passed[-1])


def test_without_averaging_the_weights_stay(tiny_captioner):
    stage = stage_of(tiny_captioner)
    before = tiny_captioner.decoder.get_weights()
    with stage.averaged_weights():
        during = tiny_captioner.decoder.get_weights()
    after = tiny_captioner.decoder.get_weights()
    for one, *others in zip(before, during, after, strict=True):
        np.testing.assert_array_equal([one, one], others)


def test_a_loss_that_is_no_number_names_the_rate_to_lower(tiny_captioner):
    with pytest.raises(CaptionerError, match=r"step 3: the loss is nan.*lower --learning-rate"):
        stage_of(tiny_captioner).require_finite(float("nan"), 3)


@pytest.mark.parametrize(
    ("out", "to_do"), [("", "train again with"), ("runs/x", "continue with --resume and")]
)
def test_only_a_run_with_a_folder_can_be_continued(tiny_captioner, out, to_do):
    with pytest.raises(CaptionerError, match=f"{to_do} a lower --learning-rate$") as caught:
        stage_of(tiny_captioner, out=out).require_finite(float("inf"), 3)
    assert ("--resume" in str(caught.value)) is bool(out)


def test_the_numbers_that_seed_the_stages_stay():
    """With other numbers the same seed would give another run."""
    assert {stage.name: stage.number for stage in STAGES} == {
        "features": 0, "pixels": 1, "rewards": 2, "text": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"epochs": 2}, {"features": 2}),
        ({"epochs": 0, "text": "a.txt", "text_epochs": 3}, {"text": 3}),
        ({"text_epochs": 3}, {"features": 15}),  # but no text
        ({"fine_tune_from": "all", "fine_tune_epochs": 4}, {"features": 15, "pixels": 4}),
        ({"fine_tune_epochs": 4}, {"features": 15}),  # but no layer to begin at
        ({"self_critical": 1}, {"features": 15, "rewards": 1}),
    ],
)
def test_the_stages_that_the_settings_want(settings, wanted):
    config = TrainConfig(**settings)
    epochs = {stage.name: stage.epochs_in(config) for stage in STAGES}
    assert {name: number for name, number in epochs.items() if number} == wanted


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, set()),
        ({"text": "a.txt"}, {"text", "features", "rewards"}),
        ({"text": "a.txt", "teacher_weight": 0.0}, {"text", "features"}),
        ({"text": "a.txt", "text_weight": 0.0}, {"text"}),
    ],
)
def test_which_stages_learn_from_text(settings, wanted):
    config = TrainConfig(**settings)
    assert {stage.name for stage in STAGES if stage.learns_from_text(config)} == wanted


def test_which_stages_see_pictures_and_which_change_the_cnn():
    assert [stage.name for stage in STAGES if not stage.sees_pictures] == ["text"]
    assert [stage.name for stage in STAGES if stage.changes_cnn] == ["pixels"]


@pytest.mark.parametrize(
    ("schedule", "scores", "wanted"),
    [("constant", [0.2, 0.1, 0.1], 0.01), ("plateau", [0.2, 0.1, 0.1], 0.005),
     ("plateau", [0.1, 0.2, 0.1], 0.01)],
)  # fmt: skip
def test_the_rate_falls_on_a_plateau_of_the_stages_own_scores(
    tiny_captioner, schedule, scores, wanted
):
    stage = stage_of(tiny_captioner, schedule=schedule, learning_rate=0.01, warmup=0.0)
    stage.set_learning_rate(3, 10, [(score, -2.0) for score in scores])
    assert float(stage.optimizer.learning_rate) == pytest.approx(wanted)


def test_without_text_a_step_has_none(tiny_captioner):
    assert stage_of(tiny_captioner).own_text(4, 8, np.random.default_rng(0)) == {}


def test_a_batch_that_is_not_full_is_filled_with_zeros(tiny_captioner):
    stage = stage_of(tiny_captioner)
    stage.pictures_a_step = 4
    np.testing.assert_array_equal(stage.own_pictures(np.array([7, 8, 9])), [7, 8, 9])
    np.testing.assert_array_equal(stage.own_rows(np.array([[7.0], [8.0]])), [[7], [8], [0], [0]])


def test_a_stage_that_lacks_a_part_of_the_contract_cannot_be_made():
    assert not [stage for stage in STAGES if inspect.isabstract(stage)]
    assert Stage.__abstractmethods__ == {"prepare", "run_epoch", "validation_features"}
    assert TeacherForcedStage.__abstractmethods__ == {"prepare", "images", "validation_features"}
    with pytest.raises(TypeError, match="images"):
        type("Half", (TeacherForcedStage,), {"prepare": None, "validation_features": None})(
            TrainConfig(), None, SimpleNamespace(captions=None), OneDevice(), print, False
        )
