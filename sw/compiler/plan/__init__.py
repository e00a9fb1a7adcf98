"""Planning: where every tensor lies, before an instruction is written."""
