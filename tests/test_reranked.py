"""Re-ranking: a captioner that reads backwards chooses among the captions of another."""

import keras
import numpy as np
import pytest

from captioner import Captioner, CaptionerError, Decoder, Encoder, Reranked, Vocabulary, load
from captioner.cli import main
from captioner.confidence import Confidence
from captioner.training.batches import EncodedCaptions
from captioner.vocabulary import END, START

WORDS = ["a", "dog", "cat", "runs", "on", "grass"]
rng = np.random.default_rng(0)


def model(seed, direction, **settings):
    keras.utils.set_random_seed(seed)
    encoder = Encoder("mobilenet_v2", size=32)
    decoder = Decoder(len(WORDS) + 4, encoder.channels, units=8, embedding=6, **settings)
    for weight in decoder.weights:  # far from zero, so that it has opinions
        weight.assign(weight * 4)
    return Captioner(encoder, decoder, Vocabulary(WORDS, direction))


@pytest.fixture(scope="module")
def pair():
    return model(1, "forward"), model(2, "backward", attention="additive", attention_units=4)


def pictures(count):
    return [rng.integers(0, 255, size=(32, 32, 3)).astype("uint8") for _ in range(count)]


def test_backward_words_are_read_and_written_from_the_end():
    vocabulary = Vocabulary(WORDS, "backward")
    assert vocabulary.encode("a dog runs") == [7, 5, 4]
    assert vocabulary.decode([7, 5, 4, END, 6]) == "a dog runs"
    assert Vocabulary.from_config(vocabulary.to_config()).direction == "backward"
    assert Vocabulary.from_config({"words": WORDS}).direction == "forward"
    encoded = EncodedCaptions([["a dog runs"]], vocabulary, 10)
    words, targets = encoded.matrix([0], 1, 4)
    assert words.tolist() == [[START, 7, 5, 4]]
    assert targets.tolist() == [[7, 5, 4, END]]


def test_a_captions_probability_is_the_product_over_its_words(pair):
    _, backward = pair
    image = backward.encode(np.stack(pictures(2)))
    captions = [["a dog", "a dog runs on grass"], ["cat", "a cat"]]
    found = backward.log_probabilities(image, captions)
    for picture, texts in enumerate(captions):
        for place, text in enumerate(texts):
            context, state = backward.decoder.start(image[picture : picture + 1])
            last, total = START, 0.0
            for word in [*backward.vocabulary.encode(text), END]:
                log_probs, state = backward.decoder.step(np.array([last]), context, state)
                total += float(log_probs[0, word])
                last = word
            assert found[picture, place] == pytest.approx(total, abs=1e-4)


def test_the_weight_moves_the_choice_from_one_reader_to_the_other(pair):
    forward, backward = pair
    images = pictures(4)
    search = {"beam_size": 4, "n_best": 4, "max_length": 6}
    own = forward.generate(images, **search)
    assert Reranked(forward, backward, 0.0).generate(images, **search) == own
    judged = backward.log_probabilities(backward.encode(np.stack(images)), own)
    for texts, values, ranked in zip(
        own, judged, Reranked(forward, backward, 1.0).generate(images, **search), strict=True
    ):
        per_word = [v / (len(t.split()) + 1) for t, v in zip(texts, values, strict=True)]
        assert ranked == [texts[n] for n in np.argsort(-np.array(per_word), kind="stable")]


@pytest.mark.parametrize("n_best", [1, 2, 4])
def test_only_the_n_best_of_the_beam_come_back(pair, n_best):
    model = Reranked(*pair)
    image = model.encode(np.stack(pictures(3)))
    all_ranked = model.decode(image, beam_size=4, n_best=4)
    assert [len(captions) for captions in all_ranked] == [4] * 3
    found = model.decode(image, beam_size=4, n_best=n_best)
    assert found == [captions[:n_best] for captions in all_ranked]
    if n_best == 1:
        assert model.decode(image, beam_size=4) == found


def test_more_captions_than_the_beam_holds_are_refused(pair):
    model = Reranked(*pair)
    image = model.encode(np.stack(pictures(1)))
    with pytest.raises(CaptionerError, match="n best 4: must be at most the beam size, 3"):
        model.decode(image, n_best=4)


def test_only_beam_search_has_several(pair):
    with pytest.raises(CaptionerError, match="which only beam search has"):
        Reranked(*pair).generate(pictures(1), method="greedy")
    with pytest.raises(CaptionerError, match="weight 2: must be"):
        Reranked(*pair, weight=2)


def test_one_writes_forward_and_the_other_reads_backward(pair):
    forward, backward = pair
    with pytest.raises(CaptionerError, match="re-ranks must be trained with --direction backward"):
        Reranked(forward, forward)
    with pytest.raises(CaptionerError, match="writes must be trained with --direction forward"):
        Reranked(backward, backward)


def test_the_search_has_its_own_defaults(pair):
    forward, backward = pair
    for each in (forward, Reranked(forward, backward)):
        image = each.encode(np.stack(pictures(2)))
        assert each.decode(image) == each.decode(image, beam_size=3)


def test_from_the_command_line(pair, tmp_path, photos, capsys):
    paths = [str(tmp_path / name) for name in ("forward.keras", "backward.keras")]
    for each, path in zip(pair, paths, strict=True):
        each.save(path)
    assert load(paths[1]).vocabulary.direction == "backward"
    arguments = ["--model", paths[0], "--rerank", paths[1], "--rerank-weight", "0.7"]
    assert main(["caption", str(photos), *arguments]) == 0
    said = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
    files = [str(photos / name) for name in ("a.png", "b.jpg", "c.webp")]
    assert said == Reranked(*pair, weight=0.7).generate(files)
    capsys.readouterr()
    assert main(["caption", str(photos), "--model", paths[0], *arguments[4:]]) == 2
    assert "is for --rerank, which is not given" in capsys.readouterr().err


def test_the_judgement_leaves_the_confidence_as_it_is(pair, monkeypatch):
    forward, backward = pair
    confidence = Confidence(bias=0.0, probability=1.0, length=-0.1)
    monkeypatch.setattr(forward, "confidence", confidence)
    model = Reranked(forward, backward, 1.0)
    assert model.confidence == confidence
    for found in model.generate(pictures(2), n_best=3, return_details=True):
        for each in found:
            assert each.confidence == confidence.of(each.word_scores)
