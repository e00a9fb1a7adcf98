"""Fixed-point formats: widths, rounding and saturation of everything the lanes compute."""

MEMBRANE_BITS = 18  #: Signed width of membranes, residuals, lane inputs x, pixels and logits.
FACTOR_BITS = 18  #: Signed width of a lane multiplier's factor (scale or multi-bit weight).
BIAS_BITS = 32  #: Signed width of a lane's bias, added before the shift.
PRODUCT_BITS = 36  #: Signed width of the lane accumulator; lowering proves it cannot overflow.
SHIFTS = (4, 7, 10, 14)  #: Right shifts a layer may choose between accumulator and x.
MAX_STEPS = 16  #: Largest number of time steps.

MEMBRANE_MAX = (1 << (MEMBRANE_BITS - 1)) - 1
MEMBRANE_MIN = -(1 << (MEMBRANE_BITS - 1))
FACTOR_MAX = (1 << (FACTOR_BITS - 1)) - 1
BIAS_MAX = (1 << (BIAS_BITS - 1)) - 1
