"""A realm of Kerberos in a directory of its own: a KDC on 127.0.0.1, principals, keytabs. Nothing
of the system's own configuration is read or changed: all goes through the environment `Realm.env`.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import threading

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
NAME = "EXAMPLE.TEST"

KRB5_CONF = """[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  # Tickets are for amqp/localhost, as which it is dialled, whatever this host is called.
  ignore_acceptor_hostname = true
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
"""

KDC_CONF = """[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {directory}/principal
    key_stash_file = {directory}/stash
    acl_file = {directory}/acl
    max_life = 1h
  }}
[logging]
  kdc = STDERR
"""


def missing():
    """What has to be installed first; empty: nothing."""
    programs = {"krb5kdc": "krb5-kdc", "kdb5_util": "krb5-kdc", "kadmin.local": "krb5-admin-server"}
    for program, package in programs.items():
        if shutil.which(program, path=PATH) is None:
            return package
    try:
        import gssapi  # noqa: F401
    except ImportError:
        return "python3-gssapi"
    return ""


def bound_sockets():
    """A TCP and a UDP socket at the same port."""
    while True:
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        tcp.bind(("127.0.0.1", 0))
        try:
            udp.bind(tcp.getsockname())
            return tcp, udp
        except OSError:
            tcp.close()
            udp.close()


def _free_port():
    tcp, udp = bound_sockets()
    with tcp, udp:
        return tcp.getsockname()[1]


class Realm:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="trunkline-realm-")
        self.port = _free_port()
        self.kdc = None
        words = {"realm": NAME, "port": self.port, "directory": self.directory}
        self.env = {
            "PATH": PATH,
            "KRB5_CONFIG": self._write("krb5.conf", KRB5_CONF.format(**words)),
            "KRB5_KDC_PROFILE": self._write("kdc.conf", KDC_CONF.format(**words)),
            "KRB5_KTNAME": self.path("server.keytab"),
            "KRB5_CLIENT_KTNAME": self.path("router.keytab"),
            "KRB5CCNAME": "FILE:" + self.path("tickets"),
            "KRB5RCACHEDIR": self.directory,
        }
        self._run("kdb5_util", "create", "-s", "-r", NAME, "-P", "master")
        self.add("amqp/localhost", "server")

    def path(self, name):
        return os.path.join(self.directory, name)

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        return self.path(name)

    def _run(self, *command):
        subprocess.run(command, env={**os.environ, **self.env}, check=True, capture_output=True)

    def add(self, principal, keytab):
        """A principal, and a keytab with its key; returns the path of that."""
        path = self.path(keytab + ".keytab")
        self._run("kadmin.local", "-r", NAME, "-q", f"addprinc -randkey {principal}")
        self._run("kadmin.local", "-r", NAME, "-q", f"ktadd -k {path} {principal}")
        return path

    def config_for(self, port):
        """Another krb5.conf, for a KDC at this port."""
        return self._write(f"krb5-{port}.conf", KRB5_CONF.format(realm=NAME, port=port))

    def start(self):
        self.kdc = subprocess.Popen(
            ["krb5kdc", "-n", "-r", NAME, "-P", self.path("kdc.pid")], text=True,
            env={**os.environ, **self.env}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for line in self.kdc.stderr:
            if "commencing operation" in line:
                break
        else:
            raise AssertionError("the KDC does not start")
        self._drain = threading.Thread(target=self.kdc.stderr.read, daemon=True)
        self._drain.start()

    def stop(self):
        if self.kdc is None:
            return
        self.kdc.terminate()
        self.kdc.wait()
        self._drain.join()
        self.kdc.stderr.close()
        self.kdc = None

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
