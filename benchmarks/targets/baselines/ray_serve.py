"""Ray Serve with `@serve.batch`, as its documentation shows it."""

import os
import signal
import sys
from pathlib import Path

from classifier import Classifier
from ray import serve
from starlette.requests import Request

BUNDLE, PORT = Path(sys.argv[1]), int(sys.argv[2])


# Without num_cpus Ray gives PyTorch one thread.
@serve.deployment(num_replicas=1, max_ongoing_requests=100, ray_actor_options={"num_cpus": os.cpu_count()})
class Service:
    """The model behind a batched method."""

    def __init__(self, bundle: str) -> None:
        self.classifier = Classifier(Path(bundle))

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.005)
    async def answer(self, bodies: list[bytes]) -> list[dict[str, float]]:
        """Answer for the pictures that Ray Serve gathered."""
        return self.classifier.answer([self.classifier.prepare(body) for body in bodies])

    async def __call__(self, request: Request) -> dict[str, float]:
        """Answer for the picture in the body."""
        return await self.answer(await request.body())


if __name__ == "__main__":
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(Service.bind(str(BUNDLE)), route_prefix="/predict")
    signal.pause()
