"""Diagnose trained networks: numbers as DataFrames, findings in sentences, and figures.

In a notebook:

    bench = Workbench(open_store(Path("tune_results")), data_root=Path("data"))
    found = diagnose_interpolation(*bench.subjects("my_cnns", ["t0003", "t0007"]))
    found.tables["interpolate"]
    found.figures[0].render()
"""
