"""How good a captioner is after an epoch: its loss, what its captions score, and its confidence."""

import numpy as np

from captioner.generation import Caption
from captioner.metrics.calibration import TooFewPicturesError, calibrate
from captioner.training.batches import batches_of, filled
from captioner.training.set_scores import score_names, set_scores

REPEAT_RULES = (0, 2)  # values of no_repeat_ngram to choose from
PICTURES_AT_ONCE = 64  # that are captioned together


class Validation:
    """Measures a captioner on the validation pictures, chooses its rules about repeats, and learns
    its confidence.

    Args:
        captioner: Captioner. Its stored search settings are those chosen last, and its confidence
            is that of the last epoch, None where there are too few pictures for one.
        data: TrainingData.
        devices: OneDevice or Replicas.
    """

    def __init__(self, captioner, data, devices):
        self._captioner, self._data, self._devices = captioner, data, devices
        search = captioner.generation
        self._repeat_rules = dict.fromkeys([*REPEAT_RULES, search["no_repeat_ngram"]])
        search["max_length"] = max(search["max_length"], data.longest)

    def evaluate(self, stage):
        """Measures the captioner after an epoch.

        Args:
            stage: Stage.

        Yields:
            (str, float): the name and the value of a column of history.csv, `val_loss` first, then
            `score_names`.
        """
        features = stage.validation_features()
        yield "val_loss", self._loss(stage.steps, features)
        yield from self._scores(features).items()

    def _loss(self, steps, features):
        data, devices = self._data, self._devices
        total = words = 0
        batches = batches_of(data.val_captions, data.pictures_a_step, data.captions_each)
        for batch in batches[devices.index :: devices.workers]:
            inputs, targets = data.val_captions.matrix(batch.captions, batch.rows, batch.length)
            inputs = {"words": inputs}
            if features is not None:
                image = np.asarray(features[batch.pictures], np.float32)
                inputs["image"] = filled(image, data.pictures_a_step)
            count = int(np.count_nonzero(targets))
            total, words = total + steps.test(inputs, targets) * count, words + count
        totals, counts = zip(*devices.gather([total, words]), strict=True)
        return sum(totals) / sum(counts)

    def _scores(self, features):
        """Captions of the validation pictures against their references.

        They are written as they will be for users, by the stored search. Greedy ones would cost
        less, and choose badly: of two epochs of one run the one with the better greedy captions
        was by 0.03 of CIDEr the worse in beam search (measured). Whether two words may be said
        twice in the same order depends on the data: captions of photographs gain 0.02 to 0.03 by
        the rule that they may not, but "a red circle above a red square" needs it. So both are
        tried, and the better one stored; then the rule about single words on top of it.
        """
        if features is None:  # without pictures there is nothing to caption
            self._captioner.confidence = None
            return dict.fromkeys(score_names(self._data.validation), 0.0)
        tried = {rule: self._captions_under(features, rule) for rule in self._repeat_rules}
        scores = {rule: self._scores_of(captions) for rule, captions in tried.items()}
        best = max(scores, key=lambda rule: scores[rule]["CIDEr"])
        strict = self._captions_under(features, best, no_repeat_word=True)
        strict_scores = self._scores_of(strict)
        is_better = strict_scores["CIDEr"] > scores[best]["CIDEr"]
        self._captioner.generation |= {"no_repeat_ngram": best, "no_repeat_word": is_better}
        self._captioner.confidence = self._confidence(strict if is_better else tried[best])
        return strict_scores if is_better else scores[best]

    def _captions_under(self, features, no_repeat_ngram, no_repeat_word=False):
        """The captions of all validation pictures: a dict from position to `Caption`."""
        rules = {"no_repeat_ngram": no_repeat_ngram, "no_repeat_word": no_repeat_word}
        search = self._captioner.search_settings({"max_length": self._data.longest, **rules})
        captions, each = [], PICTURES_AT_ONCE
        for start in range(each * self._devices.index, len(features), each * self._devices.workers):
            batch = np.asarray(features[start : start + each], np.float32)
            found = self._captioner.decode(filled(batch, each), **search)
            captions.extend(enumerate((each[0] for each in found[: len(batch)]), start))
        gathered = self._devices.gather(captions)
        return {place: Caption(*fields) for part in gathered for place, fields in part}

    def _scores_of(self, captions):
        texts = {place: each.text for place, each in captions.items()}
        return set_scores(self._data.validation, texts)

    def _confidence(self, captions):
        """What the captions teach about when to trust the captioner; None of too few pictures."""
        validation = self._data.validation
        sets = [
            ({n: validation.captions[n] for n in rows}, {n: captions[n] for n in rows})
            for rows in validation.by_set().values()
        ]
        try:
            return calibrate(sets).confidence
        except TooFewPicturesError:
            return None
