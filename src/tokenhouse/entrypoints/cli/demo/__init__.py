"""The demo: a small economy with ninety days of use, made through the same verbs as everything else."""
