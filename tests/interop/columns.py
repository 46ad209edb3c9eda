"""The columns: clients that others wrote, how their programs are built, what they lack.

Everything that is downloaded or built stays below the cache; versions are pinned here and in the
build files beside the programs.
"""

import dataclasses
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
DEBIAN_PYTHON = "/usr/bin/python3"
PROTON_PYTHON = os.path.join(HERE, "proton_python", "client.py")
PYPI = ["python-qpid-proton==0.40.0", "cffi==1.17.1", "pycparser==2.22"]


class Missing(Exception):
    """The toolchain of a client is not here: what it needs."""


class BuildFailed(Exception):
    """The program of a client could not be built: the end of what the build said."""


@dataclasses.dataclass
class Column:
    """`lacks` says for rows what the client has no means for; the rows in `needs_peer` are shown
    with Proton Python as the other side. `notes` are for rows that are shown in another way."""

    name: str
    title: str
    build: object
    lacks: dict = dataclasses.field(default_factory=dict)
    notes: dict = dataclasses.field(default_factory=dict)
    needs_peer: frozenset = frozenset()
    command: list = None
    absent: str = None
    peer: tuple = (DEBIAN_PYTHON, PROTON_PYTHON)


class Cache:
    """Where builds and downloads go. Build tools are told to keep all they load in there."""

    def __init__(self, directory, jobs):
        self.directory = os.path.join(os.path.abspath(directory), "interop")
        self.jobs = jobs
        os.makedirs(self.directory, exist_ok=True)
        self.environment = {
            **os.environ,
            "CARGO_HOME": self.path("cargo"),
            "GOMODCACHE": self.path("go/mod"),
            "GOCACHE": self.path("go/build"),
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-modcacherw -buildvcs=false",
            "npm_config_cache": self.path("npm"),
            "PIP_CACHE_DIR": self.path("pip"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def copy(self, folder):
        """A copy of a program's sources, in which its build may write; files that have not changed
        stay as they are, for the sake of incremental builds."""
        target = self.path(folder)
        for root, _, files in os.walk(os.path.join(HERE, folder)):
            there = os.path.join(target, os.path.relpath(root, os.path.join(HERE, folder)))
            os.makedirs(there, exist_ok=True)
            for name in files:
                copy_if_new(os.path.join(root, name), os.path.join(there, name))
        return target

    def run(self, *command, cwd=None):
        done = subprocess.run(command, cwd=cwd, env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise BuildFailed(f"{' '.join(command)}\n{done.stdout[-3000:]}")


def lock_file(directory):
    """The file to lock for as long as the builds below the cache are used."""
    os.makedirs(os.path.join(directory, "interop"), exist_ok=True)
    return os.path.join(directory, "interop", "lock")


def copy_if_new(source, target):
    with open(source, "rb") as file:
        wanted = file.read()
    if os.path.exists(target):
        with open(target, "rb") as file:
            if file.read() == wanted:
                return
    shutil.copyfile(source, target)


def need(tool, least, *question):
    """Raises Missing unless the tool answers the question with a version of at least that."""
    name = f"{tool} {'.'.join(map(str, least))}"
    try:
        said = subprocess.run(question, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise Missing(name) from None
    found = re.search(r"(\d+)\.(\d+)", said.stdout + said.stderr)
    version = tuple(map(int, found.groups())) if found else (0,)
    if version < tuple(least):
        raise Missing(name)


def proton_python(_):
    need("python3-qpid-proton", (0, 37), DEBIAN_PYTHON, "-c",
         "import proton; print('%d.%d' % proton.VERSION[:2])")
    return [DEBIAN_PYTHON, PROTON_PYTHON]


def proton_python_sasl(cache):
    """Built from its sources, which take libsasl2 where its headers are."""
    need("libsasl2-dev", (2, 1), "pkg-config", "--modversion", "libsasl2")
    need("pkg-config", (0, 1), "pkg-config", "--version")
    need("libpython3-dev", (3, 9), "pkg-config", "--modversion", "python3")
    python = cache.path("venv", "bin", "python")
    stamp = cache.path("venv", "built")
    wanted = " ".join(PYPI)
    if not (os.path.exists(stamp) and open(stamp, encoding="ascii").read() == wanted):
        cache.run(DEBIAN_PYTHON, "-m", "venv", "--clear", cache.path("venv"))
        cache.run(python, "-m", "pip", "install", "-q", "--no-binary", "python-qpid-proton", *PYPI)
        cache.run(python, "-c", "from proton import SASL; assert SASL.extended()")
        with open(stamp, "w", encoding="ascii") as file:
            file.write(wanted)
    return [python, PROTON_PYTHON]


def proton_cpp(cache):
    need("libqpid-proton-cpp12-dev", (0, 37), "dpkg-query", "-W", "-f", "${Version}",
         "libqpid-proton-cpp12-dev")
    folder = cache.copy("proton_cpp")
    program = os.path.join(folder, "client")
    sources = sorted(name for name in os.listdir(folder) if name.endswith((".cc", ".h")))
    newest = max(os.path.getmtime(os.path.join(folder, name)) for name in sources)
    if not os.path.exists(program) or os.path.getmtime(program) < newest:
        cache.run("g++", "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", "-o", "client",
                  *(name for name in sources if name.endswith(".cc")), "-lqpid-proton-cpp",
                  "-pthread", cwd=folder)
    return [program]


def rhea(cache):
    need("Node.js", (18, 0), "node", "--version")
    need("npm", (8, 0), "npm", "--version")
    folder = cache.copy("rhea")
    cache.run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline",
              cwd=folder)
    return ["node", os.path.join(folder, "client.js")]


def qpid_jms(cache):
    need("Java", (17, 0), "java", "-version")
    need("Maven", (3, 6), "mvn", "--version")
    folder = cache.copy("qpid_jms")
    cache.run("mvn", "-q", "-B", f"-Dmaven.repo.local={cache.path('maven')}", "package",
              cwd=folder)
    return ["java", "-Xmx2g", "-XX:TieredStopAtLevel=1", "-cp",
            os.path.join(folder, "target", "client.jar") + ":"
            + os.path.join(folder, "target", "lib", "*"), "Client"]


def go_amqp(cache):
    need("Go", (1, 25), "go", "version")
    folder = cache.copy("go_amqp")
    cache.run("go", "build", "-p", str(cache.jobs), "-o", "client", ".", cwd=folder)
    return [os.path.join(folder, "client")]


def fe2o3(cache):
    need("Rust", (1, 85), "cargo", "--version")
    folder = cache.copy("fe2o3")
    cache.run("cargo", "build", "-q", "--locked", "--release", "-j", str(cache.jobs), cwd=folder)
    return [os.path.join(folder, "target", "release", "client")]


def without_scram(client):
    """What a client lacks that has neither SCRAM nor Kerberos."""
    rows = ("scram_sha_256", "scram_sha_1", "scram_plaintext", "scram_wrong")
    return {**dict.fromkeys(rows, f"{client} has no SCRAM"), **without_gssapi(client)}


def without_gssapi(client):
    return {"gssapi": f"{client} has no GSSAPI"}


COLUMNS = [
    Column("rhea", "rhea 3.0.5", rhea, lacks=without_scram("rhea")),
    Column("qpid_jms", "Qpid JMS 2.10.0", qpid_jms, needs_peer=frozenset({"reject", "modify"}),
           notes={"bad_client": "Java shows no certificate that the router would not take, and is "
                                "refused for having none"}),
    Column("go_amqp", "go-amqp 1.7.0", go_amqp, lacks={
        "reconnect": "go-amqp leaves reconnecting to the program", **without_scram("go-amqp")}),
    Column("fe2o3", "fe2o3-amqp 0.18.4", fe2o3, lacks={
        **without_gssapi("fe2o3-amqp"),
        "reconnect": "fe2o3-amqp leaves reconnecting to the program",
        "drain": "fe2o3-amqp does not tell when a drain has ended, so that the program cannot know "
                 "when it may give credit again"}),
    Column("proton_cpp", "Proton C++ 0.37", proton_cpp, lacks={
        "body_100_mib": "Proton C++ sends a message in one piece only, which takes it time that "
                        "grows with the square of the size: 40 s for 40 MB",
        **without_scram("Debian's Proton, built without libsasl2,")},
        notes=dict.fromkeys(("reject", "modify", "too_large"), "Proton C++ 0.37 gives and tells "
                            "outcomes without conditions, flags and annotations")),
    Column("proton_python", "Proton Python 0.37", proton_python,
           lacks=without_scram("Debian's Proton, built without libsasl2,")),
    Column("proton_python_sasl", "Proton Python 0.40 with libsasl2", proton_python_sasl),
]
