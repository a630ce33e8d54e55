import json

from contract.text import as_json


def test_rows_of_numbers_stand_on_one_line() -> None:
    value = {"confusion": [[1, 2], [30, 4]], "names": ["a", "b"], "interval": [0.5, 1.0], "empty": [], "one": [7]}
    text = as_json(value)
    assert json.loads(text) == value
    assert "    [1, 2],\n    [30, 4]\n" in text
    assert text.endswith("}\n")
