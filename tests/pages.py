"""What the tests of both web pages do in a browser: choose photos, and read the cards."""

from selenium.webdriver.common.by import By

from tests.conftest import until


def choose(page, *paths, field="file"):
    page.find_element(By.ID, field).send_keys("\n".join(map(str, paths)))


def cards(page):
    """What each card shows: a list of (name, caption or "", error or "")."""
    return page.execute_script(
        "return [...document.querySelectorAll('#cards > li')].map((card) => ['.name', '.caption',"
        "'.error'].map((part) => card.querySelector(part)?.textContent.trim() ?? ''))"
    )


def wait_until_done(page):
    until(lambda: "captioned" in page.find_element(By.ID, "count").text)
