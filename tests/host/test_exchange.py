"""The order of requests and replies, frame by frame."""

import pytest

from hw.arch import SpikeloomError, link
from hw.arch.link import Command, Reason
from sw.host.exchange import DAMAGED_SILENCE, TRIES, Exchange, Lost, NoReply, Refused, Request


class Script:
    """A transport that records frames, and answers as a function says."""

    def __init__(self, answer):
        self.answer, self.sent, self.coming, self.waits = answer, [], [], []

    def write(self, data):
        for part in data.split(bytes([link.END])):
            if part:
                self.sent.append(link.unframe(part))
                self.coming += self.answer(len(self.sent) - 1, *self.sent[-1])

    def read(self, wait):
        self.waits.append(wait)
        return self.coming.pop(0) if self.coming else b""

    def set_baud(self, baud):
        pass


def grant(code, sequence, tag, data=b""):
    return link.frame(link.REPLY | code, sequence, tag, data)


def nak(reason, due, sequence=0, tag=0):
    return link.frame(link.NAK, sequence, tag, link.REFUSAL.pack(reason, due))


def exchange(answer, silent=lambda silences: None):
    script = Script(answer)
    return Exchange(script, silent), script


WRITE = (Command.WRITE_BYTES, b"addrx")
READ = (Command.STATUS, b"")


def test_a_lost_request_and_those_behind_it_are_sent_again():
    due = []

    def device(n, code, sequence, tag, payload):
        if n == 1:  # lost on its way
            return []
        due.append(sequence) if not due else None
        if sequence != due[0]:
            return [nak(Reason.ORDER, due[0], sequence, tag)]
        due[0] = (due[0] + 1) & 0xFF
        return [grant(code, sequence, tag)]

    line, script = exchange(device)
    requests = [line.post(Request(*WRITE)) for _ in range(4)]
    line.flush()
    assert all(request.reply == b"" for request in requests)
    order = [(frame[1] - script.sent[0][1]) & 0xFF for frame in script.sent]
    assert order[:2] == [0, 1]
    assert sorted(set(order)) == [0, 1, 2, 3]
    assert len({frame[2] for frame in script.sent}) == len(script.sent)  # a tag of its own each


def test_a_write_whose_reply_alone_was_lost_is_not_done_again():
    def device(n, code, sequence, tag, payload):
        if n == 0:
            return []  # done, and its reply is lost
        if n == 1:
            return [nak(Reason.ORDER, (sequence + 1) & 0xFF, sequence, tag)]
        return [grant(code, sequence, tag)]

    line, script = exchange(device)
    line.post(Request(*WRITE))
    line.flush()
    assert len(script.sent) == 2


def test_a_read_whose_reply_alone_was_lost_is_asked_once_more():
    def device(n, code, sequence, tag, payload):
        if n == 0:
            return []
        if n == 1:
            return [nak(Reason.ORDER, (sequence + 1) & 0xFF, sequence, tag)]
        return [grant(code, sequence, tag, b"new")]

    line, script = exchange(device)
    assert line.wait(line.post(Request(*READ))) == b"new"
    assert [(f[1] - script.sent[0][1]) & 0xFF for f in script.sent] == [0, 0, 1]


def test_stale_and_foreign_replies_are_not_taken():
    def device(n, code, sequence, tag, payload):
        wrong = [
            grant(code, sequence, tag ^ 1, b"tag"),
            grant(code, sequence ^ 1, tag, b"sequence"),
            grant(code ^ 1, sequence, tag, b"code") if n == 0 else b"",
        ]
        return [*wrong, grant(code, sequence, tag, b"right")]

    line, _ = exchange(device)
    assert line.wait(line.post(Request(*READ))) == b"right"


def test_a_late_reply_is_taken():
    """After the silence in which its request was taken for lost."""
    silences = []

    def device(n, code, sequence, tag, payload):
        return [b"", grant(code, sequence, tag, b"late")] if n == 0 else []

    line, _ = exchange(device, silences.append)
    assert line.wait(line.post(Request(*READ))) == b"late"
    assert silences == [1]


def test_silences_are_counted_since_the_last_good_frame():
    seen = []

    def device(n, code, sequence, tag, payload):
        if n < 3:
            return []
        if n == 3:
            return [b"noise"]
        return [grant(code, sequence, tag)]

    line, _ = exchange(device, seen.append)
    line.wait(line.post(Request(*READ)))
    assert seen == pytest.approx([1, 2, 3, 3 + DAMAGED_SILENCE])


def test_damaged_requests_are_sent_again_at_once():
    silences = []

    def device(n, code, sequence, tag, payload):
        return [nak(Reason.DAMAGED, sequence)] if n < 5 else [grant(code, sequence, tag)]

    line, script = exchange(device, silences.append)
    line.wait(line.post(Request(*READ)))
    assert len(script.sent) == 6
    assert not silences


def test_refusal():
    def device(n, code, sequence, tag, payload):
        return [nak(Reason.LENGTH, sequence, sequence, tag)]

    line, script = exchange(device)
    for _ in range(2):
        with pytest.raises(Refused, match="refuses STATUS: it does not take this length"):
            line.wait(line.post(Request(*READ)))
    assert script.sent[0][1] == script.sent[1][1]  # it stays due


def test_a_session_that_the_device_does_not_know():
    for reason, due in ((Reason.CLOSED, 0), (Reason.ORDER, 60)):
        line, _ = exchange(
            lambda n, code, sequence, tag, payload, reason=reason, due=due: [
                nak(reason, (sequence + due) & 0xFF, sequence, tag)
            ]
        )
        with pytest.raises(Lost):
            line.wait(line.post(Request(*READ)))


def test_a_request_that_never_gets_through():
    def device(n, code, sequence, tag, payload):
        return [nak(Reason.DAMAGED, sequence)]

    line, script = exchange(device)
    with pytest.raises(NoReply, match=f"STATUS failed {TRIES} times on a line where about"):
        line.wait(line.post(Request(*READ)))
    assert len(script.sent) == TRIES


def test_a_request_that_was_taken_back():
    line, _ = exchange(lambda *frame: [])
    request = line.post(Request(*READ))
    assert line.take_back() == [request]
    with pytest.raises(SpikeloomError, match="STATUS was given up"):
        line.wait(request)


def test_no_more_is_on_its_way_than_the_queue_takes():
    line, script = exchange(lambda *frame: [])
    line.capacity = 100

    def stop(silences):
        raise NoReply("enough")

    line.silent = stop

    def fill():
        for _ in range(50):
            line.post(Request(Command.WRITE_BYTES, bytes(16)))

    with pytest.raises(NoReply):
        fill()
    assert len(script.sent) == 100 // Request(Command.WRITE_BYTES, bytes(16)).size


def test_a_reply_is_waited_for_as_long_as_it_may_take():
    line, script = exchange(lambda n, code, sequence, tag, payload: [grant(code, sequence, tag)])
    line.wait(line.post(Request(Command.RESULT, b"", seconds=7.5)))
    assert script.waits[-1] > 7.5
    line.wait(line.post(Request(*READ)))
    assert script.waits[-1] < 1
