"""The page's text: whole or not at all, the same for the same run, and commands that work."""

from __future__ import annotations

import json
import re
import shlex

import pytest

import tempseg
from tempseg.config import load_config
from tempseg.errors import OutputError
from tempseg.report import write_page
from tempseg.report.markup import Markup, element, script_json
from tempseg.report.recipe import changed_keys, making_commands
from tempseg.report.records import read_run
from tempseg.report.tables import shown_value
from tests.report.conftest import CLASSES, SOURCE, segment_clip


def test_the_same_run_gives_the_same_page(copied):
    first = write_page(copied).read_bytes()
    assert write_page(copied).read_bytes() == first


def test_the_page_holds_its_data_once_and_whole(finished):
    text = (finished / "report.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="page-data">(.*?)</script>', text)
    held = json.loads(data)
    assert set(held["charts"]) == {"timeline", "evidence", "steadiness", "areas", "stages"}
    assert len(held["runs"][0]["ticks"]) == 39


def test_nothing_in_the_page_leads_to_the_network(finished):
    text = (finished / "report.html").read_text(encoding="utf-8")
    own = re.sub(r"<script>/\*\*.*?</script>", "", text, flags=re.DOTALL)
    assert len(own) < len(text) / 4
    addresses = re.findall(r'(?:src|href)="([^"]*)"', own)
    assert {a for a in addresses if not a.startswith("data:")} == {"overlay.mp4"}


def test_the_page_says_where_temporal_consistency_is_to_be_had(finished):
    text = (finished / "report.html").read_text(encoding="utf-8")
    assert "TC and flicker need a flow of their own" in text


def test_the_length_of_the_video_goes_up_to_the_last_frames_end(finished):
    assert '<dd class="note">1.61 s of video</dd>' in (finished / "report.html").read_text("utf-8")


def test_one_frame_is_promised_no_steadiness(material, tmp_path):
    segment_clip(material, tmp_path / "run", config={"source.end": 0.03})
    assert "<h2>Steadiness</h2>" not in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_a_setting_that_is_empty_is_called_none():
    assert [shown_value(value) for value in ("", [], None, 0, False)] == [
        *["none"] * 3,
        "0",
        "false",
    ]


def test_a_page_that_cannot_be_written_leaves_the_old_one(copied, monkeypatch):
    import os

    def full(*_):
        raise OSError(28, "No space left on device")

    old = (copied / "report.html").read_bytes()
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match=r"report\.html: cannot be written: No space left"):
        write_page(copied)
    assert (copied / "report.html").read_bytes() == old
    assert sorted(p.name for p in copied.iterdir()) == [
        "frames.csv", "masks.mkv", "overlay.mp4", "report.html", "run.json"
    ]  # fmt: skip


def test_the_command_to_run_again_gives_the_same_config(finished):
    run = read_run(finished)
    words = shlex.split(making_commands(run)[-1][1])
    assert words[:3] == ["tempseg", "run", run.source]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options["--out"] == f"{finished}-again"
    keys = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    again = load_config(overrides=[*keys, ("segmenter.model", options["--model"])])
    assert again.model_dump(mode="json") == run.config
    assert changed_keys(run)["segmenter.classes"] == CLASSES


def test_a_source_that_looks_like_an_option_is_never_one_in_a_command(copied):
    record = json.loads((copied / "run.json").read_text())
    record["source"]["name"] = "-we ird.mp4"
    (copied / "run.json").write_text(json.dumps(record))
    assert shlex.split(making_commands(read_run(copied))[-1][1])[2] == "./-we ird.mp4"


def test_elements_escape_text_and_attributes_but_not_markup():
    inner = element("b", "<&>")
    assert inner == "<b>&lt;&amp;&gt;</b>"
    assert element("p", inner, title='"') == '<p title="&quot;"><b>&lt;&amp;&gt;</b></p>'
    assert isinstance(inner, Markup)


def test_json_in_a_script_can_neither_end_nor_comment_it():
    text = script_json({"a": "</script><!--"})
    assert "<" not in text
    assert json.loads(text) == {"a": "</script><!--"}


def test_a_name_that_is_no_text_is_written_all_the_same(copied):
    record = json.loads((copied / "run.json").read_text())
    record["source"]["name"] = "caf\udce9.mp4"
    (copied / "run.json").write_text(json.dumps(record))
    assert "caf?.mp4" in write_page(copied).read_text(encoding="utf-8")


def test_no_report_writes_no_page_and_an_old_one_does_not_stay(material, tmp_path):
    segment_clip(material, tmp_path / "run")
    assert (tmp_path / "run" / "report.html").exists()
    segment_clip(material, tmp_path / "run", config={"output.report": False}, overwrite=True)
    assert not (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "run.json").exists()


def test_a_page_that_fails_costs_no_results(material, tmp_path, monkeypatch, caplog):
    from tempseg.report import run_page

    def broken(_):
        raise ZeroDivisionError("a fault of the page")

    monkeypatch.setattr(run_page, "summarise_labels", broken)
    summary = segment_clip(material, tmp_path / "run")
    assert summary.totals.frames == 40
    assert {p.name for p in (tmp_path / "run").iterdir()} == {
        "frames.csv", "masks.mkv", "overlay.mp4", "run.json"
    }  # fmt: skip
    (said,) = [record.message for record in caplog.records]
    assert "without its report (a fault of the page)" in said
    assert "tempseg report" in said


def test_report_says_so_when_the_source_is_gone(copied):
    record = json.loads((copied / "run.json").read_text())
    record["source"]["name"] = "/nowhere/gone.mp4"
    (copied / "run.json").write_text(json.dumps(record))
    page = tempseg.api.report(copied)
    assert "gone.mp4, which is not there" in page.read_text(encoding="utf-8")
    assert SOURCE not in page.read_text(encoding="utf-8")
