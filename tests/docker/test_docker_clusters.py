"""KubeRay, Slurm and `ray up`: as far as they can be checked without such a cluster."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import resources

import jsonschema
import kubernetes_validate
import pytest
from docker_files import DOCKER, KUBERAY_FILES, cluster_spec, pod_templates, read_yaml

# The fields of KubeRay 1.6's ray.io/v1, written down from its API reference (docs.ray.io); its
# CRD schemas are in no package that tests could read. Pod templates are checked in full below.
CLUSTER_FIELDS = {
    "authOptions", "autoscalerOptions", "enableInTreeAutoscaling", "gcsFaultToleranceOptions",
    "headGroupSpec", "headServiceAnnotations", "managedBy", "rayVersion", "suspend",
    "workerGroupSpecs",
}  # fmt: skip
JOB_FIELDS = {
    "activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy", "entrypoint",
    "entrypointNumCpus", "entrypointNumGpus", "entrypointResources", "jobId", "managedBy",
    "metadata", "rayClusterSpec", "runtimeEnvYAML", "shutdownAfterJobFinishes", "submissionMode",
    "submitterConfig", "submitterPodTemplate", "suspend", "ttlSecondsAfterFinished",
}  # fmt: skip
HEAD_FIELDS = {"enableIngress", "headService", "rayStartParams", "serviceType", "template"}
WORKER_FIELDS = {
    "groupName", "idleTimeoutSeconds", "maxReplicas", "minReplicas", "numOfHosts",
    "rayStartParams", "replicas", "scaleStrategy", "suspend", "template",
}  # fmt: skip


@pytest.mark.parametrize("name", KUBERAY_FILES)
def test_every_field_is_one_that_kuberay_knows(name):
    document = read_yaml(DOCKER / "kuberay" / name)
    assert document["apiVersion"] == "ray.io/v1"
    if document["kind"] == "RayJob":
        assert document["spec"].keys() <= JOB_FIELDS
        assert document["spec"]["submissionMode"] in ("K8sJobMode", "HTTPMode", "SidecarMode")
    spec = cluster_spec(name)
    assert spec.keys() <= CLUSTER_FIELDS
    assert spec["headGroupSpec"].keys() <= HEAD_FIELDS
    for group in spec["workerGroupSpecs"]:
        assert group.keys() <= WORKER_FIELDS
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    assert all(isinstance(value, str) for value in spec["headGroupSpec"]["rayStartParams"].values())


@pytest.mark.parametrize("name", [*KUBERAY_FILES, "storage.yaml"])
def test_pods_and_volumes_are_valid_by_kubernetes_own_schema(name):
    # The schemas of Kubernetes as the package kubernetes-validate ships them.
    if name == "storage.yaml":
        documents = [read_yaml(DOCKER / "kuberay" / name)]
    else:
        head = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "checked"}}
        documents = [head | template for template in pod_templates(name)]
    for document in documents:
        version = kubernetes_validate.latest_version()
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("name", KUBERAY_FILES)
def test_a_cluster_is_in_token_mode_and_its_pods_have_no_privileges(name):
    spec = cluster_spec(name)
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"
    for template in pod_templates(name):
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        for container in [*pod["containers"], *pod["initContainers"]]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"] == container["resources"]["requests"]
            assert not container["image"].endswith(":latest")


def test_cluster_yaml_is_valid_by_rays_schema():
    path = resources.files("ray") / "autoscaler" / "ray-schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    cluster = read_yaml(DOCKER / "cluster.yaml")
    validator = jsonschema.validators.validator_for(schema)(schema)
    problems = [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(cluster)]
    assert not problems, "\n".join(problems)
    starts = cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"]
    assert all("RAY_AUTH_MODE=token" in line for line in starts if "ray start" in line)
    assert "/home/ray/.ray/auth_token" in cluster["file_mounts"]


@pytest.fixture
def submitted(tmp_path, monkeypatch):
    """Run sweep.sbatch as Slurm would, with what it calls replaced; return what it starts."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "scontrol").write_text(
        # The pause catches a script that stops reading after the first line: scontrol would then
        # be ended by SIGPIPE, and the script with it.
        '#!/bin/sh\n[ "$*" = "show hostnames n[1-2]" ] && echo n1 && sleep 0.2 && echo n2\n'
    )
    (tools / "srun").write_text(
        f"#!{sys.executable}\nimport json, os, pathlib, sys\n"
        "token = pathlib.Path(os.environ['RAY_AUTH_TOKEN_PATH'])\n"
        "seen = {'words': sys.argv[1:], 'env': dict(os.environ), 'token': token.read_text(),\n"
        "        'mode': token.stat().st_mode & 0o777}\n"
        "pathlib.Path('seen.json').write_text(json.dumps(seen))\n"
    )
    for tool in tools.iterdir():
        tool.chmod(0o755)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text(f'PATH="{tools}:$PATH"\n')
    (tools / "python").symlink_to(sys.executable)
    for name in ("TUNE_APP_STORAGE", "RESUME"):
        monkeypatch.delenv(name, raising=False)
    slurm = {
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_ID": "1234567",
        "SLURM_NNODES": "2",
        "SLURM_CPUS_PER_TASK": "8",
    }

    def submit(*words, **environment):
        script = [shutil.which("bash"), DOCKER / "slurm" / "sweep.sbatch", *words]
        subprocess.run(script, env=os.environ | slurm | environment, check=True)
        return json.loads((tmp_path / "seen.json").read_text())

    return submit


def test_slurm_starts_ray_on_every_node_and_the_sweep_on_the_first(submitted, tmp_path):
    seen = submitted("file.yaml", "--trials", "8")
    assert seen["words"] == [
        *[
            "ray",
            "symmetric-run",
            "--address",
            "n1:24567",
            "--min-nodes",
            "2",
            "--num-cpus",
            "8",
            "--",
        ],
        *[
            "tune-app",
            "run",
            "--time-limit",
            "110m",
            "file.yaml",
            "--trials",
            "8",
            "--address",
            "n1:24567",
        ],
    ]
    env = seen["env"]
    assert env["RAY_AUTH_MODE"] == "token"
    assert env["TUNE_APP_STORAGE"] == f"{tmp_path}/tune_results"
    assert re.fullmatch("[0-9a-f]{64}\n", seen["token"])
    assert seen["mode"] == 0o600


def test_slurm_goes_on_with_a_sweep_and_leaves_no_token(submitted, tmp_path):
    seen = submitted(RESUME="digits_cnn", TUNE_APP_STORAGE=str(tmp_path / "elsewhere"))
    assert seen["words"][-5:] == ["tune-app", "resume", "digits_cnn", "--address", "n1:24567"]
    assert not any((tmp_path / "elsewhere").iterdir())


def test_slurm_knows_the_options_of_the_script():
    if shutil.which("sbatch") is None:
        pytest.skip("sbatch is not installed (Debian: slurm-client); its options go unchecked")
    known = subprocess.run(["sbatch", "--help"], capture_output=True, text=True).stdout
    script = (DOCKER / "slurm" / "sweep.sbatch").read_text(encoding="utf-8")
    used = re.findall(r"^#SBATCH (--[\w-]+)", script, re.M)
    assert used
    assert not [option for option in used if not re.search(rf"{option}\b", known)]
