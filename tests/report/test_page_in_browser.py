"""The page as a browser shows it: clicks, themes, widths, and names from outside."""

from __future__ import annotations

import itertools

import pytest

from tempseg.report import write_comparison, write_page
from tests.report.conftest import BLINK, CLASSES, FRAMES, SOURCE, frame_ticks, segment_clip

CHARTS = ("timeline", "evidence", "steadiness", "areas", "stages")


class Visit:
    """A page open in the browser, with what it said and asked for."""

    def __init__(self, context, path):
        self.faults = []
        self.requests = []
        self.page = context.new_page()
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_function(
            "[...document.querySelectorAll('video')].every(video => video.readyState >= 2)"
        )

    def __getattr__(self, name):
        return getattr(self.page, name)

    def box(self, chart):
        box = self.page.locator(f"[data-chart={chart}]")
        box.scroll_into_view_if_needed()
        return box

    def click_at(self, chart, time_s):
        """Click a chart where its axis shows a time."""
        x = self.page.evaluate(
            "([name, time]) => { const axis = document.querySelector(`[data-chart=${name}]`)"
            "._fullLayout.xaxis; return axis._offset + axis.d2p(time); }",
            [chart, time_s],
        )
        self.box(chart).click(position={"x": x, "y": 30})

    def seek_times(self):
        return self.page.evaluate(
            "[...document.querySelectorAll('video')].map(video => video.currentTime)"
        )

    def range_of(self, chart):
        return self.page.evaluate(
            "name => document.querySelector(`[data-chart=${name}]`)._fullLayout.xaxis.range", chart
        )


@pytest.fixture(scope="module")
def contexts(browser):
    opened = []

    def opening(path, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        opened.append(context)
        return Visit(context, path)

    yield opening
    for context in opened:
        context.close()


@pytest.fixture(scope="module")
def visit(contexts, finished):
    return contexts(finished / "report.html")


def _time(index):
    return frame_ticks(index) / 1000


def test_the_page_says_no_error_and_asks_for_nothing_but_the_overlay(visit, finished):
    assert visit.faults == []
    asked = {url.rpartition("/")[2] for url in visit.requests if not url.startswith("data:")}
    assert asked == {"report.html", "overlay.mp4"}
    assert all(url.startswith(("file://", "data:")) for url in visit.requests)


def test_every_chart_is_drawn_over_the_same_axis(visit):
    for chart in CHARTS:
        assert visit.locator(f"[data-chart={chart}] svg.main-svg").count() > 0
    assert len({tuple(visit.range_of(chart)) for chart in CHARTS}) == 1
    assert visit.range_of("timeline")[0] == pytest.approx(_time(0))


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("time_s", [0.3, 0.81, 1.5])
def test_a_click_on_a_chart_seeks_the_video(visit, chart, time_s):
    visit.click_at(chart, time_s)
    assert visit.seek_times() == pytest.approx([time_s], abs=0.04)


def test_a_click_near_a_keyframes_mark_seeks_to_that_keyframe(visit):
    mark = _time(24)
    visit.click_at("timeline", mark + 0.005)
    assert visit.seek_times() == pytest.approx([mark], abs=0.001)
    assert visit.locator("#playhead").inner_text().endswith("frame 24, keyframe (interval)")


def test_buttons_step_from_frame_to_frame_and_from_keyframe_to_keyframe(visit):
    visit.click_at("steadiness", _time(18) + 0.01)
    for step, index in (("frame-on", 19), ("frame-back", 18), ("keyframe-on", 24),
                        ("keyframe-back", BLINK)):  # fmt: skip
        visit.locator(f"[data-step={step}]").click()
        assert visit.seek_times() == pytest.approx([_time(index)], abs=0.001)


def test_buttons_keep_their_place_while_the_video_is_in_the_corner(visit):
    def place():
        return visit.evaluate(
            "[...document.querySelectorAll('[data-step]')]"
            ".map(button => button.getBoundingClientRect().top + scrollY)"
        )

    visit.locator("h1").scroll_into_view_if_needed()
    visit.wait_for_function("!document.querySelector('.docked')")
    before = place()
    visit.click_at("areas", _time(18))
    visit.wait_for_function("document.querySelector('.docked')")
    assert place() == pytest.approx(before, abs=1)


def test_a_step_shows_the_video_where_only_the_buttons_are_in_view(visit):
    # Not by the locator, which may scroll the video into view to press the button.
    visit.evaluate(
        "document.querySelector('.transport').scrollIntoView({block: 'start'});"
        "document.querySelector('[data-step=frame-on]').click()"
    )
    visit.wait_for_function("document.querySelector('.docked')")
    video = visit.locator("video").bounding_box()
    assert video["y"] > 0
    assert video["y"] + video["height"] < 800
    visit.evaluate("document.querySelector('h1').scrollIntoView()")
    visit.wait_for_function("!document.querySelector('.docked')")


def test_a_moments_card_seeks_to_its_moment(visit):
    card = visit.locator(".moment").first
    card.click()
    assert visit.seek_times() == pytest.approx([float(card.get_attribute("data-seek"))], abs=0.001)


def test_a_drag_zooms_every_chart_and_a_button_leads_back(visit):
    whole = visit.range_of("evidence")
    corner = visit.box("steadiness").bounding_box()
    before = visit.seek_times()
    visit.mouse.move(corner["x"] + 300, corner["y"] + 50)
    visit.mouse.down()
    visit.mouse.move(corner["x"] + 600, corner["y"] + 50, steps=5)
    visit.mouse.up()
    visit.locator("#whole").wait_for(state="visible")
    ranges = [visit.range_of(chart) for chart in CHARTS]
    assert all(inner == pytest.approx(ranges[0]) for inner in ranges)
    assert whole[0] < ranges[0][0] < ranges[0][1] < whole[1]
    assert visit.seek_times() == before
    visit.locator("#whole").click()
    assert visit.range_of("evidence") == pytest.approx(whole)


def test_the_switch_flips_the_theme_of_page_and_charts(visit):
    def colours():
        return visit.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('.xtick text')).fill]"
        )

    light = colours()
    visit.locator("#theme").click()
    dark = colours()
    assert all(a != b for a, b in zip(light, dark, strict=True))
    visit.locator("#theme").click()
    assert colours() == light


def test_the_system_chooses_the_theme_until_somebody_does(contexts, finished):
    fresh = contexts(finished / "report.html", color_scheme="dark")
    assert fresh.evaluate("document.documentElement.dataset.theme") == "dark"
    fresh.page.emulate_media(color_scheme="light")
    fresh.wait_for_function("document.documentElement.dataset.theme === 'light'")
    fresh.locator("#theme").click()
    for scheme in ("dark", "light"):
        fresh.page.emulate_media(color_scheme=scheme)
        fresh.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    assert fresh.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_nothing_overflows_sideways(visit, width):
    visit.page.set_viewport_size({"width": width, "height": 800})
    visit.wait_for_function(
        "[...document.querySelectorAll('[data-chart]')]"
        ".every(box => box._fullLayout.width === box.clientWidth)"
    )
    assert visit.evaluate("document.documentElement.scrollWidth") == width
    wide = visit.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('.wide, svg')"
        " && e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.className)"
    )
    assert wide == []


@pytest.mark.parametrize("width", [390, 700, 800, 1280])
def test_titles_of_rows_are_neither_cut_nor_run_into_thresholds(contexts, finished, width):
    shown = contexts(finished / "report.html", viewport={"width": width, "height": 800})
    boxes = shown.evaluate(
        "[...document.querySelectorAll('[data-chart]')].map(chart =>"
        " [chart.getBoundingClientRect().right, [...chart.querySelectorAll('.annotation text')]"
        "  .map(text => text.getBoundingClientRect()).map(b => [b.top, b.left, b.right])])"
    )
    assert any(titles for _, titles in boxes)
    for right, titles in boxes:
        ordered = sorted([round(top), left, end] for top, left, end in titles)
        assert all(end <= right for _, _, end in ordered)
        for (top, _, end), (below, left, _) in itertools.pairwise(ordered):
            assert top != below or end < left


def test_paper_shows_light_charts_of_its_own_width_and_all_colours(contexts, finished):
    shown = contexts(finished / "report.html", color_scheme="dark")
    shown.page.emulate_media(media="print")
    shown.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert shown.evaluate("document.documentElement.dataset.theme") == "light"
    assert shown.evaluate(
        "[...document.querySelectorAll('[data-chart]')].map(box => box._fullLayout.width)"
    ) == [700] * len(CHARTS)
    assert shown.evaluate(
        "getComputedStyle(document.querySelector('.legend i')).printColorAdjust"
    ) == ("exact")
    assert not shown.locator("video").is_visible()
    shown.page.emulate_media(media="screen", color_scheme="dark")
    shown.evaluate("dispatchEvent(new Event('afterprint'))")
    assert shown.evaluate("document.documentElement.dataset.theme") == "dark"
    assert shown.range_of("timeline")[0] == pytest.approx(_time(0))
    assert shown.evaluate("document.querySelector('[data-chart]')._fullLayout.width") > 700


def test_pictures_of_moments_are_there_before_anybody_scrolls_to_them(contexts, finished):
    shown = contexts(finished / "report.html")
    loaded = "[...document.querySelectorAll('.moment img')].map(image => image.complete)"
    assert set(shown.evaluate(loaded)) == {True}


def test_names_from_outside_stay_text(visit):
    assert visit.locator("h1").inner_text() == SOURCE
    assert visit.evaluate("window.broken") is None
    legends = visit.locator(".chart + .legend li").all_inner_texts()
    for name in CLASSES[1:3]:
        assert any(text.startswith(name) for text in legends)
    assert visit.locator("main a, main script, h1 b, main img[src=x]").count() == 0
    visit.box("areas").hover(position={"x": 400, "y": 100})
    hover = visit.locator("[data-chart=areas] .hoverlayer")
    assert hover.locator("a").count() == 0
    assert "<script>" in hover.text_content()


@pytest.fixture(scope="module")
def part(material, tmp_path_factory):
    """A run of the clip from 0.4 s on, whose overlay begins at zero."""
    out = tmp_path_factory.mktemp("part") / "part"
    segment_clip(material, out, config={"source.start": 0.4})
    return out


PART_BEGINS_S = next(_time(i) for i in range(FRAMES) if _time(i) - _time(0) >= 0.4)


def test_the_overlay_of_a_part_is_sought_on_its_own_clock(contexts, part):
    shown = contexts(part / "report.html")
    assert shown.range_of("timeline")[0] == pytest.approx(PART_BEGINS_S)
    shown.click_at("evidence", 1.3)
    assert shown.seek_times() == pytest.approx([1.3 - PART_BEGINS_S], abs=0.04)


def test_a_comparison_seeks_every_video_to_the_same_moment(contexts, finished, part, tmp_path):
    both = contexts(write_comparison(tmp_path / "both.html", [finished, part]))
    assert both.faults == []
    both.click_at("evidence", 1.1)
    assert both.seek_times() == pytest.approx([1.1, 1.1 - PART_BEGINS_S], abs=0.04)
    assert both.locator("h1").inner_text() == f"{finished.name} · part"
    assert both.range_of("areas-0") == both.range_of("areas-1")
    videos = both.locator("video").all()
    assert [video.get_attribute("aria-label") for video in videos] == [
        f"Overlay of {finished.name}",
        "Overlay of part",
    ]


def test_names_of_rows_stay_in_sight_when_a_table_is_scrolled(contexts, finished, tmp_path):
    page = write_comparison(tmp_path / "six.html", [finished] * 6)
    narrow = contexts(page, viewport={"width": 390, "height": 800})
    places = narrow.evaluate(
        "(() => { const table = document.querySelector('.wide'); table.scrollLeft = 120;"
        " return [table, ...table.querySelectorAll('th:first-child')]"
        ".map(e => e.getBoundingClientRect().left); })()"
    )
    assert narrow.evaluate("document.querySelector('.wide').scrollLeft") > 50
    assert len(places) > 2
    assert set(places) == {places[0]}


def test_a_run_without_an_overlay_still_has_pictures_and_curves(contexts, copied):
    (copied / "overlay.mp4").unlink()
    plain = contexts(write_page(copied))
    assert plain.faults == []
    assert plain.locator("video").count() == 0
    assert plain.locator(".moment img").count() > 0
    plain.click_at("evidence", 1.0)
    assert plain.locator("#playhead").inner_text().startswith("1.0")
