// Runs the testbench without cocotb: toggles the clock until the testbench says that it finished.
#include "Vtop.h"
#include "verilated.h"

#include <memory>

int main(int argc, char** argv) {
    const auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
    context->traceEverOn(true);
    const auto top = std::make_unique<Vtop>(context.get());
    top->clk = 0;
    top->eval();
    while (!top->finished && !context->gotFinish()) {
        context->timeInc(5);
        top->clk = 1;
        top->eval();
        context->timeInc(5);
        top->clk = 0;
        top->eval();
    }
    top->final();
    return top->finished ? 0 : 1;
}
