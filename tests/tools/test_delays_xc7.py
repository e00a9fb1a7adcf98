"""The table of cell delays: where it comes from, and that it is a whole one."""

from hw.tools import delays_xc7, derive_xc7


def test_every_recipe_has_its_delay():
    assert list(delays_xc7.DELAYS) == list(derive_xc7.RECIPES)


def test_the_table_tells_its_source():
    assert delays_xc7.SOURCE == "https://github.com/f4pga/prjxray-db"
    assert delays_xc7.LICENCE == "CC0-1.0"
    assert len(bytes.fromhex(delays_xc7.COMMIT)) == 20


def test_delays_are_of_the_grade_that_the_data_sheet_knows():
    """Of a LUT, a block RAM with and without register, a DSP: DS181, speed grade -1, in ns."""
    found = delays_xc7.DELAYS
    assert (found["lut"], found["bram.clock"], found["bram.clock.register"]) == (
        0.124,
        2.454,
        0.882,
    )
    assert all(0 < delay < 4.1 for delay in found.values())
