"""Links between the documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def links(text):
    """Targets of links and pictures, code blocks left out, anchors cut off."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    targets = re.findall(r"\]\(<?([^)\s>]+)", prose)
    return {t.partition("#")[0] for t in targets if not re.match(r"[a-z]+:|#", t)}


def anchored(document):
    """Pairs of a document and an anchor in it, for each link of `document` to a heading."""
    targets = re.findall(r"\]\(([\w./-]*)#([^)\s]+)\)", document.read_text(encoding="utf-8"))
    return [(document.parent / path if path else document, anchor) for path, anchor in targets]


def anchors(document):
    """Anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_are_found_in_text_and_pictures_but_not_in_code():
    text = "[a](b.md#c) ![d](e/f.png 'g') [h](https://i.j) [k](#l)\n```\n[m](n)\n```\n"
    assert links(text) == {"b.md", "e/f.png"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_lead_to_files_of_the_repository(document):
    found = links(document.read_text(encoding="utf-8"))
    assert [t for t in sorted(found) if not (document.parent / t).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_headings_lead_to_headings(document):
    assert [anchor for path, anchor in anchored(document) if anchor not in anchors(path)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_row_of_a_table_stands_under_a_head(document):
    tables = re.findall(r"(?:^\|.*\n)+", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert [rows for rows in tables if not re.match(r".*\n\|(?:-+\|)+\n", rows)] == []


def test_every_document_is_linked_from_the_readme():
    linked = links(DOCUMENTS[0].read_text(encoding="utf-8"))
    assert {f"docs/{path.name}" for path in DOCUMENTS[1:]} <= linked


def test_pictures_of_how_it_works_are_all_shown_and_small():
    pictures = sorted((ROOT / "assets" / "how-it-works").iterdir())
    shown = links((ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8"))
    assert {f"../assets/how-it-works/{picture.name}" for picture in pictures} <= shown
    sizes = [picture.stat().st_size for picture in pictures]
    assert max(sizes) < 300_000
    assert sum(sizes) < 1_500_000
