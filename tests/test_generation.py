"""From pictures to sentences, with a model that needs no network."""

import threading

import numpy as np
import pytest

from captioner import CaptionerError, Vocabulary
from captioner.confidence import Confidence
from captioner.decoding import stored_settings
from captioner.generation import Caption, Generation, picture_numbers
from captioner.images import READ_AHEAD, ImageError
from captioner.vocabulary import END

WORDS = ["red", "green", "blue", "bright"]  # ids 4 to 7


class Namer(Generation):
    """Names the colour of a picture, or a less likely one, and says `bright` from time to time."""

    def __init__(self, vocabulary=None, **generation):
        self.vocabulary = vocabulary or Vocabulary(WORDS)
        self.generation = stored_settings(generation)
        self.picture_size = 8
        self.batches = []

    def encode(self, pixels, batch_size=32):
        self.batches.append(len(pixels))
        return np.asarray(pixels, "float32").mean(axis=(1, 2)) / 255  # (pictures, 3)

    def start(self, image):
        return [image], [np.zeros(len(image))]

    def step(self, words, context, state):
        [colours], [place] = context, state
        weights = np.full((len(words), len(self.vocabulary)), 1e-9)
        weights[:, END] = np.where(place == 0, 1e-9, 1)
        weights[:, 4:7] = np.where(place == 0, 0.1 + colours.T, 1e-9).T
        weights[:, 7] = 0.05
        weights /= weights.sum(axis=1, keepdims=True)
        return np.log(weights), [place + 1]


def coloured(name):
    pixels = np.zeros((5, 7, 3), np.uint8)
    pixels[..., WORDS.index(name)] = 255
    return pixels


PICTURES = [coloured(name) for name in ("red", "green", "blue")]


def test_one_in_one_out_and_a_list_for_a_list():
    model = Namer()
    assert model.generate(PICTURES[1]) == "green"
    assert model.generate(PICTURES[:1]) == ["red"]
    assert model.generate(PICTURES) == ["red", "green", "blue"]
    assert model.generate(tuple(PICTURES)) == ["red", "green", "blue"]
    assert model.generate([]) == []


def test_the_n_best_are_a_list_for_each_picture():
    model = Namer()
    [best, second, third] = model.generate(PICTURES[2], n_best=3)
    assert best == "blue"
    assert {second, third} == {"red", "green"}
    assert [texts[0] for texts in model.generate(PICTURES, n_best=2)] == ["red", "green", "blue"]
    assert model.generate(PICTURES, n_best=1) == ["red", "green", "blue"]
    assert model.generate(PICTURES, n_best=None) == ["red", "green", "blue"]


def test_details():
    found = Namer().generate(PICTURES[0], return_details=True)
    assert isinstance(found, Caption)
    assert (found.text, found.words, found.attention) == ("red", ("red",), None)
    red = 1.1 / (1.1 + 0.1 + 0.1 + 0.05)
    assert found.word_scores == pytest.approx((np.log(red), np.log(1 / 1.05)), abs=1e-5)
    assert found.score == pytest.approx(sum(found.word_scores) / 2)


def test_captions_have_a_confidence_where_the_model_has_one():
    model = Namer()
    assert model.generate(PICTURES[0], return_details=True).confidence is None
    model.confidence = Confidence(bias=-2.0, probability=5.0, length=-0.1)
    searches = [{"n_best": 3}, {"method": "greedy"}, {"method": "sample"}]
    for search in searches:
        for found in model.generate(PICTURES, return_details=True, **search):
            for each in found if isinstance(found, list) else [found]:
                assert each.confidence == model.confidence.of(each.word_scores)
                assert 0 < each.confidence < 1


@pytest.mark.parametrize(
    ("search", "count"),
    [
        ({}, 1),
        ({"method": "greedy"}, 1),
        ({"method": "sample"}, 1),
        ({"beam_size": 4}, 1),
        ({"beam_size": 4, "n_best": 3}, 3),
        ({"n_best": 3}, 3),
    ],
)
def test_decode_gives_the_n_best(search, count):
    model = Namer()
    found = model.decode(model.encode(PICTURES), **search)
    assert [len(captions) for captions in found] == [count] * 3


def test_a_model_may_store_how_many_captions_it_gives():
    model = Namer(n_best=2)
    assert [len(texts) for texts in model.generate(PICTURES)] == [2, 2, 2]
    assert model.generate(PICTURES, n_best=1) == ["red", "green", "blue"]


def test_a_broken_picture_stops_generate_but_not_generate_all(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    pictures = [PICTURES[0], str(tmp_path / "broken.jpg"), PICTURES[2]]
    found = list(Namer().generate_all(pictures, batch_size=2))
    assert [number for number, _, _ in found] == [0, 1, 2]
    assert [source for _, source, _ in found][1] == pictures[1]
    (_, _, [first]), (_, _, error), (_, _, [last]) = found
    assert (first.text, last.text) == ("red", "blue")
    assert isinstance(error, ImageError)
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        Namer().generate(pictures)
    [(_, _, error)] = Namer().generate_all(pictures[1:2])
    assert isinstance(error, ImageError)


@pytest.mark.parametrize(("encode_ahead", "wanted"), [(True, "eess"), (False, "eses")])
def test_the_next_batch_is_encoded_during_the_search_of_one_or_after_it(encode_ahead, wanted):
    seen, all_encoded = [], threading.Event()

    class Watched(Namer):
        def encode(self, pixels, batch_size=32):
            seen.append("e")
            if len(self.batches) == 1:  # this is the second batch
                all_encoded.set()
            return super().encode(pixels, batch_size)

        def start(self, image):
            if encode_ahead:
                assert all_encoded.wait(20)
            seen.append("s")
            return super().start(image)

    found = Watched().generate_all(PICTURES, batch_size=2, encode_ahead=encode_ahead)
    assert [caption.text for _, _, [caption] in found] == ["red", "green", "blue"]
    assert "".join(seen) == wanted


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_a_caption_does_not_depend_on_the_other_pictures(method):
    pictures = PICTURES * 3
    search = {"temperature": 3.0, "seed": 1} if method == "sample" else {}
    model = Namer()
    alone = [model.generate(each, method=method, **search) for each in pictures]
    model.batches.clear()
    assert model.generate(pictures, method=method, batch_size=4, **search) == alone
    assert model.batches == [4, 4, 1]


def test_another_seed_draws_other_captions():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (8, 8, 3), np.uint8) for _ in range(30)]
    one, again, other = (
        Namer().generate(pictures, method="sample", seed=seed) for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_numbers_tell_pictures_apart_wherever_they_stand():
    numbers = picture_numbers(PICTURES)
    assert len(set(numbers)) == 3
    assert picture_numbers(PICTURES[::-1]) == numbers[::-1]


def test_settings_given_go_before_those_stored():
    model = Namer(beam_size=5, max_length=9)
    assert model.search_settings({}) == {
        "method": "beam", "beam_size": 5, "length_penalty": 1.0, "max_length": 9,
        "no_repeat_ngram": 0, "no_repeat_word": False,
    }  # fmt: skip
    assert model.search_settings({"beam_size": 2, "max_length": None})["beam_size"] == 2
    assert model.search_settings({"max_length": None})["max_length"] == 9
    assert model.search_settings({"method": "greedy", "n_best": 1}) == {
        "method": "greedy", "max_length": 9, "no_repeat_ngram": 0, "no_repeat_word": False,
    }  # fmt: skip


def test_the_beam_is_as_wide_as_the_captions_wanted_of_it():
    model = Namer()
    assert model.search_settings({"n_best": 7})["beam_size"] == 7
    assert model.search_settings({"n_best": 2})["beam_size"] == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "magic"}, "method 'magic': no such method; choose greedy, beam, sample"),
        ({"beam_sise": 3, "colour": 1}, "beam_sise, colour: no such setting of generate"),
        ({"temperature": 2.0, "seed": 1}, "seed 1, temperature 2.0: has no meaning with method b"),
        ({"method": "greedy", "n_best": 3}, "n best 3: has no meaning with method greedy"),
        ({"beam_size": 0}, "beam size 0: must be 1 or more"),
        ({"beam_size": "3"}, "beam size '3': must be a whole number"),
        ({"n_best": 3, "beam_size": 2}, "n best 3: must be at most the beam size, 2"),
        ({"length_penalty": float("nan")}, "length penalty nan: must be from -10 to 10"),
        ({"max_length": 0}, "max length 0: must be 1 or more"),
        ({"method": "sample", "top_p": 0}, "top p 0: must be above 0 and at most 1"),
        ({"no_repeat_word": True}, "does not know which words people repeat"),
        ({"batch_size": 0}, "batch size 0: must be 1 or more"),
    ],
)
def test_wrong_settings_are_reported_before_any_picture_is_read(settings, message):
    model = Namer()
    with pytest.raises(CaptionerError, match=message):
        model.generate(["nowhere.jpg"], **settings)
    assert not model.batches


def test_an_unknown_method_of_decode():
    model = Namer()
    with pytest.raises(CaptionerError, match="method 'magic': no such method"):
        model.decode(model.encode(PICTURES), method="magic")


def test_the_rule_about_words_is_looked_up_in_the_vocabulary():
    model = Namer(Vocabulary(WORDS, repeatable={"red": 2}))
    assert model.search_arguments({"no_repeat_word": False})["no_repeat_word"] is None
    table = model.search_arguments({"no_repeat_word": True, "beam_size": 2})
    assert table["beam_size"] == 2
    assert table["no_repeat_word"].tolist() == model.vocabulary.least_distances()


def counted(images, taken):
    for image in images:
        taken.append(image)
        yield image


def test_pictures_are_read_only_a_little_ahead():
    taken = []
    found = Namer().generate_all(counted(PICTURES * 100, taken), batch_size=4)
    for number, (index, _, _) in zip(range(5), found, strict=False):
        assert index == number
    found.close()
    # The batch that is searched, those that are encoded meanwhile, and the pictures read ahead.
    assert len(taken) <= 3 * 4 + READ_AHEAD


def test_a_captioning_that_is_left_ends_its_threads():
    before = threading.active_count()
    found = Namer().generate_all(PICTURES * 100, batch_size=4)
    next(found)
    assert threading.active_count() > before
    found.close()
    assert threading.active_count() == before


class Failing(Namer):
    """Fails at the second batch."""

    def encode(self, pixels, batch_size=32):
        if self.batches:
            raise RuntimeError("out of order")
        return super().encode(pixels, batch_size)


def broken(images):
    yield from images
    raise RuntimeError("out of order")


@pytest.mark.parametrize(
    ("model", "images"), [(Failing(), PICTURES * 100), (Namer(), broken(PICTURES))]
)
def test_an_error_ends_the_captioning_and_its_threads(model, images):
    before = threading.active_count()
    found = model.generate_all(images, batch_size=3)
    with pytest.raises(RuntimeError, match="out of order"):
        list(found)
    assert threading.active_count() == before
    assert list(found) == []


def test_pictures_are_numbered_for_sampling_only(monkeypatch):
    def refuse(pictures):
        raise AssertionError("it costs time")

    monkeypatch.setattr("captioner.generation.picture_numbers", refuse)
    assert Namer().generate(PICTURES) == ["red", "green", "blue"]
    assert Namer().generate(PICTURES, method="greedy") == ["red", "green", "blue"]
    with pytest.raises(AssertionError, match="costs time"):
        Namer().generate(PICTURES, method="sample")
