"""The page, in a real browser."""

import os

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from captioner import Captioner
from captioner.presets import DEFAULT_PRESET
from tests.conftest import until

PHOTO = "data/samples/photographer.jpg"


def test_in_a_browser(served, browser, tmp_path):
    browser.get(served)
    browser.find_element(By.ID, "file").send_keys(os.path.abspath(PHOTO))
    caption, others = (browser.find_element(By.ID, name) for name in ("caption", "others"))
    until(lambda: len(others.find_elements(By.TAG_NAME, "li")) == 2)
    assert caption.text == Captioner.from_preset(DEFAULT_PRESET).generate(PHOTO)
    assert "% sure" in caption.find_element(By.TAG_NAME, "span").get_attribute("title")
    Select(browser.find_element(By.NAME, "method")).select_by_visible_text("greedy")
    until(lambda: caption.text not in ("", "…") and not others.text)
    assert "method=greedy" in browser.find_element(By.ID, "script").text
    (tmp_path / "text.jpg").write_text("no picture")
    browser.find_element(By.ID, "file").send_keys(str(tmp_path / "text.jpg"))
    until(lambda: "not a picture" in browser.find_element(By.ID, "error").text)
    assert caption.text == ""
