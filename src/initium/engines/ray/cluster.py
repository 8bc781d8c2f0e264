"""Reaching a Ray cluster: asks its head first, from a process that may fail, and says what is wrong in time."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
import warnings
from typing import Any

from initium.errors import ClusterError, UsageError

AUTH_MODE, AUTH_TOKEN = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"
"""Where Ray reads from the environment whether there is a token, and which; once, when it is imported."""
LOST_AFTER = 30.0
"""Seconds without an answer of the head after which the cluster counts as lost; after 60 Ray ends this process."""
ASK_EVERY = 5.0
ANSWER_WITHIN = 2.0
"""Seconds in which a head accepts a connection."""


def set_token(token: str) -> None:
    """Makes this process show the token to the cluster.

    Raises:
        UsageError: ray was imported before.
    """
    if "ray" in sys.modules and os.environ.get(AUTH_TOKEN) != token:
        raise UsageError(
            "ray was imported before its token was given",
            expected="the token before the first `import ray` of this process",
            remedy=f"set {AUTH_MODE}=token and {AUTH_TOKEN} in the environment",
        )
    os.environ[AUTH_MODE], os.environ[AUTH_TOKEN] = "token", token


def guard_new_cluster() -> None:
    """Gives a cluster that this process will start a token of its own, unless the environment says how it is guarded.

    Ray listens on every network interface, and whoever reaches a cluster without a token runs code on it.
    """
    if os.environ.get(AUTH_MODE):
        return
    if "ray" in sys.modules:
        warnings.warn(
            "a new Ray cluster without a token: ray was imported before, so that it is too late to make one; "
            f"set {AUTH_MODE}=token and {AUTH_TOKEN}, or import initium.engines first",
            stacklevel=4,
        )
        return
    set_token(secrets.token_hex(32))


def check_cluster(address: str, timeout: float) -> None:
    """Asks the head whether it takes this process, and warns if it takes anybody.

    In processes of their own, since Ray aborts the process that has no token where it should have one.

    Args:
        address: host:port of the head, or "auto".
        timeout: seconds.

    Raises:
        ClusterError: there is no answer in time, the token is missing or refused, or versions differ.
    """
    ours = _ask(address, {})
    anybody = _ask(address, {AUTH_MODE: "disabled", AUTH_TOKEN: ""})
    try:
        told = _told(ours, address, timeout)
        if ours.returncode:
            raise _refused(address, told)
        if _told(anybody, address, timeout) is not None and anybody.returncode == 0:
            warnings.warn(
                f"the Ray cluster at {address} asks for no token: whoever reaches it runs code on it; start its "
                f"nodes with {AUTH_MODE}=token and the same {AUTH_TOKEN}",
                stacklevel=4,
            )
    finally:
        for process in (ours, anybody):
            process.kill()
            process.communicate()


def _ask(address: str, changes: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check"]
    where = [] if address == "auto" else ["--address", address]
    return subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
        [*command, *where],
        env=os.environ | changes,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _told(process: subprocess.Popen[str], address: str, timeout: float) -> str:
    try:
        return process.communicate(timeout=timeout)[0]
    except subprocess.TimeoutExpired:
        raise no_answer(address, timeout) from None


def _refused(address: str, told: str) -> ClusterError:
    """The error that the words of a failed health check mean."""
    if re.search(r"InvalidAuthToken|AuthenticationError|auth.{0,20}token", told, re.IGNORECASE):
        given = os.environ.get(AUTH_TOKEN) or os.environ.get("RAY_AUTH_TOKEN_PATH")
        seen = "refused the token" if given else "asks for a token, and none was given"
        return ClusterError(
            f"the Ray cluster at {address} {seen}",
            expected=f"{AUTH_MODE}=token and the {AUTH_TOKEN} that its nodes were started with",
            remedy="set both in the environment before ray is imported, or give token=",
        )
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return ClusterError(
        f"the Ray cluster at {address} cannot be used ({lines[-1][:300] if lines else 'no word'})",
        expected="a running head with the same versions of Ray and Python as here",
        remedy="check `ray status` on the head, and the address",
    )


def check_listens(address: str, timeout: float) -> None:
    """Raises if nothing listens at an address, which tells sooner than Ray does.

    Raises:
        UsageError: it is no address of a head.
        ClusterError: nothing listens there.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "//" in address or not host or not port.isdecimal():
        raise UsageError(
            f"{address!r} is no address of a Ray head",
            expected='host:port, such as "10.0.0.1:6379", or "auto" for the cluster of this machine',
            remedy="run the study on a node of the cluster, and give the address that `ray start` printed",
        )
    try:
        socket.create_connection((host, int(port)), timeout=timeout).close()
    except OSError as error:
        raise ClusterError(
            f"nothing answers at the Ray address {address!r} ({error})",
            expected="host:port of a running head",
            remedy="start one with `ray start --head --port 6379`, or correct the address",
        ) from error


def connect(ray: Any, settings: dict[str, Any], timeout: float) -> None:
    """`ray.init`, which would try for minutes, in a thread that is left behind when it takes too long.

    Raises:
        ClusterError: it took too long, or raised.
    """
    raised: list[Exception] = []

    def init() -> None:
        try:
            ray.init(**settings)
        except Exception as error:  # noqa: BLE001 - handed to the other thread
            raised.append(error)

    thread = threading.Thread(target=init, daemon=True)
    thread.start()
    thread.join(timeout)
    address = settings["address"]
    if thread.is_alive():
        raise no_answer(address, timeout)
    if raised:
        raise ClusterError(
            f"the Ray cluster at {address} cannot be used ({type(raised[0]).__name__}: {first_line(raised[0])})",
            expected="a cluster with a node on this machine, of the same versions of Ray and Python",
            remedy="check `ray status` here, and start a node with `ray start --address HEAD:PORT`",
        ) from raised[0]


class Head:
    """Watches whether the head of a cluster is still there.

    Args:
        address: host:port.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._asked = self._heard = time.monotonic()

    def check(self) -> None:
        """Asks, if that is due.

        Raises:
            ClusterError: it has not answered for 30 s.
        """
        now = time.monotonic()
        if now - self._asked < ASK_EVERY:
            return
        self._asked = now
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=ANSWER_WITHIN).close()
            self._heard = now
        except OSError as error:
            if now - self._heard < LOST_AFTER:
                return
            raise ClusterError(
                f"the head of the Ray cluster at {self.address} is gone ({error})",
                expected="a head that runs as long as the study",
                remedy="start the cluster again and resume: what finished is kept",
            ) from error


def no_answer(address: str, timeout: float) -> ClusterError:
    """The error of a head that did not answer in time."""
    return ClusterError(
        f"the Ray cluster at {address} gave no answer in {timeout:g} s",
        expected="a running head that can be reached from here",
        remedy="check `ray status` on the head, the address, and firewalls; or allow more time (timeout=)",
    )


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
