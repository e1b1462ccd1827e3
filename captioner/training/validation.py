"""How good a captioner is after an epoch: its loss, and what its captions of pictures score."""

import numpy as np

from captioner.training.batches import batches_of, filled
from captioner.training.set_scores import score_names, set_scores

REPEAT_RULES = (0, 2)  # values of no_repeat_ngram to choose from
PICTURES_AT_ONCE = 64  # that are captioned together


class Validation:
    """Measures a captioner on the validation pictures, and chooses its rules about repeats.

    Args:
        captioner: Captioner. Its stored search settings are those chosen last.
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
            return dict.fromkeys(score_names(self._data.validation), 0.0)
        scores = {rule: self._scores_under(features, rule) for rule in self._repeat_rules}
        best = max(scores, key=lambda rule: scores[rule]["CIDEr"])
        stricter = self._scores_under(features, best, no_repeat_word=True)
        is_better = stricter["CIDEr"] > scores[best]["CIDEr"]
        self._captioner.generation |= {"no_repeat_ngram": best, "no_repeat_word": is_better}
        return stricter if is_better else scores[best]

    def _scores_under(self, features, no_repeat_ngram, no_repeat_word=False):
        rules = {"no_repeat_ngram": no_repeat_ngram, "no_repeat_word": no_repeat_word}
        search = self._captioner.search_settings({"max_length": self._data.longest, **rules})
        captions, each = [], PICTURES_AT_ONCE
        for start in range(each * self._devices.index, len(features), each * self._devices.workers):
            batch = np.asarray(features[start : start + each], np.float32)
            found = self._captioner.decode(filled(batch, each), **search)
            texts = [caption[0].text for caption in found[: len(batch)]]
            captions.extend(enumerate(texts, start))
        captions = dict(pair for part in self._devices.gather(captions) for pair in part)
        return set_scores(self._data.validation, captions)
