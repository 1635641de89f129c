"""compose.yaml: valid by the Compose specification's schema, and closed to the outside."""

import json
import re
from importlib import resources

import jsonschema
import pytest
from docker_files import COMPOSE_FILES, DOCKER, read_compose, read_yaml

SERVICES = read_compose()["services"]
RAY_NODES = ("head", "worker")
GIB = {"mb": 2**-10, "gb": 1.0}


def gibibytes(size: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(mb|gb)", size).groups()
    return int(number) * GIB[unit]


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_the_file_is_valid_by_the_compose_specification(name):
    # The specification's own schema, as the package check-jsonschema vendors it.
    path = resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    for document in (read_compose(name), read_yaml(DOCKER / name)):
        problems = [
            f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(document)
        ]
        assert not problems, "\n".join(problems)


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_published_on_the_loopback_only(service):
    for port in SERVICES[service].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), port


def test_no_port_of_ray_itself_is_published():
    inside = {port.rpartition(":")[2] for s in SERVICES.values() for port in s.get("ports", [])}
    assert inside == {"8265", "8300", "3000"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_privileges(service):
    spec = SERVICES[service]
    assert spec["cap_drop"] == ["ALL"]
    assert spec["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode"} & set(spec)
    assert spec.get("network_mode") in (None, "none")
    assert not any("docker.sock" in str(volume) for volume in spec.get("volumes", []))
    ours = spec["image"].startswith("tune-app:")  # whose image is not root's: see its Dockerfile
    assert ours or spec["user"].split(":")[0] not in ("0", "root")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_stops_in_order_and_comes_back(service):
    spec = SERVICES[service]
    assert spec["init"] is True
    assert spec["stop_grace_period"] == "60s"
    assert spec["restart"] == ("no" if service == "tokens" else "on-failure")


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_a_full_version(service):
    assert re.search(r":v?\d+\.\d+(\.\d+)?[\w.-]*$", SERVICES[service]["image"])


@pytest.mark.parametrize("service", [*RAY_NODES, "ui"])
def test_a_node_of_ray_or_a_client_is_in_token_mode_and_has_the_token(service):
    spec = SERVICES[service]
    assert spec["environment"]["RAY_AUTH_MODE"] == "token"
    assert spec["environment"]["RAY_AUTH_TOKEN_PATH"] == "/run/tokens/ray/token"
    assert "ray-token:/run/tokens/ray:ro" in spec["volumes"]
    assert spec["environment"]["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize("service", RAY_NODES)
def test_shared_memory_is_30_percent_of_the_memory_or_more(service):
    spec = SERVICES[service]
    assert gibibytes(spec["shm_size"]) >= 0.3 * gibibytes(spec["mem_limit"])


@pytest.mark.parametrize(
    ("service", "token"),
    [
        ("head", "ray"),
        ("worker", "ray"),
        ("ui", "ui"),
        ("postgres", "postgres"),
        ("grafana", "grafana"),
    ],
)
def test_a_health_check_carries_the_token(service, token):
    assert f"/run/tokens/{token}/token" in " ".join(SERVICES[service]["healthcheck"]["test"])


@pytest.mark.parametrize("service", sorted(SERVICES.keys() - {"tokens"}))
def test_a_token_is_mounted_read_only_and_only_where_it_is_needed(service):
    mounted = {
        volume.split("-token:")[0]: volume.endswith(":ro")
        for volume in SERVICES[service].get("volumes", [])
        if "-token:" in volume
    }
    needed = {
        "head": {"ray", "postgres"},
        "worker": {"ray", "postgres"},
        "ui": {"ray", "ui", "postgres"},
        "postgres": {"postgres"},
        "prometheus": {"ui"},
        "grafana": {"grafana"},
    }
    assert set(mounted) == needed[service]
    assert all(mounted.values())


def test_only_what_is_published_is_on_a_network_with_a_way_out():
    networks = read_compose()["networks"]
    open_ones = {name for name, network in networks.items() if not network.get("internal")}
    assert open_ones == {"front"}
    assert {s for s, spec in SERVICES.items() if "front" in spec.get("networks", ())} == {
        s for s, spec in SERVICES.items() if "ports" in spec
    }


def test_prometheus_which_has_no_password_is_reached_by_two_services_only():
    assert {s for s, spec in SERVICES.items() if "monitoring" in spec.get("networks", ())} == {
        "ui",
        "prometheus",
        "grafana",
    }


def test_without_a_profile_the_cluster_and_the_page_start():
    assert {s for s, spec in SERVICES.items() if "profiles" not in spec} == {
        "tokens",
        "ui",
        *RAY_NODES,
    }
    assert SERVICES["postgres"]["profiles"] == ["postgres"]
    assert SERVICES["prometheus"]["profiles"] == SERVICES["grafana"]["profiles"] == ["monitoring"]


def test_the_example_of_settings_holds_every_setting_at_its_default():
    asked = dict(re.findall(r"(?<!\$)\$\{(\w+):-([^}]*)\}", (DOCKER / "compose.yaml").read_text()))
    lines = (DOCKER / ".env.example").read_text(encoding="utf-8").splitlines()
    shown = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert shown == asked
    assert not any(re.search("TOKEN|PASSWORD|SECRET", name) for name in shown)


@pytest.mark.parametrize("name", [".env.example", "README.md"])
def test_the_url_of_the_record_names_the_service_and_no_password(name):
    urls = set(re.findall(r"postgresql://[^\s`]+", (DOCKER / name).read_text(encoding="utf-8")))
    made = SERVICES["postgres"]["environment"]
    assert urls == {
        f"postgresql://{made['POSTGRES_USER']}@postgres:5432/{made['POSTGRES_DB']}",
    }
    # Where libpq finds the password: a line of this file, see make-tokens.
    for service in RAY_NODES:
        settings = SERVICES[service]["environment"]
        assert settings["PGPASSFILE"] == "/run/tokens/postgres/pgpass"
        assert "TUNE_APP_DB" in settings
