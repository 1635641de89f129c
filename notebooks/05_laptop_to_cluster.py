# %% [markdown]
# # 5 · From the laptop to a cluster
#
# The engine is Ray, and nothing in a search file says where it runs. Without an address a sweep
# starts Ray on this machine and ends it afterwards. With one it joins the cluster there:
# `--address`, `RAY_ADDRESS`, or `address=` in Python. This notebook starts a cluster of one small
# node with Ray's own command, as an administrator would, and runs one file in both ways.

# %%
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

storage = tempfile.mkdtemp()
search_file = Path(storage, "anywhere.yaml")
search_file.write_text("""\
name: anywhere
dataset: {name: digits}
model: fcn
budgets: [3k]
parameters:
  width: {int: [8, 36]}
  lr: {float: [3e-3, 3e-2], log: true}
  epochs: 5
search: {trials: 4, sampler: random, seed: 1}
scheduler: {type: none}
""")

# %% [markdown]
# ## A cluster
#
# Whoever reaches Ray's ports can run programs on the cluster. So it gets a token, and listens on
# this machine only. Workers would join with `ray start --address HEAD:PORT` and the same token.

# %%
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
address = f"127.0.0.1:{port}"

start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
start += ["--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=2"]
start += ["--include-dashboard=false", "--disable-usage-stats"]
start += ["--object-store-memory=100000000"]
cluster = subprocess.Popen(start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

# %% [markdown]
# ## The same file there
#
# A cluster that cannot be reached is told within seconds; here we wait until the head answers.

# %%
import time

import tune_app

for _ in range(240):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        break
    except OSError:
        time.sleep(0.5)

there = tune_app.run_sweep(search_file, storage=storage, address=address)
there.ranked()

# %% [markdown]
# The record says which node trained each trial, and what the cluster had:

# %%
nodes = {row["node"] for row in there.trials()}
print(f"{len(nodes)} node; {len(there.trials())} trials {there.status}")

# %% [markdown]
# The sweep has left the cluster, which runs on for others. This one was ours, so it goes.

# %%
cluster.send_signal(signal.SIGTERM)
cluster.wait(timeout=30)
print("the cluster has ended")

# %% [markdown]
# ## And here
#
# The same file, no address, another name. All chance comes from the seeds in the file, so the
# same configurations are drawn and, on the same kind of processor, the same accuracies come out.

# %%
config = tune_app.load_sweep_file(search_file).model_copy(update={"name": "here"})
here = tune_app.run_sweep(config, storage=storage, quiet=True)
for one, other in zip(there.trials(), here.trials(), strict=True):
    print(f"{one['trial_id']}  {one['val_accuracy']:.4f}  {other['val_accuracy']:.4f}")

# %% [markdown]
# ## The laptop may leave
#
# With an address trials are trained there, but the process that draws configurations and keeps the
# record stays here; where it ends, the sweep is interrupted, and `resume` goes on.
# `tune-app submit` sends the search file instead, as a job: all of it runs on the cluster, and
# results are fetched when it is over.
#
# ```
# export RAY_API_SERVER_ADDRESS=http://HEAD:8265
# tune-app submit anywhere.yaml
# tune-app jobs
# tune-app jobs logs ID --follow
# tune-app jobs fetch ID --to tune_results
# ```
#
# Jobs are taken by the dashboard of the cluster's head, and need Ray's extra `default` on both
# sides (`pip install "tune-app[cluster]"`). The head above was started without one, so this part is
# not run here.

# %% [markdown]
# ## Larger ones
#
# `docker/` in the repository has what a cluster needs. On one host, three commands start a head
# with workers, run a sweep in it, and print the token of the dashboard:
#
# ```
# docker compose --file docker/compose.yaml up --detach --build
# docker compose --file docker/compose.yaml exec head \
#     tune-app run search_spaces/digits_cnn.yaml --address ray-head:6379
# docker compose --file docker/compose.yaml exec ui tune-app token --show
# ```
#
# For Slurm, Kubernetes and machines reached by ssh, with ports and tokens, see
# [clusters](../docker/README.md). A sweep that is cut off goes on where it was, on a cluster too:
# `tune-app resume NAME --address HEAD:6379`.
