# %% [markdown]
# # 5 · From the laptop to a cluster
#
# Sweeps run on Ray, and a search file does not say where. Without an address, a sweep starts Ray
# on this machine and stops it at the end. With an address it joins the cluster there. You can set
# the address with `--address`, with `RAY_ADDRESS`, or with `address=` in Python. This notebook
# starts a cluster of one small node with Ray's own command, as an administrator would, and runs
# the same file in both ways.

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
# Anyone who can reach Ray's ports can run programs on the cluster. This one therefore gets a
# token and listens only on this machine. Workers would join it with `ray start --address
# HEAD:PORT` and the same token.

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
# ## The same file on the cluster
#
# If a cluster cannot be reached, `run_sweep` fails within seconds. Here we first wait until the
# head answers.

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
# The record contains the node of each trial and the resources of the cluster:

# %%
nodes = {row["node"] for row in there.trials()}
print(f"{len(nodes)} node; {len(there.trials())} trials {there.status}")

# %% [markdown]
# The sweep has disconnected from the cluster, which keeps running for others. We started this
# cluster only for the notebook, so we stop it.

# %%
cluster.send_signal(signal.SIGTERM)
cluster.wait(timeout=30)
print("the cluster has ended")

# %% [markdown]
# ## The same file on this machine
#
# Now we run the same file without an address and under another name. All random choices come from
# the seeds in the file. The same configurations are therefore drawn, and on the same kind of
# processor the accuracies are the same too.

# %%
config = tune_app.load_sweep_file(search_file).model_copy(update={"name": "here"})
here = tune_app.run_sweep(config, storage=storage, quiet=True)
for one, other in zip(there.trials(), here.trials(), strict=True):
    print(f"{one['trial_id']}  {one['val_accuracy']:.4f}  {other['val_accuracy']:.4f}")

# %% [markdown]
# ## Running without your laptop
#
# With an address, trials train on the cluster, but the main process, which draws configurations
# and writes the record, runs on your machine. If it ends, the sweep is interrupted, and `resume`
# continues it. `tune-app submit` instead sends the search file to the cluster as a job.
# Everything then runs there, and you fetch the results when it has finished.
#
# ```
# export RAY_API_SERVER_ADDRESS=http://HEAD:8265
# tune-app submit anywhere.yaml
# tune-app jobs
# tune-app jobs logs ID --follow
# tune-app jobs fetch ID --to tune_results
# ```
#
# The dashboard of the cluster's head accepts the jobs. It needs Ray's extra `default` on both
# sides (`pip install '.[cluster]'` in a clone of the repository). The head above was started
# without a dashboard, so this part is not run here.

# %% [markdown]
# ## Larger clusters
#
# The folder `docker/` of the repository has what you need for larger clusters. On one host, three
# commands start a head with workers, run a sweep on them, and print the dashboard's token:
#
# ```
# docker compose --file docker/compose.yaml up --detach --build
# docker compose --file docker/compose.yaml exec head \
#     tune-app run search_spaces/digits_cnn.yaml --address ray-head:6379
# docker compose --file docker/compose.yaml exec ui tune-app token --show
# ```
#
# See [clusters](../docker/README.md) for Slurm, Kubernetes and machines reached by ssh, and for
# ports and tokens. An interrupted sweep can be resumed on a cluster too: `tune-app resume NAME
# --address HEAD:6379`.
