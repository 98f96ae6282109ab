"""nbval: pictures are looked at, not compared; stderr and the order of streams say nothing."""


def pytest_collectstart(collector):
    # Only nbval's collectors have it.
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("image/png", "image/svg+xml", "stderr")
