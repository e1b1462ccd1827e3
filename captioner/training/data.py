"""The data of a run, prepared once: features of pictures, captions as word ids, what comes when."""

import numpy as np

from captioner.training.augmentation import View, may_mirror, read_changed
from captioner.training.balance import Balance
from captioner.training.batches import EncodedCaptions, bucket_length
from captioner.training.features import cached_features, readable_features
from captioner.training.imagined import ImaginedBatches, ImaginedPictures
from captioner.training.sources import read_lines, shares

CAPTIONS_PER_PICTURE = 5  # of each picture, in a step that takes pictures with their captions
LONGEST_SHARE = 99  # percent of the training captions are no longer than those the model writes


class TrainingData:
    """Pictures and captions of a run, as its stages take them.

    Args:
        config: TrainConfig.
        captioner: Captioner. Its CNN and its vocabulary are used.
        training, validation: CaptionDataset.
        log: callable. Takes a line for each picture that is skipped.
        progress: bool. Whether to show progress bars.

    Attributes:
        training, validation: CaptionDataset. Without the pictures that cannot be read.
        captions, val_captions: EncodedCaptions.
        text: EncodedCaptions. The captions without pictures, if there are any.
        balance: Balance. Which captions or pictures come in an epoch.
        longest: int. Most words, the end included, of a caption that the model writes in training.
        captions_a_picture: int. Captions that come with each picture, where all of them do.
        captions_each: int. The same where features are learned from.
        pictures_a_step: int. Pictures in a batch of features, on each replica.

    Raises:
        CaptionerError: Pictures or text cannot be read.
    """

    def __init__(self, config, captioner, training, validation, log, progress):
        self.config, self._captioner, self._progress = config, captioner, progress
        self._features, self.training = readable_features(
            captioner, training, config.cache, log, progress
        )
        self._mirrored = [may_mirror(captions) for captions in self.training.captions]
        self._val_features, self.validation = readable_features(
            captioner, validation, config.cache, log, progress
        )
        self.balance = Balance(self.training.sets, shares(config), config.seed)
        self.captions = self._as_ids(self.training.captions)
        self.val_captions = self._as_ids(self.validation.captions)
        self.text = self._as_ids(
            [[line] for line in read_lines(config.text)] if config.text else []
        )
        usual = np.percentile(self.captions.lengths, LONGEST_SHARE)
        self.longest = bucket_length(int(np.ceil(usual)))
        most = max(len(captions) for captions in self.training.captions)
        self.captions_a_picture = min(CAPTIONS_PER_PICTURE, most)
        # One vector a picture costs nothing to repeat; regions are prepared once for all captions.
        self._attends = captioner.decoder.attention != "none"
        self.captions_each = self.captions_a_picture if self._attends else 1
        self.pictures_a_step = max(1, config.batch_size // self.captions_each)

    def features(self, epoch, own_cache=None):
        """The training pictures' features as an epoch sees them.

        Args:
            epoch: int. Epochs take the versions of the pictures in turn.
            own_cache: str or None. Folder for the features of a CNN that has learned in this run.
                Defaults to `None`: the CNN is as it was.

        Returns:
            float16 array (pictures, channels), with attention (pictures, regions, channels).
        """
        number = epoch % self.config.views
        if not number and not own_cache:
            return self._features
        seed, smallest = self.config.seed, self.config.smallest_crop
        view = View(number, self._mirrored, seed, smallest) if number else None
        return self._cached(self.training, own_cache, view)

    def val_features(self, own_cache=None):
        """The validation pictures' features; `own_cache` as in `features`."""
        return self._cached(self.validation, own_cache) if own_cache else self._val_features

    def pixels(self, order, size, seed):
        """Training pictures, read ahead, and changed at random where the settings say so.

        Args:
            order: int array. Numbers of the pictures.
            size: tuple (height, width) in pixels.
            seed: list of int. It and a picture's number decide how the picture is changed.

        Returns:
            Iterator of uint8 array (height, width, 3).
        """
        smallest = self.config.smallest_crop if self.config.augment else None
        paths = self.training.image_paths
        return read_changed(paths, order, size, self._mirrored, seed, smallest)

    def imagined(self, features, lengths=()):
        """The captions without pictures, each with an imagined one.

        Args:
            features: array (pictures, ...). The training pictures', of the CNN as it is now.
            lengths: iterable of int, as `ImaginedBatches` takes them. Defaults to `()`.

        Returns:
            ImaginedBatches.
        """
        size, noise = len(self._captioner.vocabulary), self.config.imagined_noise
        imagined = ImaginedPictures(self.captions, features, size, noise)
        # Equal regions are one vector; Keras warns of a softmax over a single one.
        return ImaginedBatches(self.text, imagined, lengths, regions=2 * self._attends)

    def _as_ids(self, captions):
        return EncodedCaptions(captions, self._captioner.vocabulary, self.config.max_length)

    def _cached(self, dataset, own_cache, view=None):
        cache = own_cache or self.config.cache or None
        paths, progress = dataset.image_paths, self._progress
        return cached_features(self._captioner, paths, cache, progress=progress, view=view)[0]
