"""The page, in a real browser."""

import base64
import csv
import io
import os

import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from captioner.decoding import METHODS, SETTINGS
from captioner.models import load_models
from captioner.presets import DEFAULT_PRESET
from tests.conftest import until
from tests.pages import cards, choose, wait_until_done
from tests.web.conftest import Painter, serving

PHOTO = "data/samples/photographer.jpg"
COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def painter():
    return Painter()


@pytest.fixture(scope="module")
def site(painter):
    with serving(painter, most_bytes=2**20) as url:
        yield url


@pytest.fixture
def page(site, browser, painter):
    painter.may_go_on.set()
    painter.has_confidence = True
    browser.set_window_size(1000, 800)
    browser.get(site)
    browser.get_log("browser")
    yield browser
    log = browser.get_log("browser")  # what the page's own rules forbid would be in it
    assert [each for each in log if each["source"] not in ("network", "rendering")] == []


@pytest.fixture
def many(tmp_path):
    """Forty photos of three colours, three files that are none, one that only the server reads."""
    folder = tmp_path / "photos"
    (folder / "more" / ".hidden").mkdir(parents=True)
    for number in range(37):
        name = folder / ("more" if number % 2 else "") / f"{number}.png"
        Image.new("RGB", (60, 40), COLOURS[number % 3]).save(name)
    Image.new("RGB", (60, 40), "blue").save(folder / "scan.tif")
    (folder / "=SUM(1).jpg").write_text("no picture")
    (folder / "large.png").write_bytes(bytes(2**20 + 1))
    (folder / "notes.txt").write_text("not chosen with a folder")
    Image.new("RGB", (9, 9)).save(folder / "more" / ".hidden" / "no.png")
    return folder


def downloaded(page):
    """The rows of the CSV file that the button would write."""
    page.execute_script("HTMLAnchorElement.prototype.click = () => {};")
    text = page.execute_script(
        "const made = URL.createObjectURL; let file;"
        "URL.createObjectURL = (blob) => { file = blob; return made(blob); };"
        "document.getElementById('csv').click(); URL.createObjectURL = made;"
        "return file.arrayBuffer().then((bytes) => new TextDecoder('utf-8', { ignoreBOM: true })"
        ".decode(bytes));"
    )
    assert text[0] == "\ufeff"
    return list(csv.reader(io.StringIO(text[1:], newline="")))


def answer_with(page, caption):
    """From now on the server seems to answer with this caption."""
    page.execute_script(
        "const [caption] = arguments; window.fetch = async () => new Response(JSON.stringify("
        "{ caption: caption.text, captions: [caption] }));",
        caption,
    )


def test_the_shipped_model(served, browser):
    browser.get(served)
    choose(browser, os.path.abspath(PHOTO))
    wait_until_done(browser)
    [(name, caption, _)] = cards(browser)
    assert (name, caption) == ("photographer.jpg", load_models([DEFAULT_PRESET]).generate(PHOTO))
    assert "% sure" in browser.find_element(By.CSS_SELECTOR, ".caption span").get_attribute("title")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#cards ol li")) == 2


@pytest.mark.parametrize("field", ["file", "folder"])
def test_many_photos(page, many, field):
    paths = sorted(each for each in many.rglob("*.*") if each.is_file() and each.suffix != ".txt")
    paths = [each for each in paths if ".hidden" not in each.parts]
    choose(page, *(paths if field == "file" else [many]), field=field)
    wait_until_done(page)
    assert page.find_element(By.ID, "count").text == "38 photos captioned, 2 failed"
    found = cards(page)
    assert len(found) == len(paths) == 40
    for name, caption, error in found:
        name = name.rpartition("/")[2]
        if name.endswith(".jpg"):
            assert (caption, error) == ("", "not a picture, or of a kind that Pillow cannot read")
        elif name == "large.png":
            assert (caption, error[:16]) == ("", "larger than 1 MB")
        else:
            number = 2 if name == "scan.tif" else int(name.partition(".")[0]) % 3
            assert (caption, error) == (f"a {COLOURS[number]} photo", "")
    if field == "folder":
        assert found[0][0] == "photos/=SUM(1).jpg"
        names = [name for name, _, _ in found]
        assert names.index("photos/2.png") < names.index("photos/10.png")


def test_thumbnails(page, many):
    choose(page, many / "0.png", many / "scan.tif")
    wait_until_done(page)
    first, second = page.find_elements(By.CSS_SELECTOR, "#cards > li")
    image = first.find_element(By.TAG_NAME, "img")
    until(lambda: image.get_property("naturalWidth") == 60)
    until(lambda: "No preview" in second.text)
    assert "a blue photo" in second.text
    assert image.get_attribute("alt") == "a red photo"
    # Its address is revoked: nothing can be read from it any more.
    gone = page.execute_script(
        "return fetch(arguments[0].src).then(() => false, () => true)", image
    )
    assert gone
    page.get_log("browser")


def test_hundreds_of_photos(page, tmp_path, painter):
    painter.may_go_on.clear()
    Image.new("RGB", (60, 40), "green").save(tmp_path / "p.png")
    page.execute_script(
        "window.slowest = 0; window.last = performance.now();"
        "setInterval(() => { const now = performance.now();"
        "slowest = Math.max(slowest, now - last); last = now; }, 20)"
    )
    page.execute_async_script(
        "const [content, done] = arguments;"
        "const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));"
        "const files = Array.from({ length: 500 }, (_, n) => new File([bytes], `${n}.png`));"
        "const transfer = new DataTransfer(); for (const each of files) transfer.items.add(each);"
        "document.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer }));"
        "setTimeout(done, 0);",
        encoded_file(tmp_path / "p.png"),
    )
    assert page.find_element(By.ID, "count").text == "0 of 500"
    assert len(page.find_elements(By.CLASS_NAME, "working")) == 4
    loaded = "return [...document.images].filter((each) => each.src).length"
    until(lambda: page.execute_script(loaded) >= 8)
    assert page.execute_script(loaded) < 100
    assert page.execute_script("return slowest") < 5000
    painter.may_go_on.set()
    page.find_element(By.ID, "clear").click()
    assert cards(page) == []


def encoded_file(path):
    return base64.b64encode(path.read_bytes()).decode()


def test_stop_and_continue(page, many, painter):
    painter.may_go_on.clear()
    choose(page, *(many / f"{n}.png" for n in range(0, 20, 2)))
    stop = page.find_element(By.ID, "stop")
    until(lambda: page.find_element(By.ID, "count").text == "0 of 10")
    assert page.find_element(By.ID, "progress").get_property("max") == 10
    stop.click()
    assert page.find_element(By.ID, "count").text == "0 of 10, stopped"
    assert {caption for _, caption, _ in cards(page)} == {"Waiting"}
    painter.may_go_on.set()
    assert stop.text == "Continue"
    stop.click()
    wait_until_done(page)
    assert [caption for _, caption, _ in cards(page)] == [
        f"a {COLOURS[n % 3]} photo" for n in range(0, 20, 2)
    ]
    assert not stop.is_displayed()


def test_a_server_that_is_gone(painter, browser, many):
    with serving(painter) as url:
        browser.get(url)
    choose(browser, many / "0.png", many / "2.png")
    problem = browser.find_element(By.ID, "problem")
    until(lambda: "does not answer" in problem.text)
    assert {caption for _, caption, _ in cards(browser)} == {"Waiting"}
    assert browser.find_element(By.ID, "stop").text == "Continue"


def test_what_a_card_shows(page, many, painter):
    choose(page, many / "0.png")
    wait_until_done(page)
    [card] = page.find_elements(By.CSS_SELECTOR, "#cards > li")
    assert "Confidence 75 %" in card.text
    others = [each.text for each in card.find_elements(By.CSS_SELECTOR, "ol li")]
    assert others == [
        "a red photo again (confidence 50 %)",
        "a red photo again again (confidence 25 %)",
    ]
    assert page.find_element(By.ID, "legend").is_displayed()
    assert page.find_element(By.ID, "announcement").get_property("textContent") == "a red photo"
    painter.has_confidence = False
    choose(page, many / "0.png")
    wait_until_done(page)
    second = page.find_elements(By.CSS_SELECTOR, "#cards > li")[1]
    assert "onfidence" not in second.text
    second.find_element(By.TAG_NAME, "summary").click()
    assert "a red photo again (score -1.50)" in second.text


def test_copy(page, many):
    choose(page, many / "0.png")
    wait_until_done(page)
    page.execute_script("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    copy = page.find_element(By.CLASS_NAME, "copy")
    copy.send_keys(Keys.ENTER)
    until(lambda: copy.text == "Copied")
    assert page.execute_script("return copied") == "a red photo"
    # Pages from other machines by http have no clipboard.
    page.execute_script(
        "navigator.clipboard.writeText = () => Promise.reject();"
        "document.execCommand = () => { window.copied = document.activeElement.value; }"
    )
    page.execute_script("copied = ''")
    copy.click()
    until(lambda: page.execute_script("return copied") == "a red photo")
    assert page.execute_script("return document.activeElement === arguments[0]", copy)


def test_csv(page, many):
    names = ("=1.png", "+1.png", "-1.png", "@1.png", 'a "b", c.png')
    for name in names:
        os.link(many / "0.png", many / name)
    choose(page, *(many / name for name in (*names, "2.png", "=SUM(1).jpg")))
    wait_until_done(page)
    assert downloaded(page) == [
        ["file", "caption", "score", "confidence"],
        *([f"'{name}", "a red photo", "-0.5", "0.75"] for name in names[:4]),
        ['a "b", c.png', "a red photo", "-0.5", "0.75"],
        ["2.png", "a blue photo", "-0.5", "0.75"],
        ["'=SUM(1).jpg", "", "", ""],
    ]
    answer_with(page, {"text": "=cmd()", "score": -1, "words": [], "word_scores": []})
    choose(page, many / "4.png")
    wait_until_done(page)
    assert downloaded(page)[-1] == ["4.png", "'=cmd()", "-1", ""]


def test_a_changed_setting_captions_again(page, many):
    choose(page, many / "0.png", many / "2.png", many / "=SUM(1).jpg")
    wait_until_done(page)
    page.find_element(By.CSS_SELECTOR, "#options summary").click()
    Select(page.find_element(By.NAME, "method")).select_by_visible_text("greedy")
    wanted = ["a red photo greedy", "a blue photo greedy", ""]
    until(lambda: [caption for _, caption, _ in cards(page)] == wanted)
    assert not page.find_element(By.NAME, "beam_size").is_displayed()
    assert not page.find_elements(By.CSS_SELECTOR, "#cards ol")
    page.find_element(By.CSS_SELECTOR, "#scripting summary").click()
    assert "/caption?method=greedy'" in page.find_element(By.ID, "script").text


def test_an_answer_to_former_settings_is_not_shown(page, many, painter):
    painter.may_go_on.clear()
    choose(page, many / "0.png")
    until(lambda: page.find_elements(By.CLASS_NAME, "working"))
    page.find_element(By.CSS_SELECTOR, "#options summary").click()
    Select(page.find_element(By.NAME, "method")).select_by_visible_text("greedy")
    until(
        lambda: (
            "method=greedy"
            in page.execute_script("return document.getElementById('script').textContent")
        )
    )
    painter.may_go_on.set()
    until(lambda: cards(page)[0][1] == "a red photo greedy")
    assert page.find_element(By.ID, "count").text == "1 photo captioned"


def test_dropped_and_pasted(page, many):
    page.execute_script(
        "const transfer = new DataTransfer(), bytes = Uint8Array.from(atob(arguments[0]),"
        "(each) => each.charCodeAt(0)); transfer.items.add(new File([bytes], 'a.png'));"
        "document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer }));"
        "document.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true }));",
        encoded_file(many / "0.png"),
    )
    wait_until_done(page)
    assert cards(page) == [["a.png", "a red photo", ""]] * 2


def test_a_dropped_folder(page, many):
    """The browser gives its entries a hundred at a time, and only through callbacks."""
    page.execute_script(
        "const bytes = Uint8Array.from(atob(arguments[0]), (each) => each.charCodeAt(0));"
        "const file = (path) => ({ isFile: true, fullPath: path,"
        "  file: (done) => done(new File([bytes], path.split('/').pop())) });"
        "const folder = (...parts) => ({ isDirectory: true, createReader: () => ({"
        "  readEntries: (done) => done(parts.shift() ?? []) }) });"
        "const inner = folder([file('/f/in/3.png'), file('/f/in/.no.png')], [file('/f/in/a.txt')]);"
        "const entries = [folder([file('/f/10.png'), inner], [file('/f/2.png')]), file('/x.txt')];"
        "const items = entries.map((each) => ({ webkitGetAsEntry: () => each }));"
        "const event = new Event('drop', { cancelable: true });"
        "document.dispatchEvent(Object.assign(event, { dataTransfer: { files: [], items } }));",
        encoded_file(many / "2.png"),
    )
    until(lambda: page.find_element(By.ID, "count").text == "4 photos captioned")
    assert [name for name, _, _ in cards(page)] == ["f/2.png", "f/10.png", "f/in/3.png", "x.txt"]


def test_a_file_that_is_gone(page):
    page.execute_script(
        "window.fetch = () => Promise.reject(new TypeError());"
        "const file = { name: 'a.png', size: 1, slice: () => ({"
        "  arrayBuffer: () => Promise.reject(new Error()) }) };"
        "const event = new Event('paste', { cancelable: true });"
        "document.dispatchEvent(Object.assign(event, { clipboardData: { files: [file] } }));"
    )
    until(lambda: cards(page) == [["a.png", "", "the file cannot be read any more"]])
    assert page.find_element(By.ID, "problem").text == ""


def test_the_settings_are_those_of_the_server(page):
    fields = page.execute_script(
        "return [...document.getElementById('settings').elements].map((each) => ({ name: each.name,"
        "max: each.max, help: document.getElementById(each.getAttribute('aria-describedby'))"
        ".textContent, label: each.labels[0].textContent, options: [...(each.options || [])]"
        ".map((option) => option.value) }))"
    )
    assert [each["name"] for each in fields] == list(SETTINGS)
    for field in fields:
        setting = SETTINGS[field["name"]]
        assert field["help"] == setting.help
        assert field["label"]
        if setting.http_most:
            assert field["max"] == str(setting.http_most)
    assert fields[0]["options"] == list(METHODS)


def test_more_captions_than_hypotheses_are_no_error(page, many):
    page.find_element(By.CSS_SELECTOR, "#options summary").click()
    page.find_element(By.NAME, "beam_size").send_keys("2" + Keys.TAB)
    choose(page, many / "0.png")
    wait_until_done(page)
    assert cards(page)[0][1] == "a red photo"
    assert len(page.find_elements(By.CSS_SELECTOR, "#cards ol li")) == 2


def test_by_keyboard(page, many):
    """Tab leads through all that can be used, and arrows through the words of a caption."""

    def focus():
        return page.switch_to.active_element

    def press(key):
        focus().send_keys(key)

    choose(page, many / "0.png")
    wait_until_done(page)
    page.execute_script("document.activeElement.blur()")
    seen = []
    for _ in range(14):
        press(Keys.TAB)
        seen.append(focus().get_attribute("id") or focus().text)
        if focus().get_attribute("role") == "button":
            break
    assert seen == ["From a script", "choose", "choose-folder", "Settings", "csv", "clear", "a"]
    outline = focus().value_of_css_property("outline-style")
    assert outline == "solid"
    darkness = lambda: page.execute_script(  # noqa: E731
        "const canvas = document.querySelector('.picture canvas'); if (!canvas) return null;"
        "const { width, height } = canvas; return [0.1, 0.9].map((x) => canvas.getContext('2d')"
        ".getImageData(x * width, 0.1 * height, 1, 1).data[3])"
    )
    until(lambda: page.execute_script("return document.images[0].naturalWidth") == 60)
    press(Keys.ARROW_RIGHT)
    assert focus().text == "red"
    press(Keys.ARROW_LEFT)
    assert focus().text == "a"
    lit, dark = darkness()
    assert lit < 20  # where the first word looked
    assert dark > 180
    press(Keys.ENTER)
    assert darkness() is None
    press(Keys.SPACE)
    assert darkness()
    press(Keys.TAB)
    assert darkness() is None
    assert focus().tag_name == "summary"
    press(Keys.TAB)
    assert focus().text == "Copy"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_on_a_phone(page, site, many, path):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        page.get(site + path)
        if path == "/":
            long_name = many / f"{'long' * 40}.png"
            os.link(many / "0.png", long_name)
            choose(page, long_name, many / "=SUM(1).jpg", many / "2.png")
            wait_until_done(page)
            page.find_element(By.CSS_SELECTOR, "#options summary").click()
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
        small = page.execute_script(
            "return [...document.querySelectorAll('button, input, select, summary, nav a')].filter("
            "(each) => each.checkVisibility() && each.getBoundingClientRect().height < 44)"
            ".map((each) => each.outerHTML)"
        )
        assert small == []
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_key(browser, painter, many):
    with serving(painter, api_key="secret") as url:
        browser.get(url)
        form, field = (browser.find_element(By.ID, name) for name in ("key", "key-text"))
        assert not form.is_displayed()
        choose(browser, many / "0.png", many / "2.png")
        until(form.is_displayed)
        assert browser.switch_to.active_element == field
        field.send_keys("wrong" + Keys.ENTER)
        until(lambda: browser.find_element(By.ID, "problem").text == "The key is wrong.")
        field.send_keys("secret" + Keys.ENTER)
        wait_until_done(browser)
        assert [each[1] for each in cards(browser)] == ["a red photo", "a blue photo"]
        assert not form.is_displayed()
        browser.refresh()
        choose(browser, many / "2.png")
        wait_until_done(browser)  # the key is kept
        assert "X-API-Key" in browser.find_element(By.ID, "script").get_property("textContent")


def test_a_busy_server_is_asked_again(page, many):
    page.execute_script(
        "const ask = fetch; let busy = 1; window.fetch = (...request) => busy-- > 0"
        " ? Promise.resolve(new Response('{}', { status: 503, headers: { 'Retry-After': '1' } }))"
        " : ask(...request);"
    )
    choose(page, many / "0.png")
    wait_until_done(page)
    assert cards(page)[0][1] == "a red photo"
