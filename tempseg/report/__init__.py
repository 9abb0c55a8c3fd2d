"""Runs, evaluations and tunes as pages to look at."""

from tempseg.report.comparison_page import write_comparison
from tempseg.report.evaluation_page import write_evaluation_page
from tempseg.report.run_page import PAGE, write_page
from tempseg.report.tuning_page import write_tuning

__all__ = ["PAGE", "write_comparison", "write_evaluation_page", "write_page", "write_tuning"]
