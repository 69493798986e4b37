"""Long runs that look for what short tests miss: `make soak`, `python -m soak --help`; the crash tests use them too."""
