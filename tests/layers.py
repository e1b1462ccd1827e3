"""What every layer does, whichever it is: one test for all of them.

After keras-hub's `run_layer_test`.
"""

import json
import pathlib
import tempfile

import keras
import numpy as np

from captioner.compiled import XLA, CompiledModel


@keras.saving.register_keras_serializable(package="tests")
class Holder(CompiledModel):
    """A model of nothing but a layer, to compile, save and train it.

    Args:
        layer: Layer, or its config.
        call: callable. From the layer and its inputs to one tensor. Defaults to calling the layer.
    """

    def __init__(self, layer, call=None, **kwargs):
        super().__init__(**kwargs)
        is_config = isinstance(layer, dict)
        self.layer = keras.saving.deserialize_keras_object(layer) if is_config else layer
        self.call_layer = call or (lambda layer, *inputs: layer(*inputs))
        self.compile(jit_compile=XLA)

    def build(self, inputs_shape):
        """The layer builds itself, when it is called or by its own `build`."""
        self.built = True

    def call(self, inputs):
        return self.call_layer(self.layer, *inputs)

    def get_config(self):
        return {**super().get_config(), "layer": keras.saving.serialize_keras_object(self.layer)}


def run_layer_test(
    kind, settings, inputs, output_shape, shapes=None, call=None, is_saved=True, still=()
):
    """Asserts that a layer has a full config, is built, compiled, saved and trained.

    Args:
        kind: callable. The layer's class, or a function that makes one of the settings.
        settings: dict. What its constructor takes.
        inputs: list of arrays, as it is called with them.
        output_shape: tuple. That of the one tensor that `call` returns.
        shapes: list of tuples or None. What its `build` takes; None where its constructor or its
            first call builds it. Defaults to `None`.
        call: callable. As `Holder` takes it. Defaults to calling the layer.
        is_saved: bool. Whether the layer has a config and can be in a file. Defaults to `True`.
        still: tuple of str. Names of weights that do not learn from these inputs. Defaults to `()`.
    """
    layer = kind(**settings)
    if shapes is not None:
        layer.build(*shapes)
    holder = Holder(layer, call)
    eager = keras.ops.convert_to_numpy(holder.call(inputs))
    assert eager.shape == output_shape
    assert layer.built
    np.testing.assert_allclose(holder.run(inputs), eager, atol=1e-5)
    if is_saved:
        _require_full_config(layer, settings)
        _require_saved_whole(holder, inputs, eager)
    _require_learning(holder, inputs, eager, still)


def _require_full_config(layer, settings):
    config = layer.get_config()
    assert config.items() >= settings.items()
    again = type(layer).from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config


def _require_saved_whole(holder, inputs, wanted):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "layer.keras"
        holder.save(path)
        opened = keras.saving.load_model(path, compile=False, safe_mode=True)
    opened.call_layer = holder.call_layer
    found = keras.ops.convert_to_numpy(opened.call(inputs))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def _require_learning(holder, inputs, output, still):
    """Training moves every weight that may move, and no other.

    It takes two steps, for what is below a matrix of zeros.
    """
    before = [keras.ops.convert_to_numpy(each).copy() for each in holder.layer.weights]
    holder.compile(keras.optimizers.Adam(0.01), loss="mse", jit_compile=XLA)
    losses = holder.fit(list(inputs), np.ones_like(output), epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    trainable = {id(variable) for variable in holder.layer.trainable_variables}
    for variable, old in zip(holder.layer.weights, before, strict=True):
        has_moved = not np.array_equal(keras.ops.convert_to_numpy(variable), old)
        may_move = id(variable) in trainable and variable.name not in still
        assert has_moved is may_move, variable.path
