"""Graphs of the Neuromorphic Intermediate Representation (NIR): read and written."""
