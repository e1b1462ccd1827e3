"""The page that captions in the browser, in a real browser, with a stand-in for its engine."""

import base64
import contextlib
import csv
import functools
import io
import json
import os
import shutil
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from captioner.datasets import load_dataset
from captioner.decoding import SETTINGS
from captioner.exporting.browser import FILES, export_site, list_files, write_page
from captioner.generation import Caption
from captioner.metrics.results import load_results
from captioner.models import load_models
from captioner.output.writers import JsonLinesWriter
from captioner.presets import DEFAULT_PRESET
from tests.conftest import until
from tests.pages import cards, choose, wait_until_done

BROKEN = 'broken, "really".jpg'
FAKE = Path(__file__).parent / "browser" / "fake_worker.js"
COLOURS = ("red", "green", "blue")
SEARCHES = ("method", "beam_size", "length_penalty", "n_best", "max_length")


def make_site(folder, about):
    """The page with the stand-in for its engine, and the list of its files."""
    write_page(folder)
    for name in ("engine", "model"):
        (folder / name).mkdir(exist_ok=True)
    shutil.copy(FAKE, folder / "engine" / "worker.js")
    (folder / "model" / "about.json").write_text(json.dumps(about))
    (folder / FILES).unlink(missing_ok=True)
    (folder / FILES).write_text(json.dumps(list_files(folder)))


def about_model(**changes):
    settings = [
        {"name": name, "label": each.label, "help": each.help, "methods": each.methods,
         **each.schema(each.default)}
        for name, each in SETTINGS.items() if name in SEARCHES
    ]  # fmt: skip
    about = {"name": "painter", "version": "1", "picture_size": 8, "generation": {}}
    return about | {"has_confidence": True, "settings": settings} | changes


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *line):
        pass


@contextlib.contextmanager
def serving(folder):
    """The address of a folder, served as `python -m http.server` does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host") / "site"  # below the top, as on any host
    folder.mkdir()
    make_site(folder, about_model())
    with serving(folder.parent) as url:
        yield url + "site/"


WATCH = """
    window.violations = [];
    addEventListener("securitypolicyviolation", (event) => violations.push(event.blockedURI));
    addEventListener("error", (event) => violations.push(event.message));
    addEventListener("unhandledrejection", (event) => violations.push(String(event.reason)));
"""


@pytest.fixture
def watched(browser):
    """A browser that notes what a page's own rules forbid, and errors that nothing caught."""
    browser.set_window_size(1000, 800)
    command = "Page.addScriptToEvaluateOnNewDocument"
    script = browser.execute_cdp_cmd(command, {"source": WATCH})["identifier"]
    yield browser
    assert browser.execute_script("return violations") == []
    browser.execute_script("addEventListener('beforeunload', (event) => {"
                           "event.stopImmediatePropagation(); }, { capture: true })")  # fmt: skip
    browser.get("about:blank")
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})


@pytest.fixture
def page(site, watched):
    open_page(watched, site)
    return watched


@pytest.fixture
def own_site(tmp_path):
    """A folder of the page, to be changed and served."""
    folder = tmp_path / "own"
    folder.mkdir()
    make_site(folder, about_model())
    return folder


def open_page(browser, url):
    browser.get(url)
    until(lambda: browser.find_element(By.ID, "options").is_displayed())


def text_of(page, name):
    """The text of an element, also while the page is loaded anew."""
    return page.execute_script(f"return document.getElementById('{name}')?.textContent")


def offline_text(page):
    return text_of(page, "offline")


@pytest.fixture
def many(tmp_path):
    """Photos of three colours in two folders, a file that is none, and two not to be chosen."""
    folder = tmp_path / "photos"
    (folder / "more" / ".hidden").mkdir(parents=True)
    for number in range(12):
        name = folder / ("more" if number % 2 else "") / f"{number}.png"
        Image.new("RGB", (60, 40), COLOURS[number % 3]).save(name)
    (folder / BROKEN).write_text("no picture")
    (folder / "notes.txt").write_text("not chosen with a folder")
    Image.new("RGB", (9, 9)).save(folder / "more" / ".hidden" / "no.png")
    return folder


def tell_engine(page, word):
    page.execute_async_script(
        "const [word, done] = arguments; const channel = new BroadcastChannel('fake');"
        "channel.postMessage(word); setTimeout(done, 50);", word,
    )  # fmt: skip


def downloaded(page, button):
    """The bytes of the file that a button would write, and its name."""
    name, content = page.execute_async_script(
        "const [button, done] = arguments, made = URL.createObjectURL; let file;"
        "HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; };"
        "URL.createObjectURL = (blob) => { file = blob; return made(blob); };"
        "document.getElementById(button).click(); URL.createObjectURL = made;"
        "file.arrayBuffer().then((bytes) => done([savedAs, [...new Uint8Array(bytes)]]));", button,
    )  # fmt: skip
    return name, bytes(content)


def field_of(page, number):
    """Opens the caption of a card for editing, and returns the field."""
    page.find_elements(By.CSS_SELECTOR, "#cards > li")[number].find_element(
        By.CLASS_NAME, "edit"
    ).send_keys(Keys.ENTER)
    field = page.switch_to.active_element
    assert field.tag_name == "textarea"
    return field


def edit(page, number, text, key=Keys.ENTER):
    field_of(page, number).send_keys(Keys.CONTROL, "a", Keys.NULL, text, key)


def captions(page):
    return [caption for _, caption, _ in cards(page)]


def give(page, kind, files):
    """Drops or pastes files, a dict from names to paths."""
    page.execute_script(
        "const [kind, files] = arguments, transfer = new DataTransfer();"
        "for (const [name, content] of files) transfer.items.add(new File("
        "[Uint8Array.from(atob(content), (each) => each.charCodeAt(0))], name,"
        "{ lastModified: name.length, type: 'image/png' }));"
        "document.dispatchEvent(kind === 'drop' ? new DragEvent('drop', { dataTransfer: transfer })"
        " : new ClipboardEvent('paste', { clipboardData: transfer }));",
        kind, [[name, base64.b64encode(path.read_bytes()).decode()] for name, path in files],
    )  # fmt: skip


def test_a_folder(page, many):
    choose(page, many, field="folder")
    wait_until_done(page)
    assert page.find_element(By.ID, "count").text == "12 photos captioned, 1 failed"
    found = cards(page)
    assert len(found) == 13
    assert [name for name, _, _ in found][:3] == ["photos/0.png", "photos/2.png", "photos/4.png"]
    for name, caption, error in found:
        if name.endswith(".jpg"):
            assert (caption, error[:13]) == ("", "not a picture")
        else:
            assert (caption, error) == (f"a {COLOURS[int(Path(name).stem) % 3]} photo", "")
    assert "Confidence 75 %" in page.find_element(By.CSS_SELECTOR, "#cards > li").text


def test_downloads_are_those_of_the_command_line(page, many, tmp_path):
    """Read by Python's own modules, by our readers, and compared with what `caption.py` writes."""
    os.link(many / "0.png", many / "=SUM(1).png")
    choose(page, many / "0.png", many / BROKEN, many / "4.png", many / "=SUM(1).png")
    wait_until_done(page)
    edit(page, 2, 'a "green", grün square')
    name, table = downloaded(page, "csv")
    assert name == "captions.csv"
    rows = list(csv.reader(io.StringIO(table.decode("utf-8-sig"), newline="")))
    assert rows == [
        ["image", "caption", "score", "confidence"],
        ["0.png", "a red photo", "-0.5000", "0.7500"],
        ["4.png", 'a "green", grün square', "", ""],
        ["./=SUM(1).png", "a red photo", "-0.5000", "0.7500"],
    ]
    name, lines = downloaded(page, "jsonl")
    assert name == "captions.jsonl"
    entries = [json.loads(line) for line in lines.decode().splitlines()]
    written = io.StringIO()
    writer = JsonLinesWriter(written, with_scores=True)
    red = Caption("a red photo", -0.5, ("a", "red", "photo"), (-0.05, -0.45, -0.85, -1.25), None,
                  0.75)  # fmt: skip
    writer.write("0.png", [red])
    writer.write_failure(BROKEN, "not a picture, or of a kind that this browser cannot read")
    writer.write("=SUM(1).png", [red])
    assert [entries[0], entries[1], entries[3]] == [
        json.loads(line) for line in written.getvalue().splitlines()
    ]
    assert entries[2] == {"image": "4.png", "caption": 'a "green", grün square'}
    for file, content in (("captions.csv", table), ("captions.jsonl", lines)):
        path = many / file
        path.write_bytes(content)
        assert list(load_results(path).values()) == [
            "a red photo", 'a "green", grün square', "a red photo"
        ]  # fmt: skip
        assert load_dataset(path, images=many).references() == {
            "0.png": ["a red photo"],
            "4.png": ['a "green", grün square'],
            "=SUM(1).png": ["a red photo"],
        }


def test_text_files(page, many, tmp_path):
    shutil.copy(many / "2.png", many / "more" / "2.png")
    shutil.copy(many / "2.png", many / "0.webp")
    choose(page, many, field="folder")
    wait_until_done(page)
    names = [name for name, _, _ in cards(page)]
    edit(page, names.index("photos/8.png"), "a hand-written caption")
    name, content = downloaded(page, "zip")
    assert name == "captions.zip"
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    assert len(archive.namelist()) == len(set(archive.namelist())) == 13
    assert archive.read("photos/more/2.txt") == b"a blue photo\n"
    problem = page.find_element(By.ID, "problem").text
    assert "photos/0.webp: photos/0.txt is of photos/0.png, which has the same name" in problem
    archive.extractall(tmp_path)
    for name in ("notes.txt", "0.webp", BROKEN):
        (many / name).unlink()
    read = load_dataset(many).references()
    assert len(read) == 13
    assert read["8.png"] == ["a hand-written caption"]


def test_editing(page, many):
    choose(page, many / "0.png", many / BROKEN, many / "2.png")
    wait_until_done(page)
    edit(page, 0, "  a first   one ", Keys.CONTROL + Keys.ENTER)
    # The next one is open, though it has no caption of the model.
    field = page.switch_to.active_element
    assert field.get_attribute("aria-label") == f"Caption of {BROKEN}"
    field.send_keys("written by hand", Keys.CONTROL + Keys.ENTER)
    page.switch_to.active_element.send_keys("dropped", Keys.ESCAPE)
    assert captions(page) == ["a first one", "written by hand", "a blue photo"]
    assert page.switch_to.active_element.text == "Edit"
    first, second, third = page.find_elements(By.CSS_SELECTOR, "#cards > li")
    assert "Edited" in first.text
    assert "Edited" not in third.text
    assert "Confidence" not in first.text  # it was that of another text
    assert "not a picture" in second.text
    first.find_element(By.CLASS_NAME, "undo").send_keys(Keys.ENTER)
    assert captions(page)[0] == "a red photo"
    assert page.switch_to.active_element.text == "Edit"
    edit(page, 0, "", Keys.BACKSPACE + Keys.TAB)  # an empty caption is none
    assert captions(page)[0] == "a red photo"
    third.find_element(By.TAG_NAME, "summary").click()
    use = third.find_element(By.CSS_SELECTOR, "ol button")
    assert use.get_attribute("aria-label") == "Use: a blue photo again"
    use.click()
    assert captions(page)[2] == "a blue photo again"


def test_an_edit_outlives_changed_settings(page, many):
    choose(page, many / "0.png", many / "2.png")
    wait_until_done(page)
    field_of(page, 0).send_keys(Keys.END, " of a fox")
    page.find_element(By.CSS_SELECTOR, "#options summary").click()
    Select(page.find_element(By.NAME, "method")).select_by_visible_text("greedy")
    until(lambda: captions(page) == ["a red photo of a fox", "a blue photo greedy"])
    wait_until_done(page)
    page.find_element(By.CLASS_NAME, "undo").click()
    assert captions(page)[0] == "a red photo greedy"


def test_what_is_announced(page, many):
    """The end once, and each edit: not the model's caption at every letter."""
    page.execute_script(
        "window.said = []; const place = document.getElementById('announcement');"
        "new MutationObserver(() => said.push(place.textContent)).observe(place,"
        "{ childList: true });"
    )
    choose(page, many / "0.png")
    wait_until_done(page)
    edit(page, 0, "mine")
    page.find_element(By.CLASS_NAME, "undo").click()
    assert page.execute_script("return said") == [
        "1 photo added", "a red photo", "Changed to: mine", "Undone"
    ]  # fmt: skip


def test_numbers_as_people_type_them(page, many):
    choose(page, many / "0.png")
    wait_until_done(page)
    page.find_element(By.CSS_SELECTOR, "#options summary").click()
    for typed, meant in ((".5", "0.5"), ("-.25", "-0.25"), ("007", "7")):
        field = page.find_element(By.NAME, "length_penalty")
        field.clear()
        field.send_keys(typed, Keys.TAB)
        until(lambda meant=meant: captions(page) == [f"a red photo {meant}"])


def test_edits_are_not_lost_by_mistake(page, many):
    choose(page, many / "0.png")
    wait_until_done(page)
    edit(page, 0, "mine")
    asked = "window.confirm = () => { window.asked = (window.asked ?? 0) + 1; return false; };"
    page.execute_script(asked)
    page.find_element(By.ID, "clear").click()
    assert captions(page) == ["mine"]
    downloaded(page, "csv")
    page.find_element(By.ID, "clear").click()
    assert captions(page) == []
    assert page.execute_script("return asked") == 1


def test_stop_and_continue(page, many):
    tell_engine(page, "hold")
    choose(page, *(many / f"{n}.png" for n in range(0, 12, 2)))
    stop = page.find_element(By.ID, "stop")
    assert page.find_element(By.ID, "count").text == "0 of 6"
    stop.click()
    assert page.find_element(By.ID, "count").text == "0 of 6, stopped"
    assert set(captions(page)) == {"Waiting"}
    tell_engine(page, "go")
    assert set(captions(page)) == {"Waiting"}
    stop.click()
    wait_until_done(page)
    assert captions(page) == [f"a {COLOURS[n % 3]} photo" for n in range(0, 12, 2)]


def test_an_answer_to_former_settings_is_not_shown(page, many):
    tell_engine(page, "hold")
    choose(page, many / "0.png")
    page.find_element(By.CSS_SELECTOR, "#options summary").click()
    Select(page.find_element(By.NAME, "method")).select_by_visible_text("greedy")
    until(lambda: captions(page) == ["…"])
    tell_engine(page, "go")
    until(lambda: captions(page) == ["a red photo greedy"])
    assert not page.find_element(By.NAME, "beam_size").is_displayed()


def test_dropped_and_pasted(page, many):
    for _ in range(2):
        give(page, "drop", [["a.png", many / "0.png"], ["b.png", many / "2.png"]])
    give(page, "paste", [["image.png", many / "4.png"]])
    give(page, "paste", [["image.png", many / BROKEN]])  # another file of the same name
    until(lambda: page.find_element(By.ID, "count").text == "3 photos captioned, 1 failed")
    assert [(name, caption) for name, caption, _ in cards(page)] == [
        ("a.png", "a red photo"),
        ("b.png", "a blue photo"),
        ("image.png", "a green photo"),
        ("image (2).png", ""),
    ]


def test_the_least_sure_first(page, many):
    choose(page, many / "0.png", many / "2.png", many / BROKEN, many / "4.png")
    wait_until_done(page)
    order = Select(page.find_element(By.ID, "order"))
    order.select_by_value("unsure")
    names = ["2.png", "4.png", "0.png"]  # of 25, 50 and 75 %
    assert [name for name, _, _ in cards(page)] == [BROKEN, *names]
    edit(page, 1, "seen to")
    order.select_by_value("added")
    assert [name for name, _, _ in cards(page)] == ["0.png", "2.png", BROKEN, "4.png"]
    order.select_by_value("unsure")
    assert [name for name, _, _ in cards(page)] == [BROKEN, "4.png", "0.png", "2.png"]
    choose(page, many / "8.png")  # those that come later take their place, too
    until(lambda: [name for name, _, _ in cards(page)][:2] == [BROKEN, "8.png"])


def test_a_thousand_photos_do_not_fill_the_memory(page, many):
    tell_engine(page, "hold")
    page.execute_script(
        "const bytes = Uint8Array.from(atob(arguments[0]), (each) => each.charCodeAt(0));"
        "const transfer = new DataTransfer();"
        "for (let n = 0; n < 1000; n += 1) transfer.items.add(new File([bytes], `${n}.png`));"
        "document.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer }));",
        base64.b64encode((many / "0.png").read_bytes()).decode(),
    )
    assert page.find_element(By.ID, "count").text == "0 of 1000"
    loaded = "return [...document.images].filter((each) => each.src).length"
    first = page.find_element(By.CSS_SELECTOR, "#cards img")
    until(lambda: first.get_attribute("src"))
    page.execute_script("scrollTo(0, document.body.scrollHeight)")
    until(lambda: page.execute_script("return [...document.images].at(-1).src"))
    until(lambda: not first.get_attribute("src"))
    assert page.execute_script(loaded) < 100


def test_a_page_opened_as_a_file(own_site, browser):
    """Browsers start no modules of a file: the page says what to do, by itself."""
    browser.get((own_site / "index.html").as_uri())
    until(lambda: browser.find_element(By.ID, "unstarted").is_displayed())
    assert "python -m http.server" in browser.find_element(By.ID, "unstarted").text
    with serving(own_site) as url:
        open_page(browser, url)
        assert not browser.find_elements(By.ID, "unstarted")
    browser.get("about:blank")


def test_an_engine_that_does_not_open(own_site, watched):
    (own_site / "model" / "about.json").unlink()
    with serving(own_site) as url:
        watched.get(url)
        problem = watched.find_element(By.ID, "problem")
        until(lambda: problem.text == "model/about.json cannot be loaded")
        (own_site / "engine" / "worker.js").unlink()
        watched.get(url)
        problem = watched.find_element(By.ID, "problem")
        until(lambda: "could not be loaded" in problem.text)


def test_an_engine_that_dies(page, many):
    tell_engine(page, "hold")
    choose(page, many / "0.png", many / "2.png")
    tell_engine(page, "die")
    until(lambda: "stopped working" in page.find_element(By.ID, "problem").text)
    assert set(captions(page)) == {"Waiting"}


def test_without_confidence(own_site, watched, many):
    (own_site / "model" / "about.json").write_text(json.dumps(about_model(has_confidence=False)))
    with serving(own_site) as url:
        open_page(watched, url)
        choose(watched, many / "0.png")
        wait_until_done(watched)
        assert "onfidence" not in watched.find_element(By.ID, "cards").text
        assert not watched.find_element(By.ID, "order").is_displayed()
        _, table = downloaded(watched, "csv")
        assert table.decode("utf-8-sig").splitlines()[1] == "0.png,a red photo,-0.5000,"


def test_nothing_can_be_sent_elsewhere(page, tmp_path):
    with serving(tmp_path) as elsewhere:
        is_sent = page.execute_async_script(
            "const [url, done] = arguments; fetch(url).then(() => done(true), () => done(false));",
            elsewhere,
        )
    assert not is_sent
    assert set(page.execute_script("return violations.splice(0)")) == {elsewhere}
    # Nor by an image, a form or a script that something might have put into the page.
    rules = page.find_element(By.CSS_SELECTOR, "meta[http-equiv]").get_attribute("content")
    assert rules.startswith("default-src 'none'; ")
    assert "unsafe-inline" not in rules
    assert "unsafe-eval" not in rules.replace("'wasm-unsafe-eval'", "")
    assert "http" not in rules


def test_without_a_network(own_site, watched, many):
    with serving(own_site) as url:
        open_page(watched, url)
        until(lambda: offline_text(watched) == "Ready for offline use")
    open_page(watched, url)  # the server is gone
    choose(watched, many / "2.png")
    wait_until_done(watched)
    assert captions(watched) == ["a blue photo"]
    assert offline_text(watched) == "Ready for offline use"


def stored_files(page):
    """The addresses of what is kept for offline use."""
    return page.execute_async_script(
        "const done = arguments[0]; caches.keys().then(async ([name]) => "
        "done((await (await caches.open(name)).keys()).map((each) => each.url)))"
    )


@pytest.mark.long
def test_the_shipped_model_without_a_network(tmp_path, watched):
    photos = [os.path.abspath(f"data/samples/{name}.jpg") for name in ("photographer", "horses")]
    folder = tmp_path / "site"
    export_site(DEFAULT_PRESET, folder)
    with serving(folder) as url:
        open_page(watched, url)
        until(lambda: offline_text(watched) == "Ready for offline use", 60)
    assert sum(path.endswith(".wasm") for path in stored_files(watched)) == 1  # of two builds
    open_page(watched, url)  # the server is gone
    choose(watched, *photos)
    until(lambda: watched.find_element(By.ID, "count").text == "2 photos captioned", 60)
    assert captions(watched) == load_models([DEFAULT_PRESET]).generate(photos)
    assert len(watched.find_elements(By.CSS_SELECTOR, "#cards ol li")) == 4


@pytest.mark.long
def test_a_new_version_is_offered(own_site, watched):
    with serving(own_site) as url:
        open_page(watched, url)
        until(lambda: offline_text(watched) == "Ready for offline use")
        assert not watched.find_element(By.ID, "update").is_displayed()
        make_site(own_site, about_model(name="painter 2"))
        open_page(watched, url)
        assert watched.find_element(By.ID, "model").text == "painter"  # not half of each
        until(lambda: watched.find_element(By.ID, "update").is_displayed())
        watched.find_element(By.ID, "reload").click()
        until(lambda: text_of(watched, "model") == "painter 2")
        names = "caches.keys().then(arguments[0])"
        until(lambda: len(watched.execute_async_script(names)) == 1)


@pytest.mark.long
def test_a_download_that_is_not_whole_is_not_used(own_site, watched):
    changed = own_site / "page.css"
    content = changed.read_bytes()
    changed.write_bytes(content[:-1])
    with serving(own_site) as url:
        open_page(watched, url)
        until(lambda: offline_text(watched).startswith("Not kept for offline use"))
        active = "navigator.serviceWorker.getRegistration().then((each) => arguments[0](!!each))"
        assert watched.execute_async_script(active) is False
        changed.write_bytes(content)
        open_page(watched, url)
        until(lambda: offline_text(watched) == "Ready for offline use")


def test_a_browser_without_service_workers(site, watched, many):
    """By http, browsers have them only for pages from this machine."""
    source = {"source": "delete Navigator.prototype.serviceWorker"}
    command = "Page.addScriptToEvaluateOnNewDocument"
    script = watched.execute_cdp_cmd(command, source)["identifier"]
    open_page(watched, site)
    watched.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})
    assert offline_text(watched) == "Works online only: offline use needs https"
    choose(watched, many / "0.png")
    wait_until_done(watched)
    assert captions(watched) == ["a red photo"]


def test_every_control_has_a_name(page, many):
    choose(page, many / "0.png", many / BROKEN)
    wait_until_done(page)
    edit(page, 0, "mine")
    page.find_element(By.CSS_SELECTOR, "#options summary").click()
    page.find_element(By.CSS_SELECTOR, "#cards summary").click()
    field_of(page, 1)
    nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    kinds = {"button", "textbox", "spinbutton", "combobox", "progressbar", "list", "link",
             "DisclosureTriangle"}  # fmt: skip
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in kinds
    ]
    assert {kind for kind, _ in found} >= {"button", "textbox", "spinbutton", "combobox"}
    assert [kind for kind, name in found if not name and kind != "list"] == []
    assert ("textbox", f"Caption of {BROKEN}") in found
    assert ("button", "Edit: mine") in found
    assert ("button", "Copy: mine") in found


# The contrast of each text with what is behind it, as WCAG 2 defines it; those below 4.5.
CONTRAST = """
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const shown = (colours) => {
        for (const each of colours) { canvas.fillStyle = each; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (colour) => colour.map((each) => each / 255)
        .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
        .reduce((sum, each, n) => sum + [0.2126, 0.7152, 0.0722][n] * each, 0);
    const behind = (element) => (element ? [...behind(element.parentElement),
        getComputedStyle(element).backgroundColor] : []);
    const hasText = (element) => element.checkVisibility() && !element.disabled
        && (element.value || [...element.childNodes].some((each) => each.data?.trim()));
    const texts = [...document.body.querySelectorAll("*")].filter(hasText);
    const contrasts = texts.map((element) => {
        const below = behind(element), colour = getComputedStyle(element).color;
        const [dark, light] = [shown(below), shown([...below, colour])].map(luminance).sort();
        return [element.textContent.slice(0, 40), (light + 0.05) / (dark + 0.05)];
    });
    return [contrasts.length, contrasts.filter(([, contrast]) => contrast < 4.5)];
"""


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read(page, many, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        choose(page, many / "0.png", many / BROKEN, many / "2.png")
        wait_until_done(page)
        until(lambda: page.find_elements(By.CLASS_NAME, "no-preview"))
        edit(page, 0, "mine")
        page.find_element(By.CSS_SELECTOR, "#options summary").click()
        page.find_element(By.CSS_SELECTOR, "#cards summary").click()
        field_of(page, 2)
        number, low = page.execute_script(CONTRAST)
        assert number > 40
        assert low == []
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.long
@pytest.mark.parametrize(("width", "is_phone"), [(390, True), (500, False)])
def test_on_a_small_screen(page, site, many, width, is_phone):
    """On a phone; and in a window of 1000 pixels when everything is twice as large."""
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": is_phone},
    )
    try:
        open_page(page, site)
        long_name = many / f"{'long' * 40}.png"
        os.link(many / "0.png", long_name)
        choose(page, long_name, many / BROKEN, many / "2.png")
        wait_until_done(page)
        edit(page, 0, "hand" * 40)
        for summary in page.find_elements(By.TAG_NAME, "summary"):
            summary.click()
        field_of(page, 2)
        root = "const { scrollWidth, clientWidth } = document.documentElement;"
        assert page.execute_script(root + "return scrollWidth - clientWidth") == 0
        small = page.execute_script(
            "return [...document.querySelectorAll('button, input, select, summary, textarea')]"
            ".filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 44)"
            ".map((each) => each.outerHTML)"
        )
        assert small == []
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_by_keyboard(page, many):
    """Tab leads through all that can be used, in the order in which it is shown."""
    choose(page, many / "0.png")
    wait_until_done(page)
    page.execute_script("document.activeElement.blur()")
    seen = []
    for _ in range(12):
        page.switch_to.active_element.send_keys(Keys.TAB)
        focus = page.switch_to.active_element
        seen.append(focus.get_attribute("id") or focus.get_attribute("aria-label") or focus.text)
        assert focus.value_of_css_property("outline-style") == "solid"
        if seen[-1].startswith("Copy"):
            break
    assert seen == [
        "choose", "choose-folder", "Settings", "csv", "jsonl", "zip", "order", "clear",
        "2 other captions", "Use: a red photo again", "Use: a red photo again again",
        "Edit: a red photo",
    ]  # fmt: skip
