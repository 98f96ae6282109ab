"""``pytest tests/benchmarks -o python_files=bench_*.py -W ignore`` prints times, ratios, and what else they say."""


def pytest_terminal_summary(terminalreporter, config):
    for one in config._benchmarksession.benchmarks:
        if one.extra_info:
            said = ", ".join(f"{name} {value:.4g}" for name, value in one.extra_info.items())
            terminalreporter.write_line(f"{one.name}: {said}")
