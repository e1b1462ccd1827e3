"""Captions in scripts without spaces are scored by characters, all others as in coco-caption."""

import pytest

from captioner import metrics
from captioner.errors import CaptionerError
from captioner.metrics import choose_tokenization, score, score_each, tokens_of
from captioner.metrics.ptb_tokenizer import tokenize_lines
from tests.metrics.make_golden import load_captions

SPACELESS = {  # the same of each picture in two ways, and a caption beside both
    "Chinese": (["一只狗在草地上跑", "一只猫在床上睡觉"], ["一只狗在跑", "一只猫在睡觉"]),
    "Chinese with spaces": (["一只 狗 在 草地 上", "一只 猫 在 床 上"], ["一只狗在跑", "一只猫"]),
    "Chinese with Latin": (["男人穿着T恤玩iPhone 15", "女人在吃pizza。"], ["男人玩iPhone", "女人"]),
    "Japanese": (["犬が草の上を走っている。", "ベッドで猫が寝ている"], ["犬が走る", "猫が寝る"]),
    "Thai": (["สุนัขวิ่งบนหญ้า", "แมวนอนบนเตียง"], ["สุนัขวิ่ง", "แมวนอน"]),
    "Lao": (["ໝາແລ່ນຢູ່ເທິງຫຍ້າ", "ແມວນອນຢູ່ເທິງຕຽງ"], ["ໝາແລ່ນ", "ແມວນອນ"]),
    "Khmer": (["ឆ្កែរត់លើស្មៅ", "ឆ្មាដេកលើគ្រែ"], ["ឆ្កែរត់", "ឆ្មាដេក"]),
    "Burmese": (["ခွေးတစ်ကောင် မြက်ပေါ်မှာပြေးနေသည်", "ကြောင်တစ်ကောင်အိပ်နေသည်"],
                ["ခွေးပြေးနေသည်", "ကြောင်အိပ်နေသည်"]),
    "one of two languages": (["一只狗在草地上跑", "a cat on a bed"], ["一只狗在跑", "a cat"]),
}  # fmt: skip
OTHERS = [
    "a dog runs", "ein Hund läuft über die Wiese", "собака бежит по траве", "كلب يركض على العشب",
    "कुत्ता घास पर दौड़ रहा है", "개가 풀밭 위를 달린다", "một con chó đang chạy", "ο σκύλος τρέχει",
    "כלב רץ על הדשא", "a sign that says 東京 in front of a large red building with windows", "",
]  # fmt: skip


def pairs_of(name):
    references, captions = SPACELESS[name]
    return {n: [text] for n, text in enumerate(references)}, dict(enumerate(captions))


@pytest.mark.parametrize("name", SPACELESS)
def test_what_is_written_without_spaces_is_scored_by_characters(name):
    references, captions = pairs_of(name)
    assert choose_tokenization(SPACELESS[name][0]) == "characters"
    scores = score(references, captions)
    assert 0 < scores["CIDEr"] < 10
    assert 0 < scores["BLEU-1"] < 1
    assert 0 < scores["ROUGE-L"] < 1
    perfect = score(references, {n: texts[0] for n, texts in references.items()})
    assert perfect["BLEU-4"] == pytest.approx(1.0)
    assert score(references, captions, tokenization="characters") == scores
    each = score_each(references, captions)
    mean = sum(values["CIDEr"] for values in each.values()) / len(each)
    assert mean == pytest.approx(scores["CIDEr"])


def test_by_hand():
    """Of 狗在跑 and 狗在睡 two characters of three are the same, and one pair of two."""
    scores = score({1: ["狗在跑。"]}, {1: "狗在睡"}, ["bleu"])
    assert scores["BLEU-1"] == pytest.approx(2 / 3)
    assert scores["BLEU-2"] == pytest.approx((2 / 3 * 1 / 2) ** 0.5)


@pytest.mark.parametrize("text", OTHERS)
def test_other_scripts_are_cut_as_before(text):
    assert choose_tokenization([text]) == "ptb"
    assert tokens_of([text], "ptb") == tokenize_lines([text])


def test_a_few_characters_in_captions_of_words_change_nothing():
    references = {n: [f"a sign in street {n}", "a long street with many signs"] for n in range(9)}
    references[9] = ["a sign that says 東京駅", "a sign"]
    captions = dict.fromkeys(references, "a sign that says 東京")
    assert score(references, captions) == score(references, captions, tokenization="ptb")


def test_coco_captions_are_not_cut_into_characters():
    references, _, _ = load_captions()
    assert choose_tokenization(text for texts in references.values() for text in texts) == "ptb"


def test_a_mark_stays_on_its_character():
    assert tokens_of(["ผู้ชาย"], "characters") == [["ผู้", "ช", "า", "ย"]]
    decomposed = "か\u3099"  # ga, in two code points
    assert tokens_of([decomposed], "characters") == tokens_of(["が"], "characters") == [["が"]]


def test_either_can_be_chosen():
    references, captions = {1: ["一只 狗"], 2: ["一只 猫"]}, {1: "一只 猫", 2: "一只 狗"}
    by_words = score(references, captions, ["bleu"], tokenization="ptb")
    assert by_words["BLEU-1"] == pytest.approx(1 / 2)
    by_characters = score(references, captions, ["bleu"], tokenization="characters")
    assert by_characters["BLEU-1"] == pytest.approx(2 / 3)
    with pytest.raises(CaptionerError, match="tokenization 'words': choose one of auto, ptb, cha"):
        score(references, captions, tokenization="words")


def test_spice_reads_english_only():
    references, captions = pairs_of("Chinese")
    assert score(references, captions, ["spice"]) == {"SPICE": "n/a (English only)"}


def test_people_and_variety_are_measured_by_characters_too():
    references = {1: ["一只狗在跑", "一只狗跑"], 2: ["一只猫在睡", "一只猫睡"]}
    assert metrics.agreement(references)["CIDEr"] > 1
    found = metrics.diversity(["一只狗", "一只狗。", "猫"], ["一只狗", "两只狗"])
    assert found == {"distinct": 2 / 3, "copied": 2 / 3, "words": 4, "length": 7 / 3}
