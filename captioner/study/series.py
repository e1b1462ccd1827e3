"""Forecasts of real series by the recurrence that writes captions, against simple ones.

A series is an array over time in which NaN marks a missing value. Windows of it are read (many to
one, or many to many), and what comes next is forecast for all steps at once. What belongs to the
future of a window never enters it: the scale comes from the training part, a gap is interpolated
within its window, and the parts follow each other in time.

Reference: the document, sections 5.1 and 6.2; simple forecasts: Hyndman & Athanasopoulos 2021,
"Forecasting: principles and practice", section 5.2.
"""

import functools
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from captioner.compiled import XLA
from captioner.errors import CaptionerError, needs_extra, require_choice
from captioner.recurrent import ImageRNN

SERIES = ("sunspots", "co2")
MISSING = ("skip", "flag")


class Series(NamedTuple):
    """A series and what a plot of it says.

    Attributes:
        times: array (time,). Years, with fractions.
        values: array (time,). NaN where a value is missing.
        season: int. Steps after which it roughly repeats.
        step: str. What one step is.
        unit: str. Of the values.
    """

    times: np.ndarray
    values: np.ndarray
    season: int
    step: str
    unit: str


def load(name):
    """A real series that statsmodels ships.

    Args:
        name: `"sunspots"`, yearly from 1700 to 2008, whose season of about 11 years is taken as
            11; or `"co2"`, monthly means of the weekly values from Mauna Loa, 1958 to 2001, with a
            season of 12 months. Months without any value are missing.

    Returns:
        Series.

    Raises:
        CaptionerError: There is no such series, or statsmodels is missing.

    Example:
    >>> load("sunspots").values[:3]
    array([ 5., 11., 16.])
    """
    require_choice("series", name, SERIES)
    if name == "sunspots":
        found = _datasets().sunspots.load_pandas().data
        times, values = found["YEAR"].to_numpy(), found["SUNACTIVITY"].to_numpy()
        return Series(times, values, 11, "year", "sunspots")
    found = weekly_co2().resample("MS").mean()
    times = found.index.year + (found.index.month - 0.5) / 12
    return Series(times.to_numpy(), found.to_numpy(), 12, "month", "CO2 (ppm)")


def weekly_co2():
    """The weekly values behind `load("co2")`: a pandas Series with dates, NaN where missing."""
    return _datasets().co2.load_pandas().data["co2"]


def _datasets():
    try:
        from statsmodels import datasets
    except ImportError as error:
        line = needs_extra("the series come with statsmodels", "notebooks", error)
        raise CaptionerError(line) from error
    return datasets


class Scale(NamedTuple):
    """A scale on which the values that it was made from lie between 0 and 1.

    Example:
    >>> scale = Scale.of([10.0, 20.0, np.nan])
    >>> scale.scaled(np.array([10.0, 15.0, 30.0]))
    array([0. , 0.5, 2. ])
    """

    low: float
    span: float

    @classmethod
    def of(cls, values):
        """The scale of values, which should be those of the training part alone."""
        low, high = np.nanmin(values), np.nanmax(values)
        return cls(float(low), float(high - low))

    def scaled(self, values):
        return (values - self.low) / self.span

    def unscaled(self, values):
        return values * self.span + self.low


def windows(values, length, horizon, start=0, stop=None):
    """All windows of a series, and what comes after each.

    Args:
        values: array (time,).
        length: int. Values in a window.
        horizon: int. Values after it.
        start, stop: int. What comes after the windows lies in `values[start:stop]`; the windows
            themselves may begin earlier, because the past is known. Defaults to all.

    Returns:
        (inputs (windows, length), targets (windows, horizon)).

    Example:
    >>> inputs, targets = windows(np.arange(6), length=2, horizon=1, start=4)
    >>> inputs.tolist(), targets.tolist()
    ([[2, 3], [3, 4]], [[4], [5]])
    """
    part = values[max(start - length, 0) : stop]
    both = np.lib.stride_tricks.sliding_window_view(part, length + horizon)
    return both[:, :length].copy(), both[:, length:].copy()


class Parts(NamedTuple):
    """The windows of the parts of a series, each a tuple (inputs, targets)."""

    training: tuple
    validation: tuple
    test: tuple


def split(values, length, horizon, validation, test):
    """The windows of a series in three parts that follow each other.

    Args:
        values, length, horizon: as `windows` takes them.
        validation, test: int. Where these parts begin. What comes after a window of a part lies in
            that part.

    Returns:
        Parts.

    Example:
    >>> parts = split(np.arange(20), length=3, horizon=2, validation=10, test=15)
    >>> [int(targets.min()) for _, targets in parts], int(parts.training[1].max())
    ([3, 10, 15], 9)
    """
    bounds = [(0, validation), (validation, test), (test, None)]
    return Parts(*(windows(values, length, horizon, *each) for each in bounds))


def interpolated(inputs):
    """Windows with straight lines over their gaps; before and after the known values, the nearest.

    Args:
        inputs: array (windows, length), NaN where missing; each window has a known value.

    Example:
    >>> interpolated(np.array([[1.0, np.nan, 3.0, np.nan]]))
    array([[1., 2., 3., 3.]])
    """
    places = np.arange(inputs.shape[1])
    known = ~np.isnan(inputs)
    rows = zip(inputs, known, strict=True)
    return np.stack([np.interp(places, places[there], row[there]) for row, there in rows])


def last_known(inputs):
    """The last known value of each window: array (windows, 1).

    Example:
    >>> last_known(np.array([[1.0, 2.0, np.nan]]))
    array([[2.]])
    """
    return interpolated(inputs)[:, -1:]


def naive(inputs, horizon):
    """The forecast that nothing changes: the last known value.

    Example:
    >>> naive(np.array([[1.0, 2.0, 3.0]]), horizon=2)
    array([[3., 3.]])
    """
    return np.repeat(last_known(inputs), horizon, axis=1)


def seasonal_naive(inputs, horizon, season, drift=False):
    """The forecast that the last season repeats.

    Args:
        inputs: array (windows, length), at least a season long, with drift one value more.
        horizon: int. Steps to forecast.
        season: int. Steps of a season.
        drift: bool. Whether each season lies above the one before by as much as the last value
            lies above that of a season earlier. Defaults to `False`.

    Returns:
        Array (windows, horizon).

    Example:
    >>> inputs = np.array([[0.0, 5.0, 1.0, 6.0, 2.0]])
    >>> seasonal_naive(inputs, horizon=3, season=2)
    array([[6., 2., 6.]])
    >>> seasonal_naive(inputs, horizon=3, season=2, drift=True)
    array([[7., 3., 8.]])
    """
    inputs = interpolated(inputs)
    steps = np.arange(horizon)
    forecast = inputs[:, steps % season - season]
    if drift:
        rise = inputs[:, -1:] - inputs[:, -1 - season, None]
        forecast = forecast + (steps // season + 1) * rise
    return forecast


def linear(training, inputs, penalty=1.0):
    """The forecast of a linear regression: each step ahead a weighted sum of the window.

    Windows and targets are read relative to the last known value, in units of their spread.

    Args:
        training: tuple of arrays (inputs (windows, length), targets (windows, horizon)); windows
            with an unknown target are left out.
        inputs: array (windows, length).
        penalty: float. Of the squared weights (ridge regression). Defaults to `1.0`.

    Returns:
        Array (windows, horizon).

    Example:
    >>> known = windows(np.arange(20.0), length=3, horizon=2)
    >>> linear(known, np.array([[20.0, 21.0, 22.0]]), penalty=1e-6).round(2)
    array([[23., 24.]])
    """
    known = ~np.isnan(training[1]).any(axis=1)
    read, targets = training[0][known], training[1][known] - last_known(training[0][known])
    spread = np.std(interpolated(read) - last_known(read))

    def columns(inputs):
        inputs = (interpolated(inputs) - last_known(inputs)) / spread
        return np.column_stack([inputs, np.ones(len(inputs))])

    read = columns(read)
    penalties = penalty * np.eye(read.shape[1])
    weights = np.linalg.solve(read.T @ read + penalties, read.T @ targets)
    return columns(inputs) @ weights + last_known(inputs)


def horizon_errors(forecasts, targets):
    """The mean absolute error at each step ahead, over the windows whose value there is known.

    Args:
        forecasts: array (..., windows, horizon), for example a row for each seed.
        targets: array (windows, horizon).

    Returns:
        Array (..., horizon).

    Example:
    >>> horizon_errors(np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([[1.0, 4.0], [2.0, np.nan]]))
    array([0.5, 2. ])
    """
    return np.nanmean(np.abs(forecasts - targets), axis=-2)


def with_gaps(inputs, share, seed=0):
    """Windows of which some values, drawn at random, are missing; the first stays.

    Args:
        inputs: array (windows, length).
        share: float. Of the values, which go missing.
        seed: int. Defaults to `0`.

    Example:
    >>> np.isnan(with_gaps(np.zeros((100, 10)), share=0.3)).mean().round(1)
    0.3
    """
    gone = np.random.default_rng(seed).random(inputs.shape) < share
    gone[:, 0] = False
    return np.where(gone, np.nan, inputs)


def with_a_gap(inputs, longest, seed=0, shortest=1):
    """Windows of which a stretch is hidden, and the targets of someone who is to fill it.

    Args:
        inputs: array (windows, length).
        longest, shortest: int. Values hidden, drawn at random between these. The first and the last
            two of a window stay.
        seed: int. Defaults to `0`.

    Returns:
        (inputs with NaN in the gaps, targets (windows, length) with NaN outside them).

    Example:
    >>> inputs, targets = with_a_gap(np.ones((1, 6)), longest=2, shortest=2)
    >>> int(np.isnan(inputs).sum()), int(np.nansum(targets))
    (2, 2)
    """
    rng = np.random.default_rng(seed)
    count, length = inputs.shape
    sizes = rng.integers(shortest, longest + 1, (count, 1))
    starts = rng.integers(2, length - 2 - sizes + 1)
    places = np.arange(length)
    hidden = (starts <= places) & (places < starts + sizes)
    return np.where(hidden, np.nan, inputs), np.where(hidden, inputs, np.nan)


@keras.saving.register_keras_serializable(package="captioner")
class SeriesRNN(keras.Model):
    """Reads a series with the recurrence that writes captions; there is no image.

    Args:
        outputs: int. Numbers to say: after the series, or at each of its steps. Defaults to `1`.
        units: int. Size of the hidden state. Defaults to `32`.
        cell: `"rnn"`, `"lstm"` or `"gru"`. Defaults to `"lstm"`.
        implementation: `"custom"` or `"keras"`. Defaults to `"custom"`.
        bidirectional: bool. Whether a second recurrence reads from the end to the beginning.
            Defaults to `False`.
        each_step: bool. N to N, or N to 1 from the last hidden state. Defaults to `False`.
        missing: None where no value is missing; `"skip"` for a mask, so that the state stays as it
            is where a value is missing; `"flag"` to read 0 there, and at every step a second number
            that says whether the value is known. Defaults to `None`.
        seed: int or None. Of the weights. Defaults to `None`.

    Call arguments:
        values: float tensor (batch, time), NaN where missing.

    Returns:
        Tensor (batch, outputs) or (batch, time, outputs).

    Raises:
        CaptionerError: There is no such cell, implementation or way with missing values.

    Example:
    >>> model = SeriesRNN(outputs=3, missing="skip")
    >>> tuple(model(np.array([[0.1, 0.2, np.nan, 0.4]], "float32")).shape)
    (1, 3)

    Reference: the document, sections 2 and 6.2; Schuster & Paliwal 1997, "Bidirectional recurrent
    neural networks".
    """

    def __init__(
        self,
        outputs=1,
        units=32,
        cell="lstm",
        implementation="custom",
        bidirectional=False,
        each_step=False,
        missing=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        require_choice("missing", missing, (None, *MISSING))
        self.settings = {
            "outputs": outputs,
            "units": units,
            "cell": cell,
            "implementation": implementation,
            "bidirectional": bidirectional,
            "each_step": each_step,
            "missing": missing,
            "seed": seed,
        }
        self.each_step = each_step
        self.missing = missing
        if seed is not None:
            keras.utils.set_random_seed(seed)
        self.forwards = ImageRNN(units, cell, implementation)
        self.backwards = ImageRNN(units, cell, implementation) if bidirectional else None
        self.head = keras.layers.Dense(outputs)

    def build(self, values_shape):
        inputs_shape = (*values_shape, 2 if self.missing == "flag" else 1)
        directions = [each for each in (self.forwards, self.backwards) if each is not None]
        for recurrent in directions:
            recurrent.build(inputs_shape, (None, 1))
        self.head.build((None, len(directions) * self.settings["units"]))
        self.built = True

    def call(self, values):
        inputs, mask = values[..., None], None  # (batch, time, 1)
        if self.missing is not None:
            mask = ops.logical_not(ops.isnan(values))
            inputs = ops.where(mask[..., None], inputs, 0.0)
        if self.missing == "flag":
            known = ops.cast(mask, inputs.dtype)[..., None]
            inputs, mask = ops.concatenate([inputs, known], axis=-1), None  # (batch, time, 2)
        hidden = self._read(self.forwards, inputs, mask)
        if self.backwards is not None:
            mask = None if mask is None else ops.flip(mask, axis=1)
            behind = self._read(self.backwards, ops.flip(inputs, axis=1), mask)
            behind = ops.flip(behind, axis=1) if self.each_step else behind
            hidden = ops.concatenate([hidden, behind], axis=-1)
        return self.head(hidden)

    def _read(self, recurrent, inputs, mask):
        """The hidden states of one direction, or the last one."""
        no_image = ops.zeros((ops.shape(inputs)[0], 1))
        hidden = recurrent(inputs, no_image, mask=mask)
        return hidden if self.each_step else hidden[:, -1]

    def get_config(self):
        return {**super().get_config(), **self.settings}


def known_error(targets, outputs):
    """The mean absolute error over the targets that are known: a loss."""
    known = ops.logical_not(ops.isnan(targets))
    errors = ops.abs(ops.where(known, targets, 0.0) - outputs)
    known = ops.cast(known, errors.dtype)
    return ops.sum(known * errors) / ops.maximum(ops.sum(known), 1.0)


def learned(
    settings,
    training,
    validation,
    inputs,
    seeds=(0, 1, 2),
    steps=200,
    every=20,
    patience=4,
    batch_size=128,
    learning_rate=0.01,
    loss=known_error,
):
    """What networks say after learning, one for each seed, each as it was when it was best.

    Networks of the same settings share one compiled model, also in later calls; it starts anew
    with the weights of each seed.

    Args:
        settings: dict. Of `SeriesRNN`, without the seed.
        training, validation: tuple of arrays (inputs, targets).
        inputs: list of arrays (windows, length). What to answer, once learned.
        seeds: iterable of int. Defaults to `(0, 1, 2)`.
        steps: int. Steps of Adam, at most. Defaults to `200`.
        every: int. Steps between two looks at the validation loss. Defaults to `20`.
        patience: int. Looks without a lower loss after which learning stops. Defaults to `4`.
        batch_size: int. Windows of a step; where there are fewer, all of them. Defaults to `128`.
        learning_rate: float. Of Adam. Defaults to `0.01`.
        loss: callable. (targets, outputs) -> tensor. Defaults to `known_error`.

    Returns:
        (list of arrays (seeds, windows, ...), one for each of the inputs;
        array (seeds,), the lowest validation loss of each).

    Example:
    >>> wave = np.sin(np.arange(60)).astype("float32")
    >>> known, new = windows(wave, 8, 1, stop=40), windows(wave, 8, 1, start=40)
    >>> [found], losses = learned({"cell": "gru"}, known, new, [new[0]], steps=20)
    >>> found.shape, losses.shape
    ((3, 20, 1), (3,))
    """
    length = training[0].shape[1]
    model, optimizer_at_start = _compiled(length, learning_rate, loss, **settings)
    count = len(training[0])
    rows = np.arange(min(batch_size, count))
    ends = np.cumsum([len(each) for each in inputs])[:-1]
    answers, losses = [], []
    for seed in seeds:
        fresh = SeriesRNN(**settings, seed=seed)
        fresh.build((None, length))
        model.set_weights(fresh.get_weights())
        model.optimizer.load_own_variables(optimizer_at_start)
        best, weights, looks = np.inf, model.get_weights(), 0
        for step in range(1, steps + 1):
            batch = (rows + step * len(rows)) % count
            model.train_on_batch(*(each[batch] for each in training))
            if step % every and step < steps:
                continue
            found = float(loss(validation[1], model.predict_on_batch(validation[0])))
            looks += 1
            if found < best:
                best, weights, looks = found, model.get_weights(), 0
            elif looks == patience:
                break
        model.set_weights(weights)
        answers.append(np.split(model.predict_on_batch(np.concatenate(inputs)), ends))
        losses.append(best)
    return [np.stack(each) for each in zip(*answers, strict=True)], np.array(losses)


@functools.lru_cache(maxsize=16)
def _compiled(length, learning_rate, loss, **settings):
    """A model for windows of a length, and its optimizer's state before the first step.

    To compile one takes as long as some hundred steps of learning, so they are kept.
    """
    model = SeriesRNN(**settings)
    model.build((None, length))
    model.compile(keras.optimizers.Adam(learning_rate, global_clipnorm=1.0), loss, jit_compile=XLA)
    model.optimizer.build(model.trainable_variables)
    model.optimizer.save_own_variables(at_start := {})
    return model, at_start


def network_forecasts(parts, also=(), cell="lstm", scale=None, relative=False, **practice):
    """What networks forecast after learning from the training part.

    Gaps are interpolated within each window. The validation part tells when a network is best.

    Args:
        parts: Parts, in the unit of the series.
        also: iterable of arrays (windows, length). Other windows to forecast from, such as noisy
            ones. Defaults to `()`.
        cell: `"rnn"`, `"lstm"` or `"gru"`. Defaults to `"lstm"`.
        scale: Scale or None. On which the networks see the values; None for the unit of the series.
            Defaults to `None`.
        relative: bool. Whether they see windows and targets relative to the last known value of the
            window. Defaults to `False`.
        **practice: as `learned` takes it.

    Returns:
        List of arrays (seeds, windows, horizon) in the unit of the series: of the validation
        windows, the test windows, and each of `also`.

    Example:
    >>> parts = split(np.sin(np.arange(90.0)), length=8, horizon=2, validation=50, test=70)
    >>> validation, test = network_forecasts(parts, cell="gru", steps=20)
    >>> validation.shape
    (3, 19, 2)
    """
    scale = scale or Scale(0.0, 1.0)

    def bases(inputs):
        return last_known(inputs) if relative else scale.low

    def read(values, inputs):
        return ((values - bases(inputs)) / scale.span).astype("float32")

    training, validation = (
        (read(interpolated(inputs), inputs), read(targets, inputs)) for inputs, targets in parts[:2]
    )
    asked = [parts.validation[0], parts.test[0], *also]
    answers, _ = learned(
        {"outputs": training[1].shape[1], "cell": cell},
        training,
        validation,
        [read(interpolated(inputs), inputs) for inputs in asked],
        **practice,
    )
    pairs = zip(answers, asked, strict=True)
    return [answer * scale.span + bases(inputs) for answer, inputs in pairs]
