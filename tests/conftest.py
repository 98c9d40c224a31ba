"""For all tests that pytest runs."""


def pytest_terminal_summary(terminalreporter):
    """CI runs a failed test once more: what it said the first time is told, too."""
    for report in terminalreporter.stats.get("rerun", ()):
        reason = [line for line in report.longreprtext.splitlines() if line.startswith("E ")]
        terminalreporter.write_line("\n".join([f"UNSTEADY {report.nodeid}", *(f"  {line}" for line in reason[:8])]))
