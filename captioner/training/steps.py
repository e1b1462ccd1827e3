"""One step of training, compiled: on one device, and on the replicas of tf.distribute."""

from captioner.compiled import JaxFunction, changes, current_values, state_scope
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


class JaxSteps:
    """The same on JAX, which returns before the loss is computed.

    Keras' own step functions there take and give back every variable, those of a CNN that stays as
    it is too; and to validate they free arrays that the optimizer may hold as well, its moving
    averages.

    Args:
        model: keras.Model with a built optimizer.
    """

    def __init__(self, model):
        import jax  # only here: with another backend it need not be installed

        optimizer = model.optimizer
        self._trained, self._others = model.trainable_variables, model.non_trainable_variables
        self._optimizer = optimizer.variables
        variables = [*self._trained, *self._others]

        def loss_of(trained, others, inputs, targets, weights):
            scope = state_scope(variables, [*trained, *others])
            before = current_values(scope, self._others)
            with scope:
                outputs = model(inputs, training=True)
                loss = model.compute_loss(inputs, targets, outputs, weights, training=True)
            return loss, changes(before, current_values(scope, self._others))

        def train(trained, state, others, data):
            gradient = jax.value_and_grad(loss_of, has_aux=True)
            (loss, changed), gradients = gradient(trained, others, *data)
            trained, state = optimizer.stateless_apply(state, gradients, trained)
            return loss, changed, trained, state

        def test(inputs, targets):
            outputs = model(inputs, training=False)
            return model.compute_loss(inputs, targets, outputs, training=False)

        self._train = jax.jit(train, donate_argnums=(0, 1))  # new weights in the place of old ones
        self._test = JaxFunction(test, variables)

    def train(self, inputs, targets, weights=None):
        """Learns from a batch; returns its loss, and float() of it waits until it is computed."""
        loss, changed, trained, state = self._train(
            _values(self._trained),
            _values(self._optimizer),
            _values(self._others),
            (inputs, targets, weights),
        )
        _assign(self._trained, trained)
        _assign(self._optimizer, state)
        _assign([self._others[number] for number in changed], changed.values())
        return loss

    def test(self, inputs, targets):
        """The loss of a batch, a float."""
        return float(self._test(inputs, targets))


class ReplicatedSteps:
    """The same on replicas, each with its share of the batch; they learn as one.

    Keras' own step functions cannot do it: they would clip each replica's gradients before these
    are joined, and fail where a loss is one number for several workers (Keras 3.15).

    Args:
        model: keras.Model with an optimizer made by `Replicas.optimizer`.
        replicas: Replicas.
    """

    def __init__(self, model, replicas):
        import tensorflow as tf  # tf.distribute is TensorFlow's own

        self.model, self.replicas = model, replicas
        strategy = replicas.strategy

        @tf.function(jit_compile=False)  # as Keras' step is, see `captioner.compiled`
        def train(inputs, targets, weights):
            def learn(inputs, targets, weights):
                with tf.GradientTape() as tape:
                    outputs = model(inputs, training=True)
                    loss = model.compute_loss(inputs, targets, outputs, weights, training=True)
                variables = model.trainable_variables
                model.optimizer.apply(tape.gradient(loss, variables), variables)
                return loss

            losses = strategy.run(learn, args=(inputs, targets, weights))
            return strategy.reduce("MEAN", losses, axis=None)

        @tf.function(jit_compile=False)
        def test(inputs, targets):
            return model.compute_loss(
                inputs, targets, model(inputs, training=False), training=False
            )

        self._train, self._test = train, test

    def train(self, inputs, targets, weights=None):
        """Learns from a batch, of which this worker gives its rows; returns the loss of all."""
        split = self.replicas.split
        with self.replicas.in_touch():
            inputs = {name: split(value) for name, value in inputs.items()}
            weights = None if weights is None else split(weights)
            return float(self._train(inputs, split(targets), weights))

    def test(self, inputs, targets):
        """The loss of a batch of this worker's own, a float."""
        return float(self._test(inputs, targets))


def _values(variables):
    return [variable.value for variable in variables]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
