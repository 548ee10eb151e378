"""Run a program inside an unpacked image: one Protocol, two implementations."""
