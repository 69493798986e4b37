"""Measures the service on this machine: `make bench`, or `python -m bench --help`. See docs/performance.md."""
