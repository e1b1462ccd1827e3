"""What a run starts with: a new captioner, or another one that learns on, with more words."""

from captioner.captioner import Captioner, load_keras
from captioner.decoder import Decoder
from captioner.decoder_settings import ARCHITECTURE, CHANGEABLE, DECODER_SETTINGS
from captioner.encoder import BACKBONES, Encoder
from captioner.errors import require, require_choice
from captioner.presets import DEFAULT_PRESET
from captioner.training.config import TrainConfig
from captioner.vocabulary import Vocabulary


def new_captioner(config, training, encoder=None):
    """The captioner that a run starts with: words from the captions, weights from the settings.

    With `init_from` the config takes over what that captioner is.
    """
    captions = (text for texts in training.captions for text in texts)
    if config.init_from:
        source = load_keras(config.init_from)
        config.adopt(_architecture(source), config.init_from)
        config.picture_size = config.picture_size or source.picture_size
        vocabulary = Vocabulary.build(captions, config.min_count, direction=config.direction)
        return extended(source, vocabulary, config)
    vocabulary = Vocabulary.build(captions, config.min_count, direction=config.direction)
    encoder = encoder or new_encoder(config)
    settings = {name: getattr(config, name) for name in DECODER_SETTINGS}
    decoder = Decoder(len(vocabulary), encoder.channels, **settings)
    return Captioner(encoder, decoder, vocabulary)


def extended(source, vocabulary, config):
    """A captioner that knows what another does, and more words.

    Args:
        source: Captioner. Its CNN's weights and the sizes of its decoder are taken.
        vocabulary: Vocabulary. Those of its words that the source lacks come after the source's.
        config: TrainConfig. What may change of the decoder and the size of pictures are taken.
    """
    known = source.vocabulary
    made = known.extended(vocabulary)
    settings = source.decoder.get_config() | {name: getattr(config, name) for name in CHANGEABLE}
    decoder = Decoder.from_config(settings | {"vocabulary_size": len(known)})
    decoder.copy_weights_from(source.decoder)
    if len(made) > len(known):
        decoder = decoder.with_vocabulary_size(len(made))
    encoder = source.encoder.at_size(config.picture_size or source.picture_size)
    return Captioner(encoder, decoder, made, source.generation, source.about)


def _architecture(captioner):
    """The settings that a captioner fixes for a run that starts from it."""
    decoder = captioner.decoder.get_config()
    return {
        **{name: decoder[name] for name in ARCHITECTURE},
        "encoder": captioner.encoder.backbone,
        "encoder_weights": TrainConfig.encoder_weights,
        "direction": captioner.vocabulary.direction,
    }


def new_encoder(config):
    """The CNN of the settings, with its weights."""
    require_choice("--encoder", config.encoder, BACKBONES)
    size, weights = config.picture_size, config.encoder_weights
    if weights != "preset" and not weights.endswith(".keras"):
        encoder = Encoder(config.encoder, size or None)
        encoder.load_network_weights(weights)
        return encoder
    source = load_keras(DEFAULT_PRESET if weights == "preset" else weights)
    require(
        source.encoder.backbone == config.encoder,
        f"--encoder {config.encoder}: --encoder-weights {weights} has none for it; give imagenet, "
        "none or another file",
    )
    return source.encoder.at_size(size or source.picture_size)
