"""Looking into trained networks: numbers as DataFrames, and the figures beside them.

In a notebook:

    bench = Workbench(open_store(Path("tune_results")), data_root=Path("data"))
    found = diagnose_interpolation(*bench.subjects("my_cnns", ["t0003", "t0007"]))
    found.tables["interpolate"]
    found.figures[0].render()
"""
