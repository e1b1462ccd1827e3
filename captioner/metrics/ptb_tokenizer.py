"""The tokens that coco-caption scores, without Java.

coco-caption cuts captions with `PTBTokenizer -preserveLines -lowerCase` of Stanford CoreNLP 3.4.1
and then drops a list of punctuation. Scores can only be compared when the tokens are the same, so
the rules below imitate that program. They were found by running it: on real captions, on all short
strings of ASCII signs, on every character of the Basic Multilingual Plane, and on random mixtures
of hard cases.

It is a lexer: at each place the rule that reads furthest wins, including what it reads beyond its
token; of two rules that read equally far the earlier wins.

Known to differ: letters added to Unicode after 6.0, which that program drops and these rules keep;
and the very last caption of a run, where it reads a final `'ll` as a quote and `ll`.
"""

import re
from functools import lru_cache

# Characters -------------------------------------------------------------------------------------

# `\w` also takes superscripts, circled and Roman numbers, and all beyond the first plane.
_NO_LETTER = "²³¹¼-¾⁰⁴-⁹₀-₉⅐-↉①-⓿❶-➓\U00010000-\U0010ffff"
# Combining marks, and the soft hyphen, are parts of a word in these scripts only.
_MARK = (
    "\u00ad\u02c2-\u02c5\u02d2-\u02df\u02e5-\u036f\u0375\u0384\u0385\u03f6\u0483-\u0487"
    "\u055a-\u055f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0615-\u061a\u064b-\u065e"
    "\u0670\u06d6-\u06ed\u06fd\u06fe\u070f\u0711\u0730-\u074c\u07a6-\u07b0\u07eb-\u07f3"
    "\u0900-\u0903\u093c\u093e-\u094e\u0951-\u0955\u0962\u0963\u0981-\u0983\u09bc\u09be-\u09cd"
    "\u09d7\u09e2\u09e3\u0a01-\u0a03\u0a3c-\u0a4f\u0a81-\u0a83\u0abc-\u0acf\u0b82\u0bbe-\u0bcd"
    "\u0c01-\u0c03\u0c3e-\u0c56\u0d3e-\u0d48\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc"
    "\u0ec8-\u0ecd"
)
# A token of its own where no longer rule applies. Any other character separates tokens and leaves
# none: blanks, control characters, most dashes, emoji.
_SIGN = (
    "!-~¡-ª¬-º¼-\u037e\u0387\u0589\u05be-\u05c6\u05f3-\u0603\u0606-\u060c\u0614-\u061b\u061e\u061f"
    "\u066a\u066d-\u07f8\u0964\u0965\u0e3f-\u0e4f\u1fbd\u2016\u2017\u201a\u201e\u2020-\u2023"
    "\u2030-\u2038\u203b\u203e-\u2042\u2044\u2070-\u208e\u20a0\u20a4\u20ac\u2100-\u214f"
    "\u2153-\u215e\u2190-\u2bff\u3001\u3002\u3012\u30fb\uff01-\uffe1\uffe5\uffe6"
)
_BLANK = r"[ \t\r\n\u00a0\u2000-\u200a\u3000]"
_CURLY = "(?:[’\x92]|&apos;)"
_APOSTROPHE = f"(?:'|{_CURLY})"
_ANY_APOSTROPHE = "(?:['’‘‛`\x91\x92]|&apos;)"

# Words ------------------------------------------------------------------------------------------

_ACCENTED = "&[aeiou](?:acute|grave|uml);"
_LETTER = rf"(?:(?![\d_{_NO_LETTER}])[\w{_MARK}]|{_ACCENTED})"
_CHARACTER = rf"(?:(?![_{_NO_LETTER}])[\w{_MARK}]|{_ACCENTED})"
_WORD = rf"{_LETTER}{_CHARACTER}*(?:[.!?]{_LETTER}{_CHARACTER}*)*"  # "out.The" is one word
_ALPHA = rf"[^\W\d_{_NO_LETTER}]"  # no marks from here on
_ALNUM = rf"[^\W_{_NO_LETTER}]"
_ELISION = rf"(?:[dlo]{_ANY_APOSTROPHE}{_ALNUM}(?={_ALNUM}))?"  # d'oeuvre
_COMPOUND = rf"{_ELISION}{_ALNUM}+(?:[-_\u058a\u2010\u2011]{_ELISION}{_ALNUM}+)*"
_INITIALS = r"[a-z](?:\.[a-z])+\."
_LOOSE_COMPOUND = rf"[a-z0-9][a-z0-9.,]*(?:-(?:{_INITIALS}|[a-z0-9]+))+"  # "red,blue-green"
_SIDE = "[a-z0-9]+(?:-[a-z]+){0,2}"  # of an and/or
_COMPANY = "(?-i:[A-Z]+(?:(?:[&+]|&amp;)[A-Z]+)+)"  # AT&T
_ENDING = "(?:[sdm]|ll|re|ve)"
_NOT = f"n{_ANY_APOSTROPHE}t"
_JOINED = "cannot|gimme|gonna|gotta|lemme|wanna"  # cut after the third letter

# Abbreviations keep their period. Those that can end a sentence look two characters further, and
# so win over more rules ("jan.a" is cut) than titles and units do.
_ABBREVIATION = (
    "al|ala|apr|ariz|assn|aug|bhd|bldg|blvd|bros|calif|co|colo|conn|corp|cos|ct|dak|dec|esq"
    "|est|etc|ext|feb|fla|fri|ga|inc|ind|intl|jan|jr|jul|jun|kan|kans|ky|ltd|mar|md|mich|minn"
    r"|mo|mon|mont|neb|nev|nov|oct|okla|penn|ph\.d|plc|pte|ptes|pty|ptys|rd|rt|sep|sept|seq|sq"
    "|sr|sys|tel|tenn|thu|thurs|tue|tues|univ|va|vt|wed|wis|wisc|wyo"
    "|(?-i:Ark|ARK|Az|AZ|Del|DEL|Ill|ILL|La|LA|Mass|MASS)"
    "|(?-i:Miss|MISS|Ore|ORE|Pa|PA|Tex|TEX|Wash|WASH)"
)
_TITLE = (
    "adj|adm|adv|alex|assoc|asst|atty|attys|ave|brig|capt|cf|cie|cmdr|col|comdr|cpl|dept|det"
    "|dr|drs|elec|ens|ft|gen|gov|govs|hon|insp|invt|jos|lieut|lt|maj|messrs|mfg|mlle|mme|mr"
    "|mrs|ms|msgr|mt|mtg|natl|pfc|ph|pres|prof|pvt|rep|reps|rev|sen|sens|sfc|sgt|spc|st|ste"
    "|supt|treas|vs|wm"
)
_COUNTED = "(?:art|ca|figs?|nos?|op|pp|prop)"
_OPENERS = (
    "A|About|According|After|An|As|At|But|Earlier|He|Her|Here|However|If|In|It|Last|Many|More"
    "|Now|Once|One|Other|Our|She|Since|So|Some|Such|That|The|Their|Then|There|These|They|This"
    "|We|What|When|While|Yet|You|Mr.|Ms."
)
_OPENER = f"(?-i:{_OPENERS}|{_OPENERS.upper()})".replace(".", r"\.")
_FILE_TYPE = (
    "(?:bat|bmp|c|class|cgi|cpp|dll|docx?|exe|gif|gz|h|html?|jar|java|jpe?g|mov|mp3|pdf|php|pl|png"
    "|ppt|ps|py|sql|tar|txt|wav|x|xml|zip)"
)


# Numbers and addresses --------------------------------------------------------------------------

_NUMBER = r"[-+]?(?:\d*(?:[.:,\u00ad\u066b\u066c]\d+)+|\d+)"
_FRACTION = r"(?:\d{1,4}[- \u00a0])?\d{1,4}(?:\\?/|\u2044)\d{1,4}"  # "1 1/2" is one token
_DATE = r"\d{1,2}[-/]\d{1,2}[-/]\d{2,4}"
_GAP = r"[- \u00a0]"
_AREA = rf"(?:\(\d{{2,3}}\)[ \u00a0]?|\+{{0,2}}(?:\d{{2,4}}{_GAP})?\d{{2,4}}{_GAP})"
_PHONE = rf"{_AREA}\d{{3,4}}{_GAP}?\d{{3,5}}"
_DOTTED_PHONE = r"\+{0,2}(?:\d{2,4}\.)?\d{2,4}\.\d{3,4}\.\d{3,5}"
_NO_URL = r" \t\n\f\r\"<>|(){}"
_URL_END = rf"[^{_NO_URL}.!?,-]"
_HOST = rf"(?:[^{_NO_URL}.!?,]+\.)+"
_PLAIN_HOST = rf"(?-i:(?:[^{_NO_URL}!`'$,-_]+\.)+)"
_MAILBOX = rf"(?:<|&lt;)?[a-z0-9][^{_NO_URL}\u00a0]*"
_MAIL_HOST = rf"(?:[^{_NO_URL}.\u00a0]+\.)*[^{_NO_URL}.\u00a0]+(?:>|&gt;)?"

_NAME = "[a-z][a-z0-9_:.-]*"
_ATTRIBUTE = rf"""{_NAME}(?:\s*=\s*(?:"[^"\n]*"|'[^'\n]*'))?"""
_TAG = rf"(?:<{_NAME}(?:\s+{_ATTRIBUTE})*\s*/?\s*>|</{_NAME}\s*>|<[!?][a-z-][^>\n]*>)"

# One rule a line. Group 1 is the token.
_RULES = rf"""
# <unk>, <br/>
({_TAG})
# words written as one: can not, gon na, 't is
(?=(?:{_JOINED})(?!{_ALNUM}))([a-z]{{3}})[a-z]+
('t)(?:is|was)
# is n't, dog 's
([a-z]*[a-mo-z]){_NOT}
({_NOT})
({_WORD}){_APOSTROPHE}{_ENDING}
('{_ENDING})[^a-z]
({_CURLY}{_ENDING})
# words
({_WORD})
({_COMPOUND})
((?:anti|pro)-)
({_COMPANY})
({_SIDE}(?:\\?/{_SIDE}){{1,2}})
# addresses
(https?://[^{_NO_URL}]+{_URL_END})
((?:www\.{_HOST}[a-z]{{2,4}}|{_PLAIN_HOST}(?:com|edu|net|org))(?:/[^{_NO_URL}]+{_URL_END})?)
({_MAILBOX}@{_MAIL_HOST})
(@[a-z_][a-z0-9_]*|\#{_ALPHA}+)
# a period that stays: U.S., Dr., No. 5, a.jpg, and any before one of ,;:
({_INITIALS}|[a-z]\.)
([a-z])\.{_BLANK}+(?:{_OPENER}|{_TAG}){_BLANK}
((?:{_ABBREVIATION})\.)[\s\S][\s\S]
((?:{_TITLE})\.)
({_COUNTED}\.){_BLANK}?\d
({_ALNUM}+(?:\.{_ALNUM}+)*\.{_FILE_TYPE})[ \t\n\r.?!,]
((?:{_LOOSE_COMPOUND}|{_COMPOUND}|{_WORD}|{_COMPANY})\.)[,;:]
({_LOOSE_COMPOUND})
# apostrophes that belong to the word: y' all, O'Hara, Shi'ite, ol', 'til, the '90s, c'mon
(y{_APOSTROPHE}){_LETTER}
([dlj]{_APOSTROPHE})
((?-i:[A-HJ-XZn]){_ANY_APOSTROPHE}{_ALPHA}{{2,}})
({_ALPHA}+[aeiouy]{_ANY_APOSTROPHE}(?-i:[aeiouA-Z]){_ALPHA}*)
((?:dunkin|ol|somethin){_APOSTROPHE})
({_APOSTROPHE}(?:cause|em|n{_APOSTROPHE}|till?|[2-9]0s))
({_CURLY}n)
('n|{_APOSTROPHE}\d\d)\s
(c'mon|cont'd\.|e'er|ev'ry|li'l|nat'l|nor'easter|s'mores)
(c{_APOSTROPHE}est|cap{_APOSTROPHE}n|o{_ANY_APOSTROPHE}o)
# numbers
({_NUMBER})
({_FRACTION})
({_DATE})
({_PHONE}|{_DOTTED_PHONE})
# faces: :-) and (^_^)
((?-i:[<>]?[:;=][-o*']?[()DPdpO\\@{{|\[\]]))[^a-z0-9]
((?-i:[-^x=~<>']_[-^x=~<>']|\([-^x=~<>'][_.]?[-^x=~<>']\)|\([\^x=~<>']-[\^x=~<>'`]\)))
# signs
((?-i:[A-Z])+\$|[cf]\#|c\+\+|(?:\\\*)+|<<|>>|\*+|_+|@+|\#{{2,}}|[?!]{{2,}})
(&(?:amp|apos|gt|lt|[mn]dash|nbsp|quot|\#\d+);)
(''|[`‘’“”‚„‛‹›«»\x91-\x94]{{2}})
(\.{{3,}}|\.{_GAP}\.{_GAP}\.|-{{2,}})
([{_SIGN}])
"""
_RULES = [
    re.compile(rule, re.IGNORECASE)
    for rule in _RULES.splitlines()
    if rule and not rule.startswith("#")
]

# Tokens -----------------------------------------------------------------------------------------

_WRITTEN_AS = {
    "(": "-lrb-",
    ")": "-rrb-",
    "[": "-lsb-",
    "]": "-rsb-",
    "{": "-lcb-",
    "}": "-rcb-",
    "¢": "cents",
    "£": "#",
    "¤": "$",
    "€": "$",
    "\u20a0": "$",
    "¼": "1/4",
    "½": "1/2",
    "¾": "3/4",
    "⅓": "1/3",
    "⅔": "2/3",
    "&amp;": "&",
    "&gt;": ">",
    "&lt;": "<",
}
_STRAIGHT_QUOTES = str.maketrans(
    {
        **dict.fromkeys("‘‛‹\x91", "`"),
        **dict.fromkeys("’›\x92", "'"),
        **dict.fromkeys("“«\x93", "``"),
        **dict.fromkeys("”»\x94", "''"),
    }
)
_STRAIGHTENED = re.compile(rf"{_APOSTROPHE}{_ENDING}|{_NOT}|['`‘’“”‚„‛‹›«»\x91-\x94]{{2}}")
# What coco-caption removes. Its list has -LRB- and the other brackets too, but in upper case: here
# as there they stay.
_DROPPED = re.compile(
    rf"[\"'`.,:;?!-]?|''|``|-{{2,4}}|\.{_GAP}?\.{_GAP}?\.+|&(?:apos|[mn]dash|nbsp|quot);"
)
_ONE_WORD = re.compile(rf"(?!(?:{_JOINED})\b)[a-z]+", re.IGNORECASE | re.ASCII)
# Where a rule could read over a blank: tags, "1 1/2", "(55) 123 4567", ". . .", "B. The", "No. 5".
_OVER_BLANKS = re.compile(
    rf"[<.)\d](?:(?<=<)|(?<=[\d)])[ \u00a0]\d|(?<=\.){_GAP}\.|(?<=\b[a-z]\.){_BLANK}+{_OPENER}"
    rf"|(?<=(?:rt|ca|ig|gs|no|os|op|pp)\.){_BLANK}\d)",
    re.IGNORECASE,
)


def tokenize_ptb(text, following=""):
    """Returns the tokens of a caption as coco-caption scores them.

    The same as `pycocoevalcap.tokenizer.ptbtokenizer.PTBTokenizer`, which needs Java: lower case,
    `n't` and `'s` apart, no punctuation, brackets as `-lrb-`. A token can hold a no-break space:
    `1 1/2` is one token there.

    Args:
        text: str. One caption. Line breaks count as blanks.
        following: str. The caption that comes next in the run. coco-caption tokenizes all
            captions as one text, and reads a final `B.` or `No.` in the light of the next word:
            `plan b` before "The ..." but `plan b.` before "Two ...". Defaults to `""`, no such
            word.

    Returns:
        list of str. Empty where nothing but punctuation was given.

    Example:
    >>> tokenize_ptb("A man's dog isn't on the T-shirt.")
    ['a', 'man', "'s", 'dog', 'is', "n't", 'on', 'the', 't-shirt']
    """
    text = text.replace("\n", " ")
    line = f"{text}\n{following[:10]}\n\n"  # the longest opener has 9 letters
    if _OVER_BLANKS.search(line):
        return _lex(line, len(text))
    return [token for chunk in text.split() for token in _lex_chunk(chunk)]


def tokenize_lines(captions):
    """Returns the tokens of each of `captions`, a list of str, tokenized as one text."""
    return list(map(tokenize_ptb, captions, [*captions[1:], ""]))


@lru_cache(maxsize=2**16)
def _lex_chunk(chunk):
    """The tokens of a text without blanks; captions repeat themselves, so they are kept."""
    if _ONE_WORD.fullmatch(chunk):  # the rules would give the same, ten times slower
        return [chunk.lower()]
    return _lex(f"{chunk}\n\n", len(chunk))


def _lex(text, stop):
    """The tokens of `text` that begin before `stop`."""
    tokens = []
    place = 0
    while place < stop:
        matches = [match for rule in _RULES if (match := rule.match(text, place))]
        if not matches:
            place += 1
            continue
        longest = max(matches, key=re.Match.end)
        place = longest.end(1)
        tokens.append(_written(longest[1]))
    return [token for token in tokens if not _DROPPED.fullmatch(token)]


def _written(token):
    token = re.sub("(?<=[A-Z])&amp;(?=[A-Z])", "&", token).lower().replace("\u00ad", "")
    if token in _WRITTEN_AS:
        return _WRITTEN_AS[token]
    if _STRAIGHTENED.fullmatch(token):
        return token.replace("&apos;", "'").translate(_STRAIGHT_QUOTES)
    return token.replace("(", "-lrb-").replace(")", "-rrb-").replace(" ", "\u00a0")
