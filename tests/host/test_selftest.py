"""Devices that hold what they should not: warnings of the host, and its self-test."""

import warnings

import sw
from sw.host import self_test
from tests.host.cores import REFUSALS, ROWS_8, flips, loaded


def answer_of(device, program, image):
    """What a damaged device answers, None where its interpreter refuses the instruction."""
    try:
        return device.infer(program, image)
    except REFUSALS:
        return None


def test_a_good_device_passes(network, program, images):
    _, device = loaded(program)
    found = self_test(device, program, images, network)
    assert found.faults == ()
    assert found.model == "golden model"
    assert found.predictions == network.run(images).predictions.tolist()
    first, later = program.first_cycles, program.cycles
    assert first > later
    assert [a.cycles for a in found.answers] == [first, later, later]
    assert [a.forecast for a in found.answers] == [first, later, later]
    alone = self_test(device, program, images)
    assert (alone.faults, alone.model) == ((), "interpreter")


def test_a_stream_begins_anew_for_each_test(images):
    network = sw.load("digits-qsnn").lower(stream=True)
    program = network.compile(ROWS_8)
    _, device = loaded(program)
    for _ in range(2):
        assert self_test(device, program, images, network).faults == ()


def test_flipped_bits_of_the_program_are_found(network, program, images, bit):
    """Every flip that changes logits is found; one that changes cycles is warned of, once a run."""
    golden = network.run(images[:1]).logits[0].tolist()
    wrong = warned = 0
    for place in [bit, *flips(program, 40)]:
        core, device = loaded(program)
        core.flip(*place)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            answer = answer_of(device, program, images[0])
        if answer is None:
            continue
        assert len(said) == (answer.cycles not in (program.first_cycles, program.cycles))
        device.restart()  # its first run loads the table again, as the one above did
        faults = self_test(device, program, images[:1], network).faults
        differs = answer.logits.tolist() != golden
        assert len(faults) == (differs or bool(said))
        wrong += differs
        warned += bool(said)
    assert wrong >= 5
    assert warned >= 1
