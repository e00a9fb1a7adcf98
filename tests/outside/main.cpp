// Plays a script on the core's side of the gateware of an SDRAM, and writes down what came.
//
// Options: +script=FILE +sync=PS +period=PS (of the SDRAM) +shift=PERCENT (its clock pin)
// +most=CYCLES.
// Script: words with blanks between.
//   r ADDR COUNT            a request to read, offered until it is taken
//   w ADDR COUNT WORD...    one to write, and its words, hexadecimal
//   i CYCLES                wait
//   q                       wait until every word that was asked for has moved
//   d                       drop
//   s WRITE READ            percent of the cycles that the core stalls in
//   m                       write the cycle and the time down
// Output: `r CYCLE WORD`, `d CYCLE`, `m CYCLE`, then one line of counts; `stuck` if it does not
// end.
#include "Vtop.h"
#include "verilated.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <memory>
#include <string>

static uint64_t option(VerilatedContext& context, const char* name, uint64_t otherwise) {
    const std::string found = context.commandArgsPlusMatch((std::string(name) + "=").c_str());
    if (found.empty()) return otherwise;
    return std::strtoull(found.c_str() + std::strlen(name) + 2, nullptr, 10);
}

struct Player {
    Vtop& top;
    std::ifstream script;
    char op = 0;              // what is being done; 0: the next is read
    uint64_t left = 0;        // cycles to wait
    uint64_t owed = 0;        // words to read
    uint64_t asked = 0;       // words to write that the gateware may take
    std::deque<uint32_t> words, offered;
    unsigned stall_write = 0, stall_read = 0;
    uint64_t cycle = 0, strays = 0, greed = 0, noise = 88172645463325252ull;
    bool over = false;

    bool chance(unsigned percent) {
        noise ^= noise << 13; noise ^= noise >> 7; noise ^= noise << 17;
        return noise % 100 < percent;
    }
    bool took_request = false, took_write = false;
    // before the edge: what happens in this cycle
    void look() {
        took_request = top.request_valid && top.request_ready;
        took_write = top.write_valid && top.write_ready;
        if (top.read_valid && !owed) strays++;
        if (top.write_ready && words.empty()) greed++;
        if (top.read_valid && top.read_ready) {
            std::printf("r %llu %08x\n", (unsigned long long)cycle, top.read);
            if (owed) owed--;
        }
    }
    // after the edge: what that changes
    void move() {
        if (took_request) {
            if (op == 'r') owed += top.request >> 27 & 0xFFFFF;
            for (uint32_t word : offered) words.push_back(word);
            offered.clear();
            top.request_valid = 0;
            op = 0;
        }
        if (took_write) {
            words.pop_front();
            top.write_valid = 0;
        }
        if (top.drop) {
            std::printf("d %llu\n", (unsigned long long)cycle);
            owed = 0;
            words.clear();
            top.write_valid = top.drop = 0;
            op = 0;
        }
    }
    void next() {
        while (!op && !over) {
            std::string kind;
            if (!(script >> kind)) { over = true; break; }
            op = kind[0];
            uint64_t addr, count;
            if (op == 'r' || op == 'w') {
                script >> addr >> count;
                for (uint64_t n = 0; op == 'w' && n < count; n++) {
                    std::string word;
                    script >> word;
                    offered.push_back(uint32_t(std::strtoul(word.c_str(), nullptr, 16)));
                }
                top.request = addr | count << 27 | uint64_t(op == 'w') << 47;
                top.request_valid = 1;
            } else if (op == 'i') {
                script >> left;
            } else if (op == 's') {
                script >> stall_write >> stall_read;
                op = 0;
            } else if (op == 'm') {
                std::printf("m %llu\n", (unsigned long long)cycle);
                op = 0;
            }
        }
    }
    // after the edge: what is offered in the next cycle
    void offer() {
        move();
        cycle++;
        if (op == 'i' && left-- <= 1) op = 0;
        if (op == 'q' && !owed && words.empty()) op = 0;
        next();
        if (op == 'd') top.drop = 1;
        if (!top.write_valid && !words.empty() && !chance(stall_write)) {
            top.write_valid = 1;
            top.write = words.front();
        }
        top.read_ready = !chance(stall_read);
    }
};

int main(int argc, char** argv) {
    const auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
    const auto top = std::make_unique<Vtop>(context.get());
    const uint64_t sync = option(*context, "sync", 20000);
    const uint64_t period = option(*context, "period", 20000);
    const uint64_t shift = period * option(*context, "shift", 50) / 100;
    const uint64_t most = option(*context, "most", 1000000);
    const std::string path = context->commandArgsPlusMatch("script=");
    Player player{*top, std::ifstream(path.substr(std::strlen("+script=")))};
    // each clock: when it rises and falls next
    struct Clock { CData& wire; uint64_t period, high, at; };
    Clock clocks[] = {
        {top->clk, sync, sync / 2, sync},
        {top->sdram_clk, period, period / 2, period},
        {top->pin_clk, period, period * 2 / 5, period + shift},
    };
    top->rst = top->sdram_rst = 1;
    top->eval();
    while (!player.over && player.cycle < most) {
        uint64_t now = ~uint64_t(0);
        for (const Clock& clock : clocks) if (clock.at < now) now = clock.at;
        const bool edge = clocks[0].at == now && !top->clk;
        if (edge) player.look();
        for (Clock& clock : clocks) {
            if (clock.at != now) continue;
            clock.wire = !clock.wire;
            clock.at += clock.wire ? clock.high : clock.period - clock.high;
        }
        top->eval();
        if (edge) {
            if (now > 20 * (sync + period)) top->rst = top->sdram_rst = 0;
            if (!top->rst) player.offer();
            top->eval();
        }
    }
    if (!player.over) std::printf("stuck\n");
    std::printf("end %llu %llu %llu %u %llu %u %u %u %u\n", (unsigned long long)player.cycle,
                (unsigned long long)player.strays, (unsigned long long)player.greed, top->wrong,
                (unsigned long long)top->first, top->refreshes, top->activates, top->reads,
                top->writes);
    top->final();
    return player.over ? 0 : 1;
}
