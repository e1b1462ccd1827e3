"""Faults that scores forgive and readers do not: "a sink and a sink". English only.

Nothing is parsed: nouns and verbs are told apart by short lists and by their endings, so some
faults are missed, and some sensible captions counted. The share of people's captions that are
counted tells how far to trust a share.
"""

from itertools import pairwise

from captioner.vocabulary import tokenize


def _listed(text):
    return frozenset(text.split())


_ARTICLES = _listed("a an the some")
# Words that announce another of the same kind: "one dog chases another dog".
_TELLING_APART = _listed(
    "another other others one each second third first two three four different same own both more "
    "several many its his her their"
)
# Words without content, which separate noun phrases.
_FUNCTION_WORDS = _ARTICLES | _TELLING_APART | _listed(
    "of in on at by to with and or for from into onto over under above below behind beside besides "
    "between near next up down out off about around through along across against inside outside "
    "while as that who which where when there it he she they them him this these those all any no "
    "not is are was were be been being has have had having does do can could will would may but so "
    "if than then after before during without within toward towards upon like top front back side "
    "sides together away very just also only i you we what"
)  # fmt: skip
_VERBS = _listed(
    "sits stands lies lays walks runs plays jumps holds rides eats looks watches wears swims flies "
    "stops waits shows makes takes gets goes comes poses smiles leans catches throws kicks hits "
    "swings pulls pushes carries leaps climbs crosses drives hangs rests sleeps talks reads uses "
    "touches licks chases bites performs prepares reaches falls moves rolls skates slides surfs "
    "dances sings works tries gives puts sets stares points faces contains features appears seems "
    "says grazes drinks races splashes dives cuts serves travels hugs kisses fights wrestles "
    "tackles plows floats passes follows gathers stretches digs laughs peers gazes sat stood lay "
    "ran held seated parked covered filled stand sit walk run play ride jump look eat hold watch "
    "wear pose gather wait swim talk graze"
)
_NOUNS_IN_ING = _listed(
    "building ceiling clothing crossing king painting railing ring string thing wedding wing"
)
_COLOURS = _listed(
    "white black red blue green yellow brown orange pink purple gray grey tan gold silver"
)
_SINGULAR_IN_S = _listed(
    "always perhaps yes s jeans pants shorts trousers glasses sunglasses goggles scissors stairs "
    "overalls tights pajamas headphones outdoors indoors upwards downwards backwards sometimes"
)
_SEVERAL = _listed(
    "and two three four five six seven eight nine ten twelve dozen hundred group couple pair trio "
    "duo several many some both few various multiple crowd team bunch herd flock pack family row "
    "line collection number lot set pile stack all they their them we people men women children "
    "sheep deer cattle fish geese mice oxen elk bison police another other different crew gang "
    "class band army audience"
)
LEAST_ENGLISH = 0.15  # share of _FUNCTION_WORDS; other languages share some of their spellings
LONGEST_PHRASE = 3  # words on each side of an "and" that are compared
_QUANTITIES = _listed("lots rows tons piles stacks layers loads miles")  # "rows and rows of books"
_NO_NOUNS = _FUNCTION_WORDS | _COLOURS | _QUANTITIES


def caption_faults(captions):
    """How often captions have faults that no comparison with references shows.

    Args:
        captions: iterable of str, in English.

    Returns:
        dict from the name of a fault to the share of captions that have it, 0 where there are no
        captions: `"X and X"`, a thing joined with itself; `"each other"`, said of one thing alone;
        `"said twice"`, a thing named twice where the second tells nothing new.

    Example:
    >>> caption_faults(["a sink and a sink", "a cow next to each other", "a dog", "a red bus"])
    {'X and X': 0.25, 'each other': 0.25, 'said twice': 0.25}
    """
    found = [faults_of(caption) for caption in captions]
    number = max(1, len(found))
    return {name: sum(name in each for each in found) / number for name in _DETECTORS}


def seem_english(captions):
    """Whether captions have as many of the words without content as English ones.

    Args:
        captions: iterable of str.

    Example:
    >>> seem_english(["a dog on the grass"]), seem_english(["un perro corre a casa con su pelota"])
    (True, False)
    """
    words = [word for caption in captions for word in tokenize(caption)]
    return sum(word in _FUNCTION_WORDS for word in words) >= LEAST_ENGLISH * len(words)


def faults_of(caption):
    """The names of a caption's faults, a list, see `caption_faults`."""
    words = tokenize(caption)
    return [name for name, is_there in _DETECTORS.items() if is_there(words)]


def _joins_a_thing_with_itself(words):
    return any(_is_joined_with_itself(words, n) for n, word in enumerate(words) if word == "and")


def _is_joined_with_itself(words, place):
    start = place + 1
    while start < len(words) and words[start] in _ARTICLES:
        start += 1
    for length in range(1, min(place, LONGEST_PHRASE) + 1):
        phrase = words[place - length : place]
        if _FUNCTION_WORDS & set(phrase) or phrase[0] in _QUANTITIES:
            return False
        if words[start : start + length] == phrase:
            return phrase[-1] in _COLOURS or _is_head(words, start + length - 1)
    return False


def _reciprocates_alone(words):
    for place, pair in enumerate(pairwise(words)):
        if pair in (("each", "other"), ("one", "another")):
            return place > 0 and not any(map(_is_several, words[:place]))
    return False


def _is_several(word):
    if word in _SEVERAL or (word.isdigit() and word != "1"):
        return True
    if word.endswith(("ss", "us", "is", "'s")) or word in _SINGULAR_IN_S | _FUNCTION_WORDS | _VERBS:
        return False
    return word.endswith("s")


def _names_a_thing_twice(words):
    heads = {}
    for place, word in enumerate(words):
        if word in _NO_NOUNS or _is_verb(word):
            continue
        if place and words[place - 1] == word:
            return True
        if _is_head(words, place):
            if word in heads and not _is_told_apart(words, heads[word], place):
                return True
            heads[word] = place
    return False


def _is_head(words, place):
    """Whether a noun there ends its phrase: "train" does not in "train tracks"."""
    following = words[place + 1] if place + 1 < len(words) else "and"
    return following in _FUNCTION_WORDS or _is_verb(following)


def _is_verb(word):
    return word in _VERBS or (word.endswith("ing") and word not in _NOUNS_IN_ING)


def _is_told_apart(words, first, second):
    """Whether a noun said again clearly means another thing, or clearly refers to the first."""
    (announced, own), (announced_again, own_again) = (
        _phrase(words, place) for place in (first, second)
    )
    following = words[first + 1], words[second + 1 : second + 2]
    return (
        announced in ("one", "another")
        or announced_again in _TELLING_APART
        or bool(own_again and own_again != own)  # "a brown dog and a black dog"
        or (announced_again == "the" and announced != "the")
        or words[first + 1 : second] in (["by"], ["to"], ["in"], ["after"])  # "side by side"
        or (following[1] == [following[0]] and following[0] != "and")  # "a man in .. a man in .."
    )


def _phrase(words, place):
    """What stands before a noun: the word that announces its phrase, and the phrase's words."""
    start = place
    while start and words[start - 1] not in _FUNCTION_WORDS:
        start -= 1
    return words[start - 1] if start else "", words[start:place]


_DETECTORS = {
    "X and X": _joins_a_thing_with_itself,
    "each other": _reciprocates_alone,
    "said twice": _names_a_thing_twice,
}
