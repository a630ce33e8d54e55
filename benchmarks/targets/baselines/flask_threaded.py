"""A threaded Flask app, the way most first services are written: one picture, one call of the model, no limits."""

import sys
from pathlib import Path

from classifier import Classifier
from flask import Flask, request

app = Flask(__name__)
classifier = Classifier(Path(sys.argv[1]))


@app.post("/predict")
def predict() -> dict[str, float]:
    """Answer for the picture in the body."""
    return classifier.answer([classifier.prepare(request.get_data())])[0]


if __name__ == "__main__":
    app.run(port=int(sys.argv[2]), threaded=True)
