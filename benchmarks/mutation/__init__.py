"""Parts of ``benchmarks.mutants``: faults, the copies that hold them, what is played, proofs."""
