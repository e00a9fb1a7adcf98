// A board behind its UART's pins: bytes come on standard input, and go to standard output.
//
// Arguments: file of contents (pairs of load port address and data, 32 bits each), Hz of the
// clock, cycles between ticks, "+outside=FILE" (outside.sv).
// Messages in: 'b' and 32 bits, the length of the host's bits in eighths of a cycle from now on;
// 'w', 16 bits, and that many bytes from the host.
// Messages out: 'd' and a byte to the host; 'i' and 32 bits: all is at rest, after that many
// messages. Numbers are little endian.
//
// At rest no cycle is simulated. Time passes nevertheless: ticks that have become due come when
// something is to be done again.
#include "Vtop.h"
#include "verilated.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <poll.h>
#include <unistd.h>

namespace {

constexpr uint64_t QUIET = 512;     // cycles at rest, after which it is believed
constexpr uint64_t LOOK = 512;      // cycles between looks for messages
constexpr uint64_t MOST_TICKS = 64; // that are made up for after a rest
constexpr uint32_t EIGHTHS = 8;

class Line {  // what sends bits to the board
  public:
    void put(uint8_t byte, uint32_t period) { waiting.push_back({byte, period}); }
    bool busy() const { return left || !waiting.empty(); }
    int level() {  // in this cycle
        if (!left) {
            if (waiting.empty()) return 1;
            const auto next = waiting.front();
            waiting.pop_front();
            frame = next.byte << 1 | 1 << 9;
            period = next.period;
            left = 10;
            phase = 0;
        }
        const int bit = frame & 1;
        phase += EIGHTHS;
        if (phase >= period) {
            phase -= period;
            frame >>= 1;
            --left;
        }
        return bit;
    }

  private:
    struct Byte {
        uint8_t byte;
        uint32_t period;
    };
    std::deque<Byte> waiting;
    uint32_t frame = 0, period = 0, phase = 0, left = 0;
};

class Ear {  // what hears the board's bits
  public:
    bool busy() const { return left != 0; }
    uint8_t byte() const { return heard; }
    bool hear(int level, uint32_t period) {  // true: a byte is whole
        if (!left) {
            if (level) return false;
            left = 10;
            wait = period / 2;
        }
        wait -= EIGHTHS;
        if (wait > 0) return false;
        wait += period;
        if (left == 10 && level) {  // no start bit
            left = 0;
            return false;
        }
        if (left < 10 && left > 1) heard = heard >> 1 | level << 7;
        return --left == 0;
    }

  private:
    uint8_t heard = 0;
    uint32_t left = 0;
    int64_t wait = 0;
};

bool all(int (*step)(uint8_t*, size_t), uint8_t* data, size_t size) {
    while (size) {
        const int n = step(data, size);
        if (n <= 0) return false;
        data += n;
        size -= n;
    }
    return true;
}
bool read_all(uint8_t* data, size_t size) {
    return all([](uint8_t* d, size_t n) { return int(read(0, d, n)); }, data, size);
}
bool write_all(uint8_t* data, size_t size) {
    return all([](uint8_t* d, size_t n) { return int(write(1, d, n)); }, data, size);
}
uint32_t number(const uint8_t* data) {
    return data[0] | data[1] << 8 | data[2] << 16 | uint32_t(data[3]) << 24;
}

class Board {
  public:
    Board(double hz, uint64_t tick_cycles) : hz(hz), tick_cycles(tick_cycles) {}

    bool fill(const char* path) {  // as a bitstream does; registers are then reset
        FILE* file = fopen(path, "rb");
        if (!file) return false;
        top->clk = 0;
        top->uart_rx = 1;
        reset();
        uint8_t pair[8];
        top->load_valid = 1;
        while (fread(pair, sizeof pair, 1, file) == 1) {
            top->load_addr = number(pair);
            top->load_data = number(pair + 4);
            cycle();
        }
        top->load_valid = 0;
        fclose(file);
        for (int n = 0; n < 8; ++n) cycle();
        reset();
        return true;
    }

    void serve() {
        uint64_t quiet = 0, looked = 0;
        for (;;) {
            if (quiet == QUIET) {
                uint8_t report[5] = {'i'};
                for (int n = 0; n < 4; ++n) report[n + 1] = messages >> 8 * n;
                if (!write_all(report, sizeof report)) return;
                const auto since = std::chrono::steady_clock::now();
                if (!take(true)) return;
                const std::chrono::duration<double> rest = std::chrono::steady_clock::now() - since;
                time += uint64_t(rest.count() * hz);
                for (uint64_t n = 0; n < MOST_TICKS && time >= tick_cycles; ++n) pass();
                time %= tick_cycles;
                quiet = looked = 0;
            }
            if (++looked == LOOK) {
                looked = 0;
                if (!take(false)) return;
            }
            top->uart_rx = line.level();
            ++time;
            if (!pass()) return;
            quiet = top->rests && !line.busy() && !ear.busy() ? quiet + 1 : 0;
        }
    }

  private:
    void reset() {
        top->rst = 1;
        for (int n = 0; n < 5; ++n) cycle();
        top->rst = 0;
        cycle();
    }
    void cycle() {
        top->clk = 1;
        top->eval();
        top->clk = 0;
        top->eval();
    }
    bool pass() {  // one cycle, with a tick if one is due
        top->tick = time >= tick_cycles;
        if (top->tick) time -= tick_cycles;
        cycle();
        if (!ear.hear(top->uart_tx, period)) return true;
        uint8_t message[2] = {'d', ear.byte()};
        return write_all(message, sizeof message);
    }
    bool take(bool wait) {  // a message, where one has come; false: there will be none any more
        struct pollfd input = {0, POLLIN, 0};
        if (!wait && poll(&input, 1, 0) <= 0) return true;
        uint8_t data[1 << 16];
        if (!read_all(data, 1)) return false;
        ++messages;
        if (data[0] == 'b') {
            if (!read_all(data, 4)) return false;
            period = number(data);
            return true;
        }
        if (!read_all(data, 2)) return false;
        const size_t size = data[0] | data[1] << 8;
        if (!read_all(data, size)) return false;
        for (size_t n = 0; n < size; ++n) line.put(data[n], period);
        return true;
    }

    const double hz;
    const uint64_t tick_cycles;
    const std::unique_ptr<Vtop> top = std::make_unique<Vtop>();
    Line line;
    Ear ear;
    uint64_t time = 0;  // cycles since the last tick
    uint32_t period = EIGHTHS * 80, messages = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    Verilated::commandArgs(argc, argv);
    Board board(atof(argv[2]), strtoull(argv[3], nullptr, 10));
    if (!board.fill(argv[1])) return 1;
    board.serve();
    return 0;
}
