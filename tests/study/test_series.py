"""Forecasts of series: nothing of the future enters, gaps are left out, and networks learn."""

import sys

import numpy as np
import pytest

from captioner.errors import CaptionerError
from captioner.study import series
from captioner.study.series import Scale, SeriesRNN
from tests.layers import run_layer_test

NAN = np.nan


def test_the_series_are_what_they_are_known_for():
    sunspots = series.load("sunspots")
    assert (sunspots.times[0], sunspots.times[-1], len(sunspots.values)) == (1700, 2008, 309)
    assert sunspots.times[sunspots.values.argmax()] == 1957  # the highest maximum on record
    co2 = series.load("co2")
    assert len(co2.values) == len(co2.times) == 526  # March 1958 to December 2001
    assert np.isnan(co2.values).sum() == 5
    assert 1958 + 2 / 12 < co2.times[0] < 1958 + 3 / 12
    assert series.weekly_co2().isna().sum() == 59


def test_an_unknown_series_and_a_missing_package_are_said(monkeypatch):
    with pytest.raises(CaptionerError, match="'sunspot': did you mean sunspots"):
        series.load("sunspot")
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    with pytest.raises(CaptionerError, match=r"come with statsmodels .*captioner\[notebooks\]"):
        series.load("co2")


def test_a_scale_goes_both_ways_and_leaves_room_outside():
    scale = Scale.of(np.array([NAN, 10.0, 20.0]))
    values = np.array([5.0, 10.0, 20.0, 40.0])
    assert scale.scaled(values).tolist() == [-0.5, 0, 1, 3]
    np.testing.assert_allclose(scale.unscaled(scale.scaled(values)), values)


def test_what_a_part_forecasts_lies_in_it_and_no_value_is_lost():
    values = np.arange(60)
    parts = series.split(values, length=5, horizon=3, validation=30, test=45)
    for (inputs, targets), (first, last) in zip(parts, [(5, 30), (30, 45), (45, 60)], strict=True):
        assert (targets.min(), targets.max()) == (first, last - 1)
        assert (inputs[:, -1] + 1 == targets[:, 0]).all()
        assert (np.diff(np.concatenate([inputs, targets], axis=1)) == 1).all()
        assert len(inputs) == last - first - 3 + 1


def test_windows_are_copies():
    values = np.zeros(9)
    inputs, _ = series.windows(values, 3, 1)
    inputs[:] = 1
    assert not values.any()


def test_gaps_are_filled_from_within_the_window():
    inputs = np.array([[NAN, 1.0, NAN, NAN, 4.0, NAN]])
    assert series.interpolated(inputs).tolist() == [[1, 1, 2, 3, 4, 4]]
    assert series.last_known(inputs).tolist() == [[4]]
    assert series.naive(inputs, 2).tolist() == [[4, 4]]


@pytest.mark.parametrize("season", [3, 4])
def test_the_seasonal_forecasts_are_exact_where_they_should_be(season):
    repeating = np.tile(np.arange(season) ** 2.0, 10)
    inputs, targets = series.windows(repeating, 2 * season, 3 * season)
    np.testing.assert_allclose(series.seasonal_naive(inputs, 3 * season, season), targets)
    rising = repeating + 0.5 * np.arange(len(repeating))
    inputs, targets = series.windows(rising, 2 * season, 3 * season)
    drifting = series.seasonal_naive(inputs, 3 * season, season, drift=True)
    np.testing.assert_allclose(drifting, targets)
    assert (series.seasonal_naive(inputs, 3 * season, season) < targets).all()


def test_the_linear_forecast_finds_a_linear_rule_whatever_the_unit():
    wave = 300 + 50 * np.sin(np.arange(80) / 3)  # each value follows linearly from two before it
    parts = series.split(wave, 6, 4, 50, 65)
    inputs, targets = parts.test
    assert np.abs(series.linear(parts.training, inputs, penalty=1e-6) - targets).max() < 0.1
    tenth = tuple(each / 10 for each in parts.training)
    np.testing.assert_allclose(
        10 * series.linear(tenth, inputs / 10), series.linear(parts.training, inputs)
    )
    holes = parts.training[1].copy()
    holes[3, 2] = NAN
    assert np.isfinite(series.linear((parts.training[0], holes), inputs)).all()


def test_errors_leave_out_what_is_unknown():
    targets = np.array([[0.0, 0.0], [NAN, 2.0]])
    forecasts = np.stack([targets * 0 + 1, np.array([[3.0, 0.0], [9.0, 0.0]])])
    forecasts[0, 1, 0] = 7
    np.testing.assert_allclose(series.horizon_errors(forecasts, targets), [[1, 1], [3, 1]])


def test_random_gaps_leave_the_first_value():
    found = series.with_gaps(np.ones((200, 20)), share=0.5, seed=1)
    assert not np.isnan(found[:, 0]).any()
    assert 0.45 < np.isnan(found[:, 1:]).mean() < 0.55


def test_a_gap_is_one_stretch_and_its_values_are_the_targets():
    inputs = np.arange(1.0, 13.0) * np.ones((300, 1))
    seen, targets = series.with_a_gap(inputs, longest=4, shortest=2)
    hidden = np.isnan(seen)
    assert (hidden == ~np.isnan(targets)).all()
    assert (np.nansum([seen, targets], axis=0) == inputs).all()
    assert set(hidden.sum(axis=1)) == {2, 3, 4}
    assert (np.abs(np.diff(hidden.astype(int), axis=1)).sum(axis=1) == 2).all()
    assert not hidden[:, :2].any()
    assert not hidden[:, -2:].any()


def test_the_loss_leaves_out_what_is_unknown():
    targets, outputs = np.array([[1.0, NAN], [NAN, 3.0]]), np.array([[0.0, 9.0], [9.0, 1.0]])
    assert float(series.known_error(targets, outputs)) == 1.5
    assert float(series.known_error(targets * NAN, outputs)) == 0


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_masked_value_might_as_well_not_be_there(bidirectional):
    model = SeriesRNN(outputs=2, missing="skip", bidirectional=bidirectional, seed=0)
    with_a_hole = np.array([[0.1, NAN, 0.7, 0.2]], "float32")
    without = np.array([[0.1, 0.7, 0.2]], "float32")
    np.testing.assert_allclose(model(with_a_hole), model(without), atol=1e-6)


def test_a_flagged_zero_is_not_a_missing_value():
    model = SeriesRNN(missing="flag", seed=0)
    missing = np.array([[0.1, NAN, 0.7]], "float32")
    assert abs(float(model(missing)[0, 0] - model(np.nan_to_num(missing))[0, 0])) > 1e-4


@pytest.mark.parametrize("bidirectional", [False, True])
def test_only_two_directions_see_what_comes_later(bidirectional):
    model = SeriesRNN(each_step=True, bidirectional=bidirectional, seed=0)
    values = np.linspace(0, 1, 6, dtype="float32")[None]
    changed = values.copy()
    changed[0, 4] += 1
    is_different = np.abs(np.asarray(model(values)) - np.asarray(model(changed)))[0, :, 0] > 1e-6
    assert is_different.tolist() == [bidirectional] * 4 + [True] * 2


def test_an_unknown_way_with_missing_values_is_said():
    with pytest.raises(CaptionerError, match="missing 'flags': did you mean flag"):
        SeriesRNN(missing="flags")


@pytest.mark.parametrize("each_step", [False, True])
def test_as_a_layer(each_step):
    settings = {"outputs": 3, "units": 5, "cell": "gru", "missing": "flag", "bidirectional": True,
                "each_step": each_step, "seed": 1, "implementation": "custom"}  # fmt: skip
    values = np.linspace(0, 1, 24, dtype="float32").reshape(4, 6)
    shape = (4, 6, 3) if each_step else (4, 3)
    # The image is 0: there is none.
    run_layer_test(SeriesRNN, settings, [values], shape, still=("w_ih",))


@pytest.mark.long
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_networks_learn_a_wave_better_than_naively(cell):
    wave = 100 + 20 * np.sin(np.arange(240) / 3)
    parts = series.split(wave, 12, 6, 120, 180)
    validation, test = series.network_forecasts(
        parts, cell=cell, scale=Scale.of(wave[:120]), seeds=(0, 1)
    )
    assert validation.shape == (2, 55, 6)
    errors = series.horizon_errors(test, parts.test[1]).mean(axis=1)
    naive = series.horizon_errors(series.naive(parts.test[0], 6), parts.test[1]).mean()
    assert (errors < naive / 4).all()
    assert errors[0] != errors[1]


@pytest.mark.long
def test_a_seed_gives_the_same_network_wherever_it_comes_as_it_was_when_it_was_best():
    wave = np.sin(np.arange(60.0) / 3).astype("float32")
    training, validation = series.windows(wave, 8, 2, stop=40), series.windows(wave, 8, 2, 40)

    def answers(seeds, steps=40):
        [found], losses = series.learned(
            {"outputs": 2, "cell": "rnn"}, training, validation, [validation[0]], seeds, steps
        )
        return found, losses

    (together, losses), (alone, loss) = answers((4, 5)), answers((5,))
    np.testing.assert_allclose(together[1], alone[0], atol=1e-5)
    np.testing.assert_allclose(losses[1:], loss, rtol=1e-4)
    for found, loss in zip(together, losses, strict=True):
        assert float(series.known_error(validation[1], found)) == pytest.approx(loss, rel=1e-4)
    assert (answers((4, 5), steps=80)[1] <= 1.001 * losses).all()


@pytest.mark.long
def test_learning_ends_where_the_validation_loss_no_longer_falls(monkeypatch):
    inputs = np.linspace(0, 1, 40, dtype="float32").reshape(8, 5)
    training, validation = (inputs, inputs[:, :1] + 9), (inputs, inputs[:, :1] - 9)
    taken, take = [], SeriesRNN.train_on_batch

    def counted(model, *batch):
        taken.append(batch)
        return take(model, *batch)

    monkeypatch.setattr(SeriesRNN, "train_on_batch", counted)
    options = {"seeds": (0,), "every": 2, "patience": 3, "batch_size": 4}
    series.learned({"cell": "rnn"}, training, validation, [inputs], steps=200, **options)
    assert len(taken) == 2 + 3 * 2  # the first look is the best
    assert {len(values) for values, _ in taken} == {4}
    assert (taken[0][0] != taken[1][0]).all()
    np.testing.assert_array_equal(taken[0][0], taken[2][0])
