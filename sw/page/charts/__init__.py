"""The charts of a page: matplotlib's drawings as SVG whose colours the page chooses."""
