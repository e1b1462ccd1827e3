"""Caption text <-> words <-> word ids, for any language, without a dependency."""

import functools
import re
import unicodedata
from collections import Counter
from itertools import accumulate

from captioner.errors import CaptionerError

PAD, START, END, UNKNOWN = range(4)
SPECIAL_WORDS = ("<pad>", "<start>", "<end>", "<unknown>")

_APOSTROPHES = "'’‘ʼ＇"
_HYPHENS = "-\u2010\u2011"  # hyphen-minus, hyphen, non-breaking hyphen
_INNER = ".,:·"  # kept inside numbers, and in the Catalan l·l
_JOINERS = "\u200c\u200d"  # zero width, but they change letters in Persian and Indic scripts
_ZERO_WIDTH_SPACE = "\u200b"


REPEATED_SHARE = 0.03  # share of the captions with a word that repeat it: then a search may, too
REPEATED_LEAST = 3  # captions that repeat it; fewer may be slips
NEVER = 2**31 - 1  # the distance of a word that is not repeatable


class _Characters(dict):
    """What each character becomes, by code point; each is worked out once."""

    def __missing__(self, code):
        self[code] = kept = self._kept(chr(code))
        return kept

    @staticmethod
    def _kept(character):
        if character in _APOSTROPHES:
            return "'"
        if character in _HYPHENS:
            return "-"
        if character.isalnum() or character in _INNER + _JOINERS:
            return character
        category = unicodedata.category(character)
        if category.startswith("M"):  # combining marks: accents, Indic and Thai vowels
            return character
        if category == "Cf" and character != _ZERO_WIDTH_SPACE:  # soft hyphens, text direction
            return ""
        return " "


_CHARACTERS = _Characters()

# Scripts written without spaces: Thai, Lao, Burmese, Khmer, Japanese and Chinese.
_SPACELESS = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# Once the characters are translated, what is neither \w nor punctuation is a mark or a joiner.
_MARK = r"[^\w '·.,:\-]"
_PART = rf"[^\W{_SPACELESS}][^ '·.,:\-{_SPACELESS}]*"
_WORD = rf"(?=\w)[{_SPACELESS}]{_MARK}*|{_PART}(?:(?:['·\-]|(?<=\d)[.,:](?=\d)){_PART})*"
# No tokenizer returns these; in a file from a stranger they could control a terminal.
_SEPARATES = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]").search
_ENDING_APART = re.compile(r"(?<=[^ '·.,:\-]) +(?='(?:s|m|d|ll|re|ve)(?:[ ·.,:\-]|$))")


def tokenize(text):
    """The words of a text: lower case, without punctuation.

    Apostrophes, hyphens and the points of numbers stay inside a word (`man's`, `t-shirt`, `10:30`).
    English endings written apart, as in Flickr8k's `man 's` and `do n't`, are joined to their word.
    In scripts written without spaces each character, with its combining marks, is a word.

    Args:
        text: str. In any language and Unicode form.

    Returns:
        list of str, in Unicode form NFC.

    Example:
    >>> tokenize("A man 's T-shirt , in the rain.")
    ['a', "man's", 't-shirt', 'in', 'the', 'rain']
    """
    # NFC comes last: taking a character away can bring a letter and its accent together.
    text = unicodedata.normalize("NFC", text.lower().translate(_CHARACTERS))
    if "'" not in text:
        return _compiled(_WORD).findall(text)
    return _join_negations(_compiled(_WORD).findall(_ENDING_APART.sub("", text)))


def count_spaceless(text):
    """How many words of a text are characters of a script written without spaces, see `tokenize`.

    Example:
    >>> count_spaceless("一只 dog"), count_spaceless("a dog")
    (2, 0)
    """
    if text.isascii() or not _compiled(f"[{_SPACELESS}]").search(text):
        return 0
    return sum(map(_is_spaceless, tokenize(text)))


def _is_spaceless(word):
    """Whether a word begins with a character of a script written without spaces."""
    return not word.isascii() and _compiled(f"[{_SPACELESS}]").match(word) is not None


@functools.cache
def _compiled(pattern):
    """A pattern with thousands of characters: compiling it would slow down every start."""
    return re.compile(pattern)


def _join_negations(words):
    if "n't" not in words:
        return words
    joined = []
    for word in words:
        if word == "n't" and joined and not _is_spaceless(joined[-1]):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def detokenize(words):
    """The text of some words; `tokenize` gives the same words back.

    Args:
        words: iterable of str.

    Returns:
        str. One space between words, none beside characters of a script written without spaces.

    Example:
    >>> detokenize(["a", "man's", "dog"]), detokenize(["一", "只", "狗"])
    ("a man's dog", '一只狗')
    """
    text, needs_space = "", False
    for word in words:
        is_spaceless = _is_spaceless(word)
        text += " " + word if needs_space and not is_spaceless else word
        needs_space = not is_spaceless
    return text


DIRECTIONS = ("forward", "backward")


class Vocabulary:
    """The words a captioner knows, numbered: 0 padding, 1 start, 2 end, 3 unknown, then the words.

    Args:
        words: iterable of str. The ordinary words; the first has id 4.
        direction: `"forward"`, or `"backward"` for captions read and written from their last word
            to their first. Defaults to `"forward"`.
        repeatable: dict from word to int, or None. The words that people repeat in a caption, each
            with the least distance in words at which they do, 1 for at once. Defaults to `None`,
            not known, as in older files.

    Attributes:
        words: list of str. The ordinary words.
        repeatable: dict from word to int, or None.

    Raises:
        CaptionerError: There are no words, or one is there twice, is empty or is not a string; a
            repeatable word is not among them, or its distance is not an int above 0.

    Example:
    >>> vocabulary = Vocabulary(["a", "dog", "runs"])
    >>> vocabulary.encode("A dog barks.")
    [4, 5, 3]
    >>> vocabulary.decode([1, 4, 5, 6, 2, 0])
    'a dog runs'
    """

    def __init__(self, words, direction="forward", repeatable=None):
        if direction not in DIRECTIONS:
            raise CaptionerError(f"direction {direction!r}: choose {' or '.join(DIRECTIONS)}")
        self.words = list(words)
        self.direction = direction
        if not self.words:
            raise CaptionerError("the vocabulary has no words")
        self._ids = {word: number for number, word in enumerate(SPECIAL_WORDS)}
        for number, word in enumerate(self.words):
            if not isinstance(word, str) or not word or _SEPARATES(word):
                raise CaptionerError(
                    f"vocabulary, word {number}: expected a word in one line, got {word!r:.80}"
                )
            if word in self._ids:
                raise CaptionerError(f"vocabulary, word {number}: {word!r} is there twice")
            self._ids[word] = len(self._ids)
        self._texts = list(self._ids)
        self.repeatable = repeatable
        for word, distance in (repeatable or {}).items():
            if word not in self._ids or word in SPECIAL_WORDS:
                raise CaptionerError(f"vocabulary: repeatable {word!r:.80} is not one of its words")
            if type(distance) is not int or not 0 < distance < NEVER:
                raise CaptionerError(
                    f"vocabulary: distance {distance!r:.80} of repeatable {word!r:.80}: must be an "
                    f"int above 0 and below {NEVER}"
                )

    @classmethod
    def build(cls, captions, min_count=5, direction="forward"):
        """The vocabulary of some captions: most frequent word first, ties in alphabetical order.

        It knows which words are repeatable, see `learn_repeatable`.

        Args:
            captions: iterable of str. Those of the training split only.
            min_count: int. Words seen less often are left out. Defaults to `5`.
            direction: str. See the class.

        Raises:
            CaptionerError: No word is seen often enough.
        """
        found = _Counts(captions)
        counts, repeatable = found.words, found.repeatable()
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        words = [word for word in ranked if counts[word] >= min_count]
        if not words:
            raise CaptionerError(
                f"none of the {len(counts)} words of the captions is seen {min_count} times; "
                "lower the least count (--min-count) or give more captions"
            )
        return cls(
            words, direction, {word: repeatable[word] for word in words if word in repeatable}
        )

    def learn_repeatable(self, captions):
        """Learns from captions which words people repeat in a caption, and how soon.

        In any language these are function words, such as "a" and "of", and words that are used in
        pairs, such as "side" (by side) or "train" (and its train tracks). A word is repeatable if
        at least 3 percent of the captions that have it, and at least 3, repeat it. Its distance is
        the least at which 3 percent of those captions, and at least 3, have repeated it: fewer may
        be slips. Of words that no caption has, what was known is kept. `build` does all this; a
        model that was trained before there was this rule can be taught it.

        Args:
            captions: iterable of str. Those of the training split only.

        Example:
        >>> vocabulary = Vocabulary(["a", "dog", "sees", "cat"])
        >>> vocabulary.learn_repeatable(["a dog sees a cat"] * 3)
        >>> vocabulary.repeatable
        {'a': 3}
        """
        found = _Counts(captions)
        known, learned = self.repeatable or {}, found.repeatable()
        kept = {word: known[word] for word in known if word not in found.captions}
        self.repeatable = kept | {word: learned[word] for word in self.words if word in learned}

    def extended(self, other):
        """A vocabulary of these words and, after them, those of another that are missing here.

        Which words are repeatable is taken from the other where it knows a word.

        Args:
            other: Vocabulary.
        """
        words = [*self.words, *(word for word in other.words if word not in self)]
        if self.repeatable is None and other.repeatable is None:
            return Vocabulary(words, self.direction)
        known = self.repeatable or {}
        kept = {word: known[word] for word in known if word not in other}
        return Vocabulary(words, self.direction, kept | (other.repeatable or {}))

    def least_distances(self):
        """The distance from which each id may be repeated, `NEVER` where it may not: a list of int.

        Raises:
            CaptionerError: It is not known which words are repeatable.
        """
        if self.repeatable is None:
            raise CaptionerError(
                "no_repeat_word: this model was trained before there was such a rule, and does not "
                "know which words people repeat; leave it out, or train the model again"
            )
        return [self.repeatable.get(text, NEVER) for text in self._texts]

    def encode(self, text):
        """The ids of a text's words, without start and end; of an unknown word 3."""
        return [self._ids.get(word, UNKNOWN) for word in self.tokens(text)]

    def tokens(self, text):
        """The words of a text, in the order in which they are read."""
        words = tokenize(text)
        return words if self.direction == "forward" else words[::-1]

    def decode(self, ids):
        """The text of some ids: up to the first end, padding and start left out."""
        words = []
        for each in ids:
            if each == END:
                break
            if each not in (PAD, START):
                words.append(self._texts[each])
        return detokenize(words if self.direction == "forward" else words[::-1])

    def word(self, id):
        """The word with that id, `"<end>"` and so on for the special ones."""
        return self._texts[id]

    def id(self, word):
        """The id of a word; of an unknown one 3."""
        return self._ids.get(word, UNKNOWN)

    def __contains__(self, word):
        return word in self._ids

    def __len__(self):
        return len(self._texts)

    def __eq__(self, other):
        """Whether the ids mean the same words."""
        mine = self.words, self.direction
        return isinstance(other, Vocabulary) and mine == (other.words, other.direction)

    def __repr__(self):
        return f"Vocabulary({len(self)} words)"

    def to_config(self):
        """A dict that JSON can hold, for `from_config`."""
        config = {"words": list(self.words), "direction": self.direction}
        if self.repeatable is not None:
            # Pairs: a word as a key could be one of those by which Keras knows an object.
            config["repeatable"] = [[word, least] for word, least in self.repeatable.items()]
        return config

    @classmethod
    def from_config(cls, config):
        """The vocabulary of a `to_config`."""
        if not isinstance(config, dict) or not isinstance(config.get("words"), list):
            raise CaptionerError("vocabulary: expected an object with a list of words")
        repeatable = config.get("repeatable")
        if repeatable is not None:
            repeatable = _dict_of_pairs(repeatable)
        return cls(config["words"], config.get("direction", "forward"), repeatable)


def _dict_of_pairs(pairs):
    try:
        return dict(pairs)
    except (TypeError, ValueError) as error:
        raise CaptionerError(
            "vocabulary: expected pairs of a repeatable word and an int"
        ) from error


def best_informed(vocabularies):
    """Of vocabularies with the same words, the first that knows which are repeatable, or the first.

    So an ensemble knows it if one of its members does.
    """
    known = (each for each in vocabularies if each.repeatable is not None)
    return next(known, vocabularies[0])


class _Counts:
    """How often each word occurs, in how many captions, and how many repeat it how soon."""

    def __init__(self, captions):
        self.words, self.captions, self.repeats = Counter(), Counter(), {}
        for caption in captions:
            words = tokenize(caption)
            self.words.update(words)
            self.captions.update(set(words))
            for word, distance in _repeats(words).items():
                self.repeats.setdefault(word, Counter())[distance] += 1

    def repeatable(self):
        """The words that enough captions repeat: a dict from word to least distance."""
        return {
            word: _least_distance(distances)
            for word, distances in self.repeats.items()
            if distances.total() >= _enough(self.captions[word])
        }


def _repeats(words):
    """The words that a caption repeats, and the least distance of each in words."""
    last, soonest = {}, {}
    for place, word in enumerate(words):
        if word in last:
            soonest[word] = min(place - last[word], soonest.get(word, place))
        last[word] = place
    return soonest


def _enough(number):
    """How many of that many captions are more than slips."""
    return max(REPEATED_LEAST, REPEATED_SHARE * number)


def _least_distance(distances):
    ordered, enough = sorted(distances), _enough(distances.total())
    captions = accumulate(distances[each] for each in ordered)
    return next(each for each, count in zip(ordered, captions, strict=True) if count >= enough)
