"""The captioner: pictures in, sentences out; its file; what it makes of captions that are given."""

import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from captioner import Captioner, CaptionerError, Decoder, Encoder, Vocabulary, load
from captioner.captioner import LONGEST
from captioner.images import ImageError, read_image
from captioner.vocabulary import END, START


@pytest.fixture
def pictures():
    return [np.random.default_rng(n).integers(0, 255, (50, 40, 3), np.uint8) for n in range(5)]


def test_one_in_one_out_and_a_list_for_a_list(tiny_captioner, pictures):
    one = tiny_captioner.generate(pictures[0])
    assert isinstance(one, str)
    many = tiny_captioner.generate(pictures, batch_size=2)
    assert len(many) == 5
    assert many[0] == one
    assert tiny_captioner.generate([]) == []


def test_details(tiny_captioner, pictures):
    found = tiny_captioner.generate(pictures[0], n_best=3, beam_size=4, return_details=True)
    assert len(found) == 3
    assert [each.score for each in found] == sorted((e.score for e in found), reverse=True)
    for each in found:
        assert len(each.word_scores) == len(each.words) + 1
        mean = sum(each.word_scores) / len(each.word_scores)
        np.testing.assert_allclose(each.score, mean, rtol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_saved_captioner_opens_with_either_implementation(tmp_path, pictures, cell):
    vocabulary = Vocabulary(["a", "été", "犬"])
    encoder = Encoder("mobilenet_v2", size=32)
    decoder = Decoder(7, encoder.channels, units=8, embedding=6, cell=cell, layers=2)
    model = Captioner(encoder, decoder, vocabulary, about={"note": "x"})
    path = tmp_path / "model.keras"
    model.save(path)
    wanted = model.generate(pictures, return_details=True)
    for implementation in ("custom", "keras"):
        other = load(path, implementation)
        assert other.decoder.implementation == implementation
        assert other.vocabulary == vocabulary
        assert other.about == {"note": "x"}
        found = other.generate(pictures, return_details=True)
        assert [each.text for each in found] == [each.text for each in wanted]
        np.testing.assert_allclose(
            [each.score for each in found], [each.score for each in wanted], atol=1e-5
        )


def test_half_precision_storage_is_half_the_size(tmp_path, tiny_captioner, pictures):
    tiny_captioner.save(tmp_path / "full.keras")
    tiny_captioner.save(tmp_path / "half.keras", storage="float16")
    full, half = (os.path.getsize(tmp_path / name) for name in ("full.keras", "half.keras"))
    assert half < 0.6 * full
    found = load(tmp_path / "half.keras").encode(np.stack([p[:32, :32] for p in pictures]))
    wanted = tiny_captioner.encode(np.stack([p[:32, :32] for p in pictures]))
    np.testing.assert_allclose(found, wanted, atol=0.02 * np.abs(wanted).max())


@pytest.mark.long
def test_keras_opens_the_file_in_safe_mode_in_a_new_process(tmp_path, real_captioner):
    real_captioner.save(tmp_path / "model.keras")
    program = (
        "import captioner.captioner, keras\n"
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r}, safe_mode=True)\n"
        "print(type(model).__name__, len(model.vocabulary))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["Captioner", "11"], done.stderr


def test_an_unreadable_picture_is_an_error_of_one_line(tiny_captioner, tmp_path):
    with pytest.raises(ImageError, match=r"nothing\.jpg: cannot be read"):
        tiny_captioner.generate(tmp_path / "nothing.jpg")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "magic"}, "method 'magic': no such method"),
        ({"beam_sise": 3}, "beam_sise: no such setting"),
        ({"method": "greedy", "temperature": 2.0}, "temperature 2.0: has no meaning"),
        ({"beam_size": 0}, "beam size 0"),
        ({"batch_size": 0}, "batch size 0"),
        ({"no_repeat_word": 1}, "no repeat word 1: must be true or false"),
    ],
)
def test_wrong_settings(tiny_captioner, pictures, settings, message):
    with pytest.raises(CaptionerError, match=message):
        tiny_captioner.generate(pictures, **settings)


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_words_are_repeated_as_people_do(tiny_captioner, pictures, method):
    search = {"method": method, "max_length": 12, "return_details": True}
    found = tiny_captioner.generate(pictures, no_repeat_word=True, **search)
    for each in found:
        others = [word for word in each.words if word not in ("a", "on")]
        assert len(set(others)) == len(others)
    freely = tiny_captioner.generate(pictures, no_repeat_word=False, **search)
    assert any(len(set(each.words)) < len(each.words) for each in freely)
    assert freely == tiny_captioner.generate(pictures, **search)


def test_a_model_that_does_not_know_what_people_repeat(tiny_captioner, pictures):
    words = tiny_captioner.vocabulary.words
    model = Captioner(tiny_captioner.encoder, tiny_captioner.decoder, Vocabulary(words))
    assert model.generate(pictures, no_repeat_word=False) == model.generate(pictures)
    with pytest.raises(CaptionerError, match="does not know which words people repeat"):
        model.generate(pictures, no_repeat_word=True)
    model.vocabulary.learn_repeatable(["a dog on a cat"] * 3)
    model.generation["no_repeat_word"] = True
    for each in model.generate(pictures, return_details=True, max_length=12):
        assert not any(each.words.count(word) > 1 for word in words[1:])


def test_stored_rules_must_be_such_as_a_search_can_have(tiny_captioner):
    parts = tiny_captioner.encoder, tiny_captioner.decoder, tiny_captioner.vocabulary
    with pytest.raises(CaptionerError, match="stored no repeat word 'yes': must be true or false"):
        Captioner(*parts, {"no_repeat_word": "yes"})


def test_files_that_are_no_captioner(tmp_path, tiny_captioner):
    (tmp_path / "text.keras").write_text("hello")
    keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "d.keras")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    tiny_captioner.save(tmp_path / "whole.keras")
    content = (tmp_path / "whole.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(content[: len(content) // 2])
    for name in ("text", "d", "zip", "cut"):
        with pytest.raises(CaptionerError, match=f"{name}.keras: ") as caught:
            load(tmp_path / f"{name}.keras")
        assert "\n" not in str(caught.value)
    with pytest.raises(CaptionerError, match=r"no such model; give a \.keras file"):
        load("nonsense")
    with pytest.raises(CaptionerError, match="is a folder"):
        load(tmp_path)


def test_a_sampled_caption_depends_on_its_picture_alone(tiny_captioner, pictures):
    first, second, *_ = pictures
    sampling = {"method": "sample", "temperature": 3.0, "seed": 5}

    def texts(images, batch_size):
        found = tiny_captioner.generate_all(images, batch_size, **sampling)
        return [each if isinstance(each, ImageError) else each[0].text for _, _, each in found]

    alone = [texts([each], 1)[0] for each in (first, second)]
    assert alone[0] != alone[1]
    assert texts([second, first], 8) == alone[::-1]
    mixed = texts([first, "gone.jpg", second, first], 2)
    assert [mixed[0], *mixed[2:]] == [*alone, alone[0]]
    others = {tiny_captioner.generate(first, **{**sampling, "seed": n}) for n in range(5)}
    assert len(others) > 1


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_details_tell_where_each_word_looked(attentive, pictures, method):
    captions = attentive.generate(pictures[:3], method=method, max_length=6, return_details=True)
    for caption in captions:
        assert caption.attention.shape == (len(caption.words), 2, 2)
        np.testing.assert_allclose(caption.attention.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_the_attention_told_is_that_of_the_steps(attentive, pictures):
    picture = pictures[0]
    beams = attentive.generate(
        picture, method="beam", beam_size=3, n_best=2, max_length=6, return_details=True
    )
    regions = attentive.encode(read_image(picture, (64, 64))[None])
    decoder = attentive.decoder
    for caption in beams:
        (values, keys), states = decoder.start(regions)
        last = START
        for word, told in zip(caption.words, caption.attention, strict=True):
            _, weights = decoder.recurrent[0].attention(states[0], values, keys)
            np.testing.assert_allclose(told.reshape(-1), weights[0], atol=1e-5)
            _, states = decoder.step(np.array([last]), [values, keys], states)
            last = attentive.vocabulary.encode(word)[0]


def test_no_details_no_attention(attentive, tiny_captioner, pictures):
    [(_, _, [caption, *_])] = attentive.generate_all(pictures[:1])
    assert caption.attention is None
    assert tiny_captioner.generate(pictures[0], return_details=True).attention is None


def test_a_saved_captioner_looks_the_same_under_either_implementation(
    attentive, pictures, tmp_path
):
    attentive.save(tmp_path / "model.keras")
    images = pictures[:2]
    wanted = attentive.generate(images, return_details=True)
    for implementation in ("custom", "keras"):
        found = load(tmp_path / "model.keras", implementation).generate(images, return_details=True)
        for one, other in zip(wanted, found, strict=True):
            assert one.text == other.text
            np.testing.assert_allclose(one.attention, other.attention, atol=1e-5)


def test_the_probability_of_a_caption_is_the_product_of_its_steps(attentive, pictures):
    """Of captions of different lengths, and of one that is cut and so has no end."""
    model = attentive
    captions = [["a dog runs", "grass"], ["", "a zebra on grass " * LONGEST]]
    image = model.encode(np.stack([read_image(each, (64, 64)) for each in pictures[:2]]))
    found = model.log_probabilities(image, captions)
    assert found.shape == (2, 2)
    for row, texts in enumerate(captions):
        for column, text in enumerate(texts):
            context, state = model.start(image[row : row + 1])
            words = [*model.vocabulary.encode(text), END][:LONGEST]
            last, total = START, 0.0
            for word in words:
                log_probs, state = model.step(np.array([last]), context, state)
                last, total = word, total + log_probs[0, word]
            assert found[row, column] == pytest.approx(total, rel=1e-4)


def test_wrong_parts_are_refused(tiny_captioner, tmp_path):
    with pytest.raises(CaptionerError, match="vocabulary of 5 words for a decoder of 11"):
        Captioner(tiny_captioner.encoder, tiny_captioner.decoder, Vocabulary(["a"]))
    with pytest.raises(CaptionerError, match=r"model\.h5: a model's file name ends in \.keras"):
        tiny_captioner.save(tmp_path / "model.h5")
    tiny_captioner.save(tmp_path / "model.keras")
    with pytest.raises(CaptionerError, match="exists already"):
        tiny_captioner.save(tmp_path / "model.keras", overwrite=False)
