"""The description for people."""

from html.parser import HTMLParser

from captioner.decoding import SETTINGS
from captioner.web.openapi import describe
from captioner.web.reference import reference_page

LIMITS = {"most_bytes": 2**20, "most_waiting": 64}


class Text(HTMLParser):
    """The text of a page, cell by cell; and that its elements are closed in order."""

    def __init__(self, page):
        super().__init__()
        self.cells, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.cells.append(data.strip())


def test_everything_is_on_the_page(tiny_captioner):
    page = Text(reference_page(describe(tiny_captioner, LIMITS, True)))
    assert not page.open
    cells = set(page.cells)
    assert cells >= set(SETTINGS)
    assert cells >= {"POST /caption", "GET /health", "GET /metrics"}
    assert cells >= {"200", "400", "401", "403", "413", "500", "503"}
    assert cells >= {"confidence", "attention", "multipart/form-data", "Needs the key."}
    assert cells >= {"integer from 1 to 20", "number above 0 to 1", "greedy, beam, sample"}
    assert any("A picture file may have 1 MB" in each for each in cells)


def test_a_server_without_a_key_says_nothing_of_one(tiny_captioner):
    assert "Needs the key" not in reference_page(describe(tiny_captioner, LIMITS, False))


def test_what_it_describes_is_shown_and_never_run(tiny_captioner):
    document = describe(tiny_captioner, LIMITS, False)
    document["info"]["description"] = "<script>alert(1)</script>"
    assert "<script" not in reference_page(document)
