"""Fixed-point formats: widths, rounding and saturation of everything the lanes compute."""

import numpy as np

MEMBRANE_BITS = 18  #: Signed width of membranes, residuals, lane inputs x, pixels and logits.
FACTOR_BITS = 18  #: Signed width of a lane multiplier's factor (scale or multi-bit weight).
BIAS_BITS = 32  #: Signed width of a lane's bias, added before the shift.
PRODUCT_BITS = 36  #: Signed width of the lane accumulator; lowering proves it cannot overflow.
SHIFTS = (4, 7, 10, 14)  #: Right shifts a layer may choose between accumulator and x.
ACC_BITS = (8, 16)  #: Least and most signed bits of an array element's accumulator.
ADDER_BITS = 48  #: Bits of an adder that sums of array elements share, where a target has such.
FIELD_BITS = (12, 24)  #: Bits of such a sum: four to an adder, or two.
MAX_STEPS = 16  #: Largest number of time steps.
STATE_BITS = (2, 4, 8)  #: Widths of a stored membrane; b bits hold 2 * L + 1 codes.
STATE_SHIFTS = (1, 4, 8, 11)  #: Left shifts from code to what the leak leaves of the membrane.
STATE_CELLS = 512  #: Cells of equal size, each with at most one threshold of a stored membrane.
STATE_CELL_COARSE = 32  #: Units of membrane in a cell with all shifts but the smallest.
STATE_CELL_FINE = 4  #: Units in a cell with the smallest shift; its last cell has no threshold.
STATE_MAX = STATE_CELLS * STATE_CELL_COARSE - 2  #: Largest magnitude that thresholds tell apart.

MEMBRANE_MAX = (1 << (MEMBRANE_BITS - 1)) - 1  #: Where x and y saturate above.
MEMBRANE_MIN = -(1 << (MEMBRANE_BITS - 1))  #: Where x and y saturate below.
FACTOR_MAX = (1 << (FACTOR_BITS - 1)) - 1  #: Largest magnitude of a factor or weight.
BIAS_MAX = (1 << (BIAS_BITS - 1)) - 1  #: Largest magnitude of a bias.


def field_bits(acc_bits: int) -> int:
    """Return the least of FIELD_BITS that holds every count of an accumulator of ``acc_bits``."""
    return next(bits for bits in FIELD_BITS if acc_bits - 1 <= bits)


def most_count(acc_bits: int, *, both_signs: bool = False) -> int:
    """Return the largest popcount sum that an accumulator of ``acc_bits`` holds on every target.

    Parameters
    ----------
    both_signs : words subtract too (an XNOR map), and the sum may be as far below 0. Where sums
        share an adder, such a one starts in the middle of its field.
    """
    most = (1 << (acc_bits - 1)) - 1
    return min(most, (1 << (field_bits(acc_bits) - 1)) - 1) if both_signs else most


def state_cell(shift: int) -> int:
    """Return the units of a cell for one of STATE_SHIFTS."""
    return STATE_CELL_FINE if shift == min(STATE_SHIFTS) else STATE_CELL_COARSE


def state_levels(bits: int) -> int:
    """Return L, codes per side of a stored membrane: 2**(bits-1) - 1."""
    return (1 << (bits - 1)) - 1


def saturate(x: np.ndarray) -> np.ndarray:
    """Clip integers to MEMBRANE_MIN..MEMBRANE_MAX; int64."""
    return np.clip(np.asarray(x, dtype=np.int64), MEMBRANE_MIN, MEMBRANE_MAX)
