"""Does the steps of the Containerfile on a real Debian, and runs the auditor as its user.

No image can be built where no registry can be reached. The steps are the file's own; the base is
made by debootstrap. The result runs with a read-only root, of which only what the manifests of
Kubernetes mount can be written. `make container` runs this as root.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.builders import containerfile

MIRROR = "http://deb.debian.org/debian"
FROM_HERE = {
    "/etc/resolv.conf": "etc/resolv.conf",
    "/etc/ssl/certs/ca-certificates.crt": "authorities.crt",
}
"""What a builder gives its containers: how names are resolved, and whom this network trusts."""
PASSED = ("PIP_INDEX_URL", "http_proxy", "https_proxy", "no_proxy")
WRITABLE = ("tmp", "var/lib/auditor")


def base(root: Path) -> None:
    """Make the system of the base image."""
    release = containerfile.value("FROM").partition(":")[2].partition("-")[0]
    subprocess.run(["debootstrap", "--variant=minbase", release, str(root), MIRROR], check=True)
    for name, place in FROM_HERE.items():
        shutil.copy(name, root / place)


def run(root: Path, *words: str) -> None:
    """Run a command as the image's user, with a read-only root."""
    mounts = [f"mount --bind {root} {root}", f"mount -o remount,bind,ro {root}"]
    mounts += [f"mount -t tmpfs -o mode=1777 tmpfs {root}/{name}" for name in WRITABLE]
    mounts += [f"mount -t proc proc {root}/proc"]
    user, folder = containerfile.value("USER"), containerfile.value("WORKDIR")
    script = (
        f"{' && '.join(mounts)} && exec /usr/sbin/chroot --userspec={user} --groups= {root}"
        f' /bin/sh -c \'cd {folder} && ! touch /etc/written 2>/dev/null && exec "$@"\' sh "$@"'
    )
    command = ["unshare", "--mount", "sh", "-c", script, "sh"]
    print("$", *words, flush=True)
    subprocess.run([*command, *words], env=containerfile.environment(), check=True)


def main() -> None:
    environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PIP_CERT": "/authorities.crt"}
    environ |= {name: os.environ[name] for name in PASSED if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="auditor-container-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        base(root)
        containerfile.build(root, environ)
        run(root, *containerfile.entry_point(), "--version")
        run(root, *containerfile.entry_point(), "demo", "--out", "demo", "--quiet")
        run(root, "/opt/auditor/jobs/container/night.sh", "kubernetes", "--help")
    print("the Containerfile's steps work, and the result runs without rights", file=sys.stderr)


if __name__ == "__main__":
    main()
