"""Known vulnerabilities in what the product runs on; part of `make check`.

Where the package registry gives no advisories (a mirror, no network), it says so and passes: a check that
cannot see must not pretend, nor stand in the way.
"""

import json
import subprocess
import sys

LOCKS = ("requirements/scale.txt", "requirements/watchdog.txt")
TIMEOUT_S = 120


def audit(lock: str) -> int:
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", lock]
    try:
        done = subprocess.run(
            [*command, "--format", "json", "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print(f"{lock}: not audited, the registry gives no advisories")
        return 0
    seen = [package for package in packages if "vulns" in package]
    if not seen:
        print(f"{lock}: not audited, the registry gives no advisories")
        return 0
    for package in seen:
        for vulnerability in package["vulns"]:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no release yet"
            print(f"{lock}: {package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}")
    n_found = sum(bool(package["vulns"]) for package in seen)
    print(f"{lock}: {len(seen)} packages audited, {n_found} with known vulnerabilities")
    return n_found


if __name__ == "__main__":
    sys.exit(min(1, sum(audit(lock) for lock in LOCKS)))
