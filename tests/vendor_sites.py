"""The download sites of vendors, laid out in a folder as they lay them out: ``<host>/<path>``."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vmwright.events import Event, Level, Notice
from vmwright.sources import marketplace, platform_image
from vmwright.sources.base_disk import BaseDisk
from vmwright.sources.context import SourceContext
from vmwright.template.model import PlatformImage

SIGNED = """-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

{}-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEE
=abcd
-----END PGP SIGNATURE-----
"""
UBUNTU_PATH = "server/releases/{0}/release-{1}/ubuntu-{2}-server-cloudimg-amd64.img"


class Sites:
    """Writes what vendors publish; every image is one and the same disk."""

    def __init__(self, root: Path, disk: Path) -> None:
        self.root = root
        self.disk = disk.read_bytes()
        self.asked: list[str] = []

    def path(self, url: str) -> Path:
        """Return where a URL's file is."""
        parts = urlsplit(url)
        path = self.root / parts.netloc / parts.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def put(self, url: str, body: bytes | str) -> Path:
        """Publish a file."""
        path = self.path(url)
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        return path

    def images(self, folder: str, *names: str) -> list[str]:
        """Publish the disk under names; returns them."""
        for name in names:
            self.put(f"{folder}{name}", self.disk)
        return list(names)

    def sha256(self) -> str:
        return hashlib.sha256(self.disk).hexdigest()

    def gnu(self, names: list[str], mark: str = " ") -> str:
        return "".join(f"{self.sha256()} {mark}{name}\n" for name in names)

    def bsd(self, names: list[str]) -> str:
        size = len(self.disk)
        return "".join(f"# {name}: {size} bytes\nSHA256 ({name}) = {self.sha256()}\n" for name in names)

    def ubuntu(self, codename: str, release: str, *serials: str) -> None:
        """Simplestreams, and a folder with SHA256SUMS (binary marks) for each serial."""
        host = "https://cloud-images.ubuntu.com/releases"
        versions = {}
        for serial in serials:
            folder = f"{host}/{codename}/release-{serial}/"
            names = self.images(folder, f"ubuntu-{release}-server-cloudimg-amd64.img")
            self.put(f"{folder}SHA256SUMS", self.gnu([*names, f"ubuntu-{release}.manifest"], "*"))
            path = UBUNTU_PATH.format(codename, serial, release)
            item = {"ftype": "disk1.img", "path": path, "sha256": self.sha256(), "size": len(self.disk)}
            tar = {"ftype": "tar.gz", "path": path.replace(".img", ".tar.gz")}
            versions[serial] = {"items": {"disk1.img": item, "tar.gz": tar}, "label": "release"}
        product = {"arch": "amd64", "release": codename, "version": release, "versions": versions}
        products = {
            "format": "products:1.0",
            "products": {f"com.ubuntu.cloud:server:{release}:amd64": product},
        }
        self.put(f"{host}/streams/v1/com.ubuntu.cloud:released:download.json", json.dumps(products, indent=1))

    def debian(self, codename: str, release: str, *builds: str) -> None:
        """A folder with SHA512SUMS for each build; ``latest`` has a JSON document that says which it is."""
        host = f"https://cloud.debian.org/images/cloud/{codename}"
        for build in builds:
            folder = f"{host}/{build}/"
            names = self.images(folder, f"debian-{release}-generic-amd64-{build}.qcow2")
            digest = hashlib.sha512(self.disk).hexdigest()
            self.put(f"{folder}SHA512SUMS", "".join(f"{digest}  {name}\n" for name in names))
        info = {"arch": "amd64", "release_id": release, "vendor": "generic", "version": builds[-1]}
        labels = {"cloud.debian.org/version": builds[-1], "upload.cloud.debian.org/image-format": "qcow2"}
        packages = [{"name": "adduser", "version": "3.134"}]
        items = [
            {"kind": "Build", "data": {"info": info, "packages": packages}, "metadata": {"labels": labels}},
            {"kind": "Upload", "data": {"provider": "cloud.debian.org"}, "metadata": {"labels": labels}},
        ]
        document = {"apiVersion": "v1", "kind": "List", "items": items}
        self.put(f"{host}/latest/debian-{release}-generic-amd64.json", json.dumps(document))

    def almalinux(self, release: str, *builds: str) -> None:
        """One folder, its CHECKSUM in the form of GNU, with an alias for the newest."""
        folder = f"https://repo.almalinux.org/almalinux/{release}/cloud/x86_64/images/"
        names = [f"AlmaLinux-{release}-GenericCloud-{build}.x86_64.qcow2" for build in builds]
        alias = f"AlmaLinux-{release}-GenericCloud-latest.x86_64.qcow2"
        others = [f"AlmaLinux-{release}-OpenNebula-{builds[-1]}.x86_64.qcow2"]
        self.images(folder, *names, alias)
        self.put(f"{folder}CHECKSUM", self.gnu([*others, *names, alias]))

    def rocky(self, release: str, *builds: str) -> None:
        """One folder, its CHECKSUM in the form of BSD with comments."""
        folder = f"https://dl.rockylinux.org/pub/rocky/{release}/images/x86_64/"
        names = [f"Rocky-{release}-GenericCloud-Base-{build}.x86_64.qcow2" for build in builds]
        lvm = [f"Rocky-{release}-GenericCloud-LVM-{build}.x86_64.qcow2" for build in builds]
        alias = f"Rocky-{release}-GenericCloud-Base.latest.x86_64.qcow2"
        self.images(folder, *names, alias)
        self.put(f"{folder}CHECKSUM", self.bsd([*lvm, *names, alias]))

    def fedora(self, release: str, compose: str) -> None:
        """A list of all files, and a CHECKSUM for each compose, in the form of BSD, clear-signed."""
        top = "https://dl.fedoraproject.org/pub/fedora"
        images = f"linux/releases/{release}/Cloud/x86_64/images"
        names = self.images(f"{top}/{images}/", f"Fedora-Cloud-Base-Generic-{release}-{compose}.x86_64.qcow2")
        listed = [*names, f"Fedora-Cloud-Base-Azure-{release}-{compose}.x86_64.vhdfixed.xz"]
        other = f"./linux/releases/{release}/Cloud/aarch64/images/" + names[0].replace("x86_64", "aarch64")
        lines = [other, *(f"./{images}/{name}" for name in listed)]
        self.put(f"{top}/imagelist-fedora", "\n".join(lines) + "\n")
        checksum = f"{top}/{images}/Fedora-Cloud-{release}-{compose}-x86_64-CHECKSUM"
        self.put(checksum, SIGNED.format(self.bsd(listed)))

    def leap(self, release: str, *builds: str) -> None:
        """A table of the folder in JSON, and a ``.sha256`` beside each image."""
        folder = f"https://download.opensuse.org/distribution/leap/{release}/appliances/"
        names = [
            f"openSUSE-Leap-{release}-Minimal-VM.x86_64-{release}.0-Cloud-Build{b}.qcow2" for b in builds
        ]
        alias = f"openSUSE-Leap-{release}-Minimal-VM.x86_64-Cloud.qcow2"
        other = names[0].replace("-Cloud-", "-kvm-and-xen-")
        self.images(folder, *names)
        for name in names:
            self.put(f"{folder}{name}.sha256", self.gnu([name]))
        listed = [{"name": name, "size": 1, "mtime": 1718000000} for name in (alias, other, *names)]
        self.put(f"{folder}jsontable", json.dumps({"data": listed}))

    def centos7(self, *months: str) -> None:
        """One folder, ``sha256sum.txt`` in the form of GNU, each image in several packings."""
        folder = "https://cloud.centos.org/centos/7/images/"
        names = [f"CentOS-7-x86_64-GenericCloud-{month}.qcow2" for month in months]
        self.images(folder, *names)
        packed = [f"{name}{end}" for name in names for end in ("", ".xz", "c")]
        self.put(f"{folder}sha256sum.txt", self.gnu(packed))

    def centos8(self, *builds: str) -> None:
        """One folder, its CHECKSUM in the form of BSD."""
        folder = "https://cloud.centos.org/centos/8/x86_64/images/"
        names = self.images(folder, *(f"CentOS-8-GenericCloud-{build}.x86_64.qcow2" for build in builds))
        self.put(f"{folder}CHECKSUM", self.bsd(names))

    def hosts(self) -> set[str]:
        """Return all hosts that vmwright's own marketplace.toml names."""
        images = marketplace.load(Path("/nowhere")).images
        return {
            urlsplit(url).netloc for image in images for url in (image.index, image.image, image.checksums)
        }

    def mirrors(self, base: str) -> dict[str, str]:
        """Return mirrors that lead every vendor's address to a server (or folder) with these sites."""
        return {f"https://{host}/": f"{base}/{host}/" for host in self.hosts()}

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve the sites on loopback; gives the address. Folders are listed as Apache lists them."""
        sites = self

        class Site(SimpleHTTPRequestHandler):
            def __init__(self, *args: Any, **more: Any) -> None:
                super().__init__(*args, directory=str(sites.root), **more)

            def do_GET(self) -> None:
                sites.asked.append(self.path)
                self.path = self.path.replace("?jsontable", "jsontable")
                super().do_GET()

            def list_directory(self, path: Any) -> Any:
                names = sorted(entry.name for entry in Path(path).iterdir() if entry.is_dir())
                rows = "".join(f'<tr><td><a href="{name}/">{name}/</a></td></tr>\n' for name in names)
                body = f"<html><title>Index</title><table>\n{rows}</table></html>".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                return BytesIO(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()


async def resolve(name: str, context: SourceContext) -> BaseDisk:
    """Return the base disk of ``publisher:offer:sku:version``."""
    publisher, offer, sku, version = name.split(":")
    image = PlatformImage(publisher=publisher, offer=offer, sku=sku, version=version)
    return await platform_image.resolve(image, context)


def ubuntu(sites: Sites) -> None:
    sites.ubuntu("bionic", "18.04", "20180806", "20190306", "20230607.1")


def debian(sites: Sites) -> None:
    sites.debian("trixie", "13", "20250806-2196", "20260101-2345", "20260712-2537")


def warnings(said: list[Event]) -> list[str]:
    return [event.message for event in said if isinstance(event, Notice) and event.level is Level.WARNING]
