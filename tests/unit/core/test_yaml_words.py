"""The text that Compose makes of a YAML number, as ``docker compose config`` 2.40.3 printed it."""

from __future__ import annotations

import pytest

from homelab_mcp.core.yaml12 import scalar_value
from homelab_mcp.core.yaml_words import handed_on

SEEN = {
    **{"022": "18", "-022": "-18", "0o17": "15", "0x1F": "31", "-0x1F": "-31", "0b1_1": "3", "0_777": "511"},
    **{"1_000": "1000", "+12": "12", "-0": "0", "00": "0", "08": "8", "12345678901234567890": "12345678901234567890"},
    **{"1e3": "1000", "1e5": "100000", "1e6": "1e+06", "1E20": "1e+20", "1e21": "1e+21", "12e03": "12000"},
    **{".5": "0.5", "-.5": "-0.5", "1.": "1", "1.0": "1", "1.10": "1.1", "1_0.5": "10.5", "100000.5": "100000.5"},
    **{"1000000.5": "1.0000005e+06", "123456789.0": "1.23456789e+08", "3.14159265358979323846": "3.141592653589793"},
    **{"0.0001": "0.0001", "0.00012": "0.00012", "0.00001": "1e-05", "1e-7": "1e-07"},
    **{"18446744073709551616": "1.8446744073709552e+19", "12345678901234567890123": "1.2345678901234568e+22"},
    **{".inf": "+Inf", "-.inf": "-Inf", ".nan": "NaN", "True": "true", "FALSE": "false"},
    "9007199254740993.0": "9.007199254740992e+15",
}


@pytest.mark.parametrize(("written", "told"), SEEN.items(), ids=SEEN)
def test_a_number_is_handed_on_as_compose_does(written: str, told: str) -> None:
    assert handed_on(scalar_value(written)) == told
