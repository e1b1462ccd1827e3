"""One step of training on JAX."""

from captioner.compiled import JaxFunction, changes, current_values, state_scope


class JaxSteps:
    """`captioner.training.steps.CompiledSteps` on JAX, which returns before the loss is computed.

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


def _values(variables):
    return [variable.value for variable in variables]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
