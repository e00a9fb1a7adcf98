"""Gateware of the core; ``docs/architecture/core.md`` says exactly what it does."""
