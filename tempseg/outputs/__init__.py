"""What a run leaves behind: overlay, label maps, tables, the record."""

from tempseg.outputs.label_store import LabelSink
from tempseg.outputs.overlay import OverlayPainter, OverlaySink
from tempseg.outputs.record import (
    Totals,
    amend_record,
    library_versions,
    read_class_set,
    read_totals,
    write_record,
)
from tempseg.outputs.staging import CHUNKS, RunFolder, make_room, new_folder
from tempseg.outputs.stats import FrameTableSink, verdict_cells, written_time

__all__ = [
    "CHUNKS",
    "FrameTableSink",
    "LabelSink",
    "OverlayPainter",
    "OverlaySink",
    "RunFolder",
    "Totals",
    "amend_record",
    "library_versions",
    "make_room",
    "new_folder",
    "read_class_set",
    "read_totals",
    "verdict_cells",
    "write_record",
    "written_time",
]
