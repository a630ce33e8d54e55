"""The server with a session that can do nothing any more once it listens, as after a lost GPU."""

import socket
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.console import run_command
from contract.graph import Outputs
from runtime import Session
from serve.config import ServeConfig
from serve.network.draining import DrainingServer
from serve.server import serve

honest = DrainingServer.startup


def crash(self: Session, images_nhwc: NDArray[np.uint8]) -> Outputs:
    raise RuntimeError("CUDA failure 700")


async def break_after_startup(self: DrainingServer, sockets: list[socket.socket] | None = None) -> None:
    Session.run = crash  # type: ignore[method-assign]
    await honest(self, sockets)


if __name__ == "__main__":
    DrainingServer.startup = break_after_startup  # type: ignore[method-assign]
    run_command(lambda: serve(ServeConfig(bundle=Path(sys.argv[1]), port=0, grpc_port=0)))
