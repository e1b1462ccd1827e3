"""What a run without a folder keeps."""

import os
import tempfile


def nothing(self, *arguments):
    """A part of a run folder's interface that has nothing to do here."""


class InMemory:
    """What a run without a folder keeps, in memory: the last and the best captioners.

    Attributes: as those of RunFolder, but `last` and `best` are names.
    """

    last, best = "last", "best"
    begin = keep_settings = end = keep_state = load_state = nothing

    def __init__(self):
        self._kept = {}
        self._folder = None

    @property
    def features(self):
        """A folder that disappears with the run."""
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="captioner-")
        return os.path.join(self._folder.name, "features")

    def best_of(self, stage):
        return f"best-{stage}"

    def keep(self, captioner, *best):
        weights = captioner.encoder.get_weights(), captioner.decoder.get_weights()
        kept = (*weights, dict(captioner.generation), captioner.confidence, captioner.about)
        self._kept |= dict.fromkeys((self.last, *best), kept)

    def take_weights(self, captioner, name):
        encoder, decoder, *_, about = self._kept[name]
        captioner.encoder.set_weights(encoder)
        captioner.decoder.set_weights(decoder)
        return about

    def best_captioner(self, captioner):
        captioner.about = self.take_weights(captioner, self.best)
        _, _, generation, captioner.confidence, _ = self._kept[self.best]
        captioner.generation.update(generation)
        return captioner
