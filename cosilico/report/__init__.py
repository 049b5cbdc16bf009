"""The report: a run, or several runs side by side, as a page for people."""
