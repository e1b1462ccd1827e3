import pytest
from nltk.translate.bleu_score import corpus_bleu

from captioner.metrics.bleu import bleu
from captioner.metrics.ptb_tokenizer import tokenize_ptb
from tests.metrics.make_golden import load_captions

words = str.split

WEIGHTS = [(1,), (1 / 2, 1 / 2), (1 / 3, 1 / 3, 1 / 3), (1 / 4, 1 / 4, 1 / 4, 1 / 4)]


def test_equals_corpus_bleu_of_nltk_where_every_caption_has_four_words():
    references, captions, _ = load_captions()
    references = {n: [tokenize_ptb(text) for text in texts] for n, texts in references.items()}
    captions = {n: tokenize_ptb(text) for n, text in captions.items()}
    long = [n for n, tokens in captions.items() if len(tokens) >= 4]
    assert len(long) > 30

    references, captions = [references[n] for n in long], [captions[n] for n in long]

    assert bleu(references, captions) == pytest.approx(
        corpus_bleu(references, captions, WEIGHTS), abs=1e-9
    )


def test_by_hand():
    # Papineni's example of clipping: "the" is in a reference twice at most, so 2 of 7.
    references = [[words("the cat is on the mat"), words("there is a cat on the mat")]]

    assert bleu(references, [words("the the the the the the the")])[0] == pytest.approx(2 / 7)


def test_short_captions_are_penalized_by_the_closest_reference():
    references = [[words("a b c d e f"), words("a b c d e f g h i j")]]

    # all n-grams match; exp(1 - 6 / 5)
    assert bleu(references, [words("a b c d e")]) == pytest.approx([0.818731] * 4, abs=1e-6)


def test_a_caption_below_n_words_adds_no_n_gram():
    references = [[words("a b c d e")], [words("f g")]]

    # the second caption has no 4-gram: 2 of 2 match, not 2 of 3 as in nltk
    assert bleu(references, [words("a b c d e"), words("f g")])[3] == pytest.approx(1.0)


def test_no_common_4_gram_is_nearly_but_not_quite_0():
    score = bleu([[words("a b c d e")]], [words("a b c e d")])[3]

    # (5/5 * 2/4 * 1/3 * 1e-15/2) ** (1/4)
    assert score == pytest.approx(9.5544e-5, rel=1e-4)


def test_empty_captions_score_0():
    assert bleu([[words("a b")]], [[]]) == [0.0] * 4
    assert bleu([[[]]], [[]]) == [0.0] * 4
