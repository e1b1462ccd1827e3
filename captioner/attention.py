"""Where to look next: the hidden state weighs the regions of the picture."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="captioner")
class AdditiveAttention(keras.layers.Layer):
    """Soft attention: the i_t of the document's equation (5) as what step t looks at.

        e_tr = v · tanh(w_r region_r + w_h h_{t-1} + b_e)   how well region r suits
        a_t  = softmax(e_t)                                 over the regions
        b_t  = sigmoid(w_b · h_{t-1} + b)                   how much the picture matters now
        i_t  = b_t Σ_r a_tr region_r

    Args:
        units: int. Size in which regions and hidden state are compared. Defaults to `256`.

    Call arguments:
        hidden: tensor (batch, units of the recurrence), h_{t-1}.
        regions: tensor (batch, regions, features).
        keys: tensor (batch, regions, units), the value of `keys(regions)`.

    Returns:
        (image, weights): i_t (batch, features), and a_t (batch, regions), which sum to 1.

    Example:
    >>> attention = AdditiveAttention(units=8)
    >>> attention.build((None, 16), (None, None, 12))
    >>> regions = np.ones((2, 49, 12), "float32")
    >>> image, weights = attention(np.ones((2, 16)), regions, attention.keys(regions))
    >>> image.shape, weights.shape
    ((2, 12), (2, 49))

    Reference: Xu et al. 2015, "Show, attend and tell", section 4.2; e_tr from Bahdanau et al. 2015,
    appendix A.1.2.
    """

    def __init__(self, units=256, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, hidden_shape, regions_shape):
        hidden, features = hidden_shape[-1], regions_shape[-1]
        self.w_regions = self.add_weight(name="w_regions", shape=(features, self.units))
        self.w_hidden = self.add_weight(name="w_hidden", shape=(hidden, self.units))
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        self.v = self.add_weight(name="v", shape=(self.units, 1))
        self.w_gate = self.add_weight(name="w_gate", shape=(hidden, 1))
        self.gate_bias = self.add_weight(name="gate_bias", shape=(1,), initializer="ones")
        self.built = True

    def keys(self, regions):
        """The half of the comparison that stays the same over a caption: w_r region_r + bias."""
        return ops.matmul(regions, self.w_regions) + self.bias  # (batch, regions, units)

    def call(self, hidden, regions, keys):
        query = ops.matmul(hidden, self.w_hidden)[:, None, :]  # (batch, 1, units)
        scores = ops.matmul(ops.tanh(keys + query), self.v)[..., 0]  # (batch, regions)
        weights = ops.softmax(scores, axis=-1)
        gate = ops.sigmoid(ops.matmul(hidden, self.w_gate) + self.gate_bias)  # (batch, 1)
        image = ops.matmul(weights[:, None, :], regions)[:, 0]  # (batch, features)
        return gate * image, weights

    def get_config(self):
        return {**super().get_config(), "units": self.units}
