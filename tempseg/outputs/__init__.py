"""What a run leaves behind: overlay, label maps, tables, the record."""

from tempseg.outputs.label_store import LabelSink
from tempseg.outputs.overlay import OverlayPainter, OverlaySink
from tempseg.outputs.record import Totals, amend_record, read_class_set, write_record
from tempseg.outputs.staging import RunFolder, new_folder
from tempseg.outputs.stats import FrameTableSink

__all__ = [
    "FrameTableSink",
    "LabelSink",
    "OverlayPainter",
    "OverlaySink",
    "RunFolder",
    "Totals",
    "amend_record",
    "new_folder",
    "read_class_set",
    "write_record",
]
