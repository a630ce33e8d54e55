"""FastAPI without batching: a plain `def` route, which FastAPI runs in its pool of threads."""

import sys
from pathlib import Path

import uvicorn
from classifier import Classifier
from fastapi import FastAPI, UploadFile

app = FastAPI()
classifier = Classifier(Path(sys.argv[1]))


@app.post("/predict")
def predict(file: UploadFile) -> dict[str, float]:
    """Answer for the picture in the form."""
    return classifier.answer([classifier.prepare(file.file.read())])[0]


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
