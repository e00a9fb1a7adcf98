"""Boards with another part."""

import dataclasses

import boards


def with_part(name, part):
    return dataclasses.replace(boards.get(name), part=part)
