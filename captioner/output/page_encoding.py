"""The encoding of a page: how its bytes become text, and come back as they were."""

import re
from typing import NamedTuple

from captioner.errors import CaptionerError
from captioner.output.html_tags import tags

_BYTE_ORDER_MARKS = (  # that of UTF-32 first: it begins as UTF-16's does
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
# Python's names for labels of the Encoding standard; windows-1252 and its like have one name.
_LABELS = {
    "utf-8": "utf-8", "utf8": "utf-8", "unicode-1-1-utf-8": "utf-8", "utf-16": "utf-8",
    "utf-16le": "utf-8", "utf-16be": "utf-8",  # where these can be read, they are wrong
    "ascii": "cp1252", "us-ascii": "cp1252", "latin1": "cp1252", "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252", "iso_8859-1": "cp1252", "latin2": "iso8859-2", "iso-8859-9": "cp1254",
    "latin5": "cp1254", "koi8-r": "koi8-r", "koi8-u": "koi8-u", "macintosh": "mac-roman",
    "ibm866": "cp866", "cp866": "cp866", "tis-620": "cp874", "iso-8859-11": "cp874",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932",
    "windows-31j": "cp932", "euc-jp": "euc-jp", "iso-2022-jp": "iso2022-jp", "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949", "gb2312": "gbk", "gbk": "gbk", "gb18030": "gb18030",
    "big5": "big5hkscs", "big5-hkscs": "big5hkscs",
}  # fmt: skip
_FAMILIES = re.compile(r"(?:windows-|cp)(125[0-8]|874)|iso[-_]?8859-(\d{1,2})(?:-[ei])?")
_XML_ENCODING = re.compile(r"""\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)""")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_SEARCHED = 65536  # bytes of the page in which it may say its encoding


class Encoding(NamedTuple):
    """How a page is written.

    Attributes:
        codec: str. Python's name.
        mark: bytes. What the file begins with: a byte order mark, or nothing.
        is_known: bool. Whether readers of the page know it; if not, only ASCII is safe to add.
    """

    codec: str
    mark: bytes = b""
    is_known: bool = True

    def encode(self, text):
        """The bytes of a text that `decode` gave; what it did not understand is as it was."""
        return self.mark + text.encode(self.codec, _errors(self.codec))

    def has(self, character):
        """Whether a page in this encoding can have a character that is not ASCII."""
        try:
            return self.is_known and bool(character.encode(self.codec))
        except UnicodeEncodeError:
            return False


def decode(data, is_markdown=False):
    """The text of a page and its encoding.

    The encoding is that of the byte order mark, of the XML declaration or of `<meta>`. Markdown
    without a mark is UTF-8. Bytes that make no sense survive; a page whose bytes would not come
    back as they were is read byte by byte.

    Args:
        data: bytes.
        is_markdown: bool. Defaults to `False`.

    Returns:
        (str without the mark, Encoding).

    Raises:
        CaptionerError: UTF-16 or UTF-32 that is cut off.

    Example:
    >>> decode(b'\\xff\\xfe<\\0p\\0>\\0')
    ('<p>', Encoding(codec='utf-16-le', mark=b'\\xff\\xfe', is_known=True))
    """
    encoding = _marked(data) or _unmarked(data, is_markdown)
    content = data[len(encoding.mark) :]
    try:
        text = content.decode(encoding.codec, _errors(encoding.codec))
        if encoding.encode(text) == data:
            return text, encoding
    except UnicodeError as error:
        if encoding.codec in _WIDE:
            raise CaptionerError(f"not whole {encoding.codec.upper()[:6]}") from error
    return data.decode("latin-1"), Encoding("latin-1", is_known=False)


def _marked(data):
    for mark, codec in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return Encoding(codec, mark)
    return None


def _unmarked(data, is_markdown):
    if len(data) >= 4 and not len(data) % 2:  # UTF-16 whose first characters are ASCII
        if data[0] and data[2] and data[1:4:2] == b"\0\0":
            return Encoding("utf-16-le")
        if data[1] and data[3] and data[0:3:2] == b"\0\0":
            return Encoding("utf-16-be")
    if is_markdown:
        return Encoding("utf-8", is_known=_is_utf8(data))
    declared = _declared(data[:_SEARCHED].decode("latin-1"))
    return Encoding(declared) if declared else Encoding("utf-8", is_known=False)


def _is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _declared(head):
    xml = _XML_ENCODING.match(head)
    if xml and _codec(xml[1]):
        return _codec(xml[1])
    for tag in tags(head):
        if tag.name.lower() == "meta" and not tag.closes:
            label = tag.attributes.get("charset")
            if label is None and tag.attributes.get("http-equiv", "").lower() == "content-type":
                found = _CHARSET.search(tag.attributes.get("content", ""))
                label = found[1] if found else None
            if label and _codec(label):
                return _codec(label)
    return None


def _codec(label):
    label = label.strip().lower()
    if label in _LABELS:
        return _LABELS[label]
    family = _FAMILIES.fullmatch(label)
    if not family:
        return None
    codec = f"cp{family[1]}" if family[1] else f"iso8859-{int(family[2])}"
    return codec if family[1] or int(family[2]) in {*range(2, 17)} - {9, 11, 12} else None


def _errors(codec):
    return "surrogatepass" if codec in _WIDE else "surrogateescape"
