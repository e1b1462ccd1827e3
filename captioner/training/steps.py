"""One step of training, compiled, on one device.

On JAX it is `captioner.training.jax_steps`, on the replicas of tf.distribute `ReplicatedSteps` of
`captioner.training.distribution`.
"""

from captioner.keras_internals import step_function


class CompiledSteps:
    """Keras' step functions of a model, one per shape.

    Keras would trace one function for all shapes, with an unknown number of words, and the time
    loop could not be written out.

    Args:
        model: compiled keras.Model.
    """

    def __init__(self, model):
        self.model = model
        self._functions = {}

    def train(self, inputs, targets, weights=None):
        """Learns from a batch; returns its loss, a float."""
        return self._run("train_function", self.model.train_on_batch, inputs, targets, weights)

    def test(self, inputs, targets):
        """The loss of a batch, a float."""
        return self._run("test_function", self.model.test_on_batch, inputs, targets)

    def _run(self, kind, run, inputs, targets, weights=None):
        self.model.reset_metrics()
        with step_function(self.model, kind, self._functions, (kind, targets.shape)):
            return float(run(inputs, targets, sample_weight=weights, return_dict=True)["loss"])
