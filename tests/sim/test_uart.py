"""The Arty's top behind its UART pins, by the host's own driver."""

import boards
import sw
from sim import uart
from sw.data.digits import load_digits


def test_arty_infers_through_its_pins(tmp_path):
    board = boards.get("arty_a7")
    network = sw.load("digits").lower()
    program = network.compile(board.config)
    images = load_digits().test_images[:2]
    logits, cycles = uart.infer(board, program, images, tmp_path)
    assert logits.tolist() == network.run(images).logits.tolist()
    assert cycles.tolist() == [program.cycles] * 2
