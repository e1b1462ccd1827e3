"""The CNN that turns pixels into what the recurrence sees: a keras.applications backbone."""

import os
from typing import NamedTuple

import keras
from keras import ops

from captioner.errors import CaptionerError, reason_of, require, require_choice


class Backbone(NamedTuple):
    """One row of the table: how to make a network, at which size, on which pixel values."""

    constructor: str  # the name in keras.applications
    size: int  # pixels, height and width
    pixels: str  # "raw" 0..255, "signed" -1..1, "caffe" BGR minus the ImageNet mean


BACKBONES = {
    "efficientnet_v2_b0": Backbone("EfficientNetV2B0", 224, "raw"),
    "efficientnet_v2_b1": Backbone("EfficientNetV2B1", 240, "raw"),
    "efficientnet_v2_b2": Backbone("EfficientNetV2B2", 260, "raw"),
    "efficientnet_v2_b3": Backbone("EfficientNetV2B3", 300, "raw"),
    "efficientnet_v2_s": Backbone("EfficientNetV2S", 384, "raw"),
    "mobilenet_v2": Backbone("MobileNetV2", 224, "signed"),
    "mobilenet_v3_large": Backbone("MobileNetV3Large", 224, "raw"),
    "resnet50": Backbone("ResNet50", 224, "caffe"),
    "resnet50_v2": Backbone("ResNet50V2", 224, "signed"),
    "resnet101_v2": Backbone("ResNet101V2", 224, "signed"),
    "inception_v3": Backbone("InceptionV3", 299, "signed"),
    "convnext_tiny": Backbone("ConvNeXtTiny", 224, "raw"),
}

SMALLEST = {"inception_v3": 75}  # pixels; the others take 32
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


@keras.saving.register_keras_serializable(package="captioner")
class Encoder(keras.layers.Layer):
    """Pixels to regions, by a CNN without its classification head.

    Pixels are the same for every network: RGB, 0 to 255; the encoder converts them to what its
    network expects, so that training, captioning and export cannot differ. Batch normalisation
    always runs on its stored statistics, also while the network is fine-tuned.

    Args:
        backbone: str. A key of `BACKBONES`. Defaults to `"efficientnet_v2_b0"`.
        size: int or None. Height and width of the pictures. Defaults to the network's own; weights
            trained at one size serve at another, and a larger one shows more.

    Raises:
        CaptionerError: No such backbone, or pictures too small for it.

    Call arguments:
        pixels: tensor (batch, size, size, 3), 0 to 255.

    Returns:
        Regions, tensor (batch, regions, channels): 7x7 -> 49 regions at 224 pixels.

    Example:
    >>> encoder = Encoder("mobilenet_v2")
    >>> encoder(np.zeros((1, 224, 224, 3), "uint8")).shape
    (1, 49, 1280)
    """

    def __init__(self, backbone="efficientnet_v2_b0", size=None, **kwargs):
        super().__init__(**kwargs)
        require_choice("encoder", backbone, BACKBONES)
        self.backbone = backbone
        self.size = size or BACKBONES[backbone].size
        self.network = _make_network(backbone, self.size)
        _, height, width, self.channels = self.network.output_shape
        self.regions = height * width
        self.freeze()
        self.build((None, self.size, self.size, 3))

    def build(self, pixels_shape):
        self.built = True

    def call(self, pixels, training=False):
        values = _normalise(ops.cast(pixels, self.compute_dtype), BACKBONES[self.backbone].pixels)
        grid = self.network(values, training=False)  # (batch, height, width, channels)
        return ops.reshape(grid, (-1, self.regions, self.channels))

    def at_size(self, size):
        """An encoder with the same weights for pictures of another size, or this one if it has it.

        A CNN trained at one size and then at a larger one sees more, for less work, than one
        trained at the larger size from the start (Touvron et al. 2019, "Fixing the train-test
        resolution discrepancy").
        """
        if size == self.size:
            return self
        other = Encoder(self.backbone, size)
        other.network.set_weights(self.network.get_weights())
        return other

    @staticmethod
    def pool(regions):
        """The one vector of a picture: the mean of its regions, (batch, channels)."""
        return ops.mean(regions, axis=1)

    def freeze(self):
        """Makes every layer keep its weights. A new encoder starts so."""
        self.network.trainable = False

    def unfreeze_from(self, layer):
        """Lets the layers from the named one to the end learn, batch normalisation excepted.

        Args:
            layer: str. The name of a layer of the network, or `"all"`.

        Raises:
            CaptionerError: The network has no such layer.
        """
        self.require_layer(layer)
        names = [each.name for each in self.network.layers]
        first = 0 if layer == "all" else names.index(layer)
        self.network.trainable = True
        for index, each in enumerate(self.network.layers):
            is_normalisation = isinstance(each, keras.layers.BatchNormalization)
            each.trainable = index >= first and not is_normalisation

    def require_layer(self, layer):
        """Raises CaptionerError for what is neither "all" nor the name of a layer."""
        names = [each.name for each in self.network.layers]
        if layer != "all" and layer not in names:
            some = ", ".join(name for name in names if name.endswith("_add"))[:200]
            raise CaptionerError(
                f"fine-tune from {layer!r}: {self.backbone} has no such layer; give all, or a "
                f"layer's name such as {some or names[len(names) // 2]}"
            )

    def load_network_weights(self, weights):
        """Loads ImageNet weights (Keras downloads them) or those of a file.

        Args:
            weights: `"imagenet"`, `"none"` or the path of an .h5 file of this network without top.

        Raises:
            CaptionerError: The file is missing or is not one for this network.
        """
        if weights == "none":
            return
        if weights == "imagenet":
            self._download_weights()
        elif not os.path.isfile(weights):
            raise CaptionerError(
                f"{weights}: no such file of encoder weights; give a path, imagenet or none"
            )
        else:
            self._load_file(weights)

    def _load_file(self, path):
        try:
            self.network.load_weights(path)
        except Exception as error:  # Keras, h5py and zipfile each have their own
            raise CaptionerError(
                f"{path}: not weights of {self.backbone} without top ({reason_of(error)})"
            ) from error

    def _download_weights(self):
        try:
            trained = _make_network(self.backbone, self.size, weights="imagenet")
        except Exception as error:  # whatever the network or the server answered
            raise CaptionerError(
                f"imagenet weights of {self.backbone}: download failed ({reason_of(error)}); "
                "check the network, or give --encoder-weights a file or preset"
            ) from error
        self.network.set_weights(trained.get_weights())

    def get_config(self):
        return {**super().get_config(), "backbone": self.backbone, "size": self.size}


def _make_network(backbone, size, weights=None):
    constructor = getattr(keras.applications, BACKBONES[backbone].constructor)
    smallest = SMALLEST.get(backbone, 32)
    require(size >= smallest, f"picture size {size}: {backbone} wants {smallest} pixels or more")
    return constructor(include_top=False, weights=weights, input_shape=(size, size, 3))


def _normalise(pixels, kind):
    if kind == "signed":
        return pixels / 127.5 - 1.0
    if kind == "caffe":
        return ops.flip(pixels, axis=-1) - ops.convert_to_tensor(CAFFE_MEAN_BGR, pixels.dtype)
    return pixels
