import json
import random
import sys

import pytest

from captioner.errors import CaptionerError
from captioner.vocabulary import (
    END,
    NEVER,
    PAD,
    START,
    UNKNOWN,
    Vocabulary,
    detokenize,
    tokenize,
)

TEXTS = [  # text, its words, these as a text again
    ("Two dogs, one ball!", "two dogs one ball", "two dogs one ball"),
    ("A man 's dog does n't sit .", "a man's dog doesn't sit", "a man's dog doesn't sit"),
    ("he 'd say I 'm, they 're, we 've, it 'll", "he'd say i'm they're we've it'll", None),
    ("a bird 's-eye-view", "a bird's-eye-view", "a bird's-eye-view"),
    ("\"Mark ' Mom ' Finley\" in a 'd' outfit", "mark mom finley in a d outfit", None),
    ("n't rock 'n' roll, the boys' bikes", "n't rock n roll the boys bikes", None),
    ("at 10:30 on the 1,000 m track.4 men", "at 10:30 on the 1,000 m track 4 men", None),
    ("black/white t\u2010shirt - a snake_case", "black white t-shirt a snake case", None),
    ("L’homme à côté d'un café", "l'homme à côté d'un café", None),
    ("cafe\u0301 co\u00adoperate two\u200bwords", "café cooperate two words", None),
    ("La Col·legiala corre", "la col·legiala corre", None),
    ("Ein großer Bär", "ein großer bär", None),
    ("Çocuk İstanbul'da", "çocuk i̇stanbul'da", None),
    ("ΔΥΟ ΣΚΥΛΟΣ", "δυο σκυλος", None),
    ("Хлопчик грає з м’ячем", "хлопчик грає з м'ячем", None),
    ("Một người đàn ông", "một người đàn ông", None),
    ("كلبٌ يجري، في الحديقة", "كلبٌ يجري في الحديقة", None),
    ("سگ می\u200cدود", "سگ می\u200cدود", None),
    ("שני כלבים רצים.", "שני כלבים רצים", None),
    ("एक कुत्ता दौड़ रहा है।", "एक कुत्ता दौड़ रहा है", None),
    ("ஒரு நாய் ஓடுகிறது", "ஒரு நாய் ஓடுகிறது", None),
    ("두 마리의 개가 달린다.", "두 마리의 개가 달린다", None),
    ("一只狗在草地上跑。", "一 只 狗 在 草 地 上 跑", "一只狗在草地上跑"),
    ("穿T恤的3个人", "穿 t 恤 的 3 个 人", "穿t恤的3个人"),
    ("犬がボールで遊ぶ。", "犬 が ボ ー ル で 遊 ぶ", "犬がボールで遊ぶ"),
    ("か\u3099っこう", "が っ こ う", "がっこう"),
    ("สุนัขวิ่ง", "สุ นั ข วิ่ ง", "สุนัขวิ่ง"),
    ("หมา กิน น้ำ", "ห ม า กิ น น้ ำ", "หมากินน้ำ"),
    ("🐶 <end> ... ¡hola! ¿qué?", "end hola qué", None),
    ("  \n\t", "", ""),
]


@pytest.mark.parametrize(("text", "words", "again"), TEXTS)
def test_words_of_many_languages(text, words, again):
    assert tokenize(text) == words.split()
    assert detokenize(tokenize(text)) == (words if again is None else again)


@pytest.mark.long
def test_what_was_decoded_has_the_same_words():
    rng = random.Random(0)
    characters = [chr(n) for n in range(sys.maxunicode + 1)]
    pieces = [
        *"ab sn3't’-.,:·_Σİ狗がก ंि\u0301\u00ad\u200b\u200d\u3099\u0e31\u1100\u1161",
        " 's ",
        " n't",
    ]
    texts = ["".join(rng.choices(pieces, k=8)) for _ in range(20_000)]
    texts += ["".join(rng.choices(characters[: 0x3100 + n * 50], k=8)) for n in range(5_000)]
    texts += [text for text, *_ in TEXTS]
    for text in texts:
        words = tokenize(text)
        assert tokenize(detokenize(words)) == words, ascii(text)


def test_special_ids():
    assert (PAD, START, END, UNKNOWN) == (0, 1, 2, 3)


def test_ids_and_words():
    vocabulary = Vocabulary(["a", "dog", "狗"])
    assert len(vocabulary) == 7
    assert vocabulary.words == ["a", "dog", "狗"]
    assert vocabulary.encode("A cat, a DOG!") == [4, UNKNOWN, 4, 5]
    assert [vocabulary.word(n) for n in (0, 1, 2, 3, 5)] == [
        "<pad>", "<start>", "<end>", "<unknown>", "dog"
    ]  # fmt: skip
    assert (vocabulary.id("dog"), vocabulary.id("cat")) == (5, UNKNOWN)
    assert "dog" in vocabulary
    assert "cat" not in vocabulary


def test_decode_stops_at_end_and_skips_start_and_padding():
    vocabulary = Vocabulary(["a", "dog"])
    assert vocabulary.decode([START, 4, PAD, 5, END, 4]) == "a dog"
    assert vocabulary.decode([4, UNKNOWN]) == "a <unknown>"
    assert vocabulary.decode([]) == vocabulary.decode([END, 5]) == ""


def test_no_text_reaches_the_special_words():
    vocabulary = Vocabulary(["end", "pad"])
    assert vocabulary.encode("<end> <pad>") == [4, 5]


def test_build_orders_by_count_then_alphabet():
    captions = ["ü d e", "b b b c", "A c! a, d", "ü"]
    assert Vocabulary.build(captions, min_count=1).words == ["b", "a", "c", "d", "ü", "e"]
    assert Vocabulary.build(captions, min_count=2).words == ["b", "a", "c", "d", "ü"]
    assert Vocabulary.build(iter(captions), min_count=3).words == ["b"]
    assert Vocabulary.build(["x x x x y"] + ["x y"] * 4).words == ["x", "y"]


def test_config_survives_json():
    vocabulary = Vocabulary(["été", "一", "man's"])
    config = json.loads(json.dumps(vocabulary.to_config()))
    assert Vocabulary.from_config(config) == vocabulary
    assert vocabulary != Vocabulary(["一", "été", "man's"])


CAPTIONS = [
    "a sink and a tap", "a man side by side with a man", "a sink beside a tap",
    "side by side", "side by side", "a train on a train track",
]  # fmt: skip


def test_which_words_people_repeat_and_how_soon():
    expected = {"side": 2, "a": 3}  # man and train in one caption each
    for captions in (CAPTIONS, iter(CAPTIONS)):
        assert Vocabulary.build(captions, min_count=1).repeatable == expected
    many = ["a dog and a dog"] * 3 + ["a dog"] * 97
    assert Vocabulary.build(many).repeatable == {"a": 3, "dog": 3}
    many = ["a dog and a dog"] * 3 + ["a dog"] * 98  # 3 of 101 are less than 3 percent
    assert Vocabulary.build(many).repeatable == {}


def test_a_few_slips_do_not_make_the_least_distance():
    captions = ["white and white"] * 2 + ["a white dog in white snow"] * 40
    assert Vocabulary.build(captions, min_count=1).repeatable == {"white": 3}
    assert Vocabulary.build([*captions, "white and white"]).repeatable == {"white": 2}


def test_words_of_any_script_and_direction_are_repeatable():
    captions = ["一只狗和一只猫"] * 5
    expected = {"一": 4, "只": 4}
    assert Vocabulary.build(captions).repeatable == expected
    assert Vocabulary.build(captions, direction="backward").repeatable == expected


def test_a_vocabulary_learns_later_which_words_are_repeatable():
    vocabulary = Vocabulary(["a", "side", "tap", "of"], repeatable={"of": 2, "tap": 1})
    vocabulary.learn_repeatable(iter(CAPTIONS))
    assert vocabulary.repeatable == {"of": 2, "side": 2, "a": 3}  # of "of" nothing was learned
    distances = vocabulary.least_distances()
    assert distances == [NEVER] * 4 + [3, 2, NEVER, 2]
    with pytest.raises(CaptionerError, match="does not know which words people repeat"):
        Vocabulary(["a"]).least_distances()


def test_an_extended_vocabulary_goes_by_the_newer_captions():
    old, new = Vocabulary(["a", "of", "b"], repeatable={"a": 3, "of": 4}), Vocabulary(["a", "c"])
    assert old.extended(new).words == ["a", "of", "b", "c"]
    assert old.extended(new).repeatable == {"of": 4}
    new.repeatable = {"c": 2}
    assert old.extended(new).repeatable == {"of": 4, "c": 2}
    assert Vocabulary(["a"]).extended(new).repeatable == {"c": 2}
    assert Vocabulary(["a"]).extended(Vocabulary(["b"])).repeatable is None


def test_what_is_repeatable_is_stored_and_makes_no_other_vocabulary():
    vocabulary = Vocabulary(["a", "été"], repeatable={"été": 5})
    again = Vocabulary.from_config(json.loads(json.dumps(vocabulary.to_config())))
    assert again.repeatable == {"été": 5}
    assert again == vocabulary == Vocabulary(["a", "été"])
    assert "repeatable" not in Vocabulary(["a"]).to_config()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Vocabulary(["a"], repeatable={"b": 2}), "repeatable 'b' is not one of its words"),
        (lambda: Vocabulary(["a"], repeatable={"a": 0}), "distance 0 of repeatable 'a': must be"),
        (
            lambda: Vocabulary(["a"], repeatable={"a": "2"}),
            "distance '2' of repeatable 'a': must be",
        ),
        (
            lambda: Vocabulary.from_config({"words": ["a"], "repeatable": ["a", 2]}),
            "expected pairs of a repeatable word and an int",
        ),
        (
            lambda: Vocabulary.from_config({"words": ["a"], "repeatable": 5}),
            "expected pairs of a repeatable word and an int",
        ),
        (lambda: Vocabulary([]), "the vocabulary has no words"),
        (lambda: Vocabulary(["a", "b", "a"]), "vocabulary, word 2: 'a' is there twice"),
        (lambda: Vocabulary(["<end>"]), "vocabulary, word 0: '<end>' is there twice"),
        (lambda: Vocabulary(["a", 3]), "vocabulary, word 1: expected a word in one line, got 3"),
        (lambda: Vocabulary(["a", ""]), "vocabulary, word 1: expected a word in one line, got ''"),
        (lambda: Vocabulary.from_config(["a"]), "vocabulary: expected an object with a list of w"),
        (
            lambda: Vocabulary.build(["a b", "a"], 3),
            "none of the 2 words .* is seen 3 times; lower",
        ),
        (lambda: Vocabulary.build([]), "none of the 0 words"),
    ],
)
def test_errors(make, message):
    with pytest.raises(CaptionerError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
