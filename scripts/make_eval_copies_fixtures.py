#!/usr/bin/env python3
"""Writes tests/fixtures/eval/copies.json: features that NumPy whitened.

The eigenvectors are those of the second moments about zero, with eigenvalues of at least 1e-5 of the largest; the mean is
taken out of what is whitened. The committed file was made with NumPy 2.4. Usage:

    pip install numpy
    python scripts/make_eval_copies_fixtures.py
"""

import json
from pathlib import Path

import numpy

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval" / "copies.json"


def main():
    rng = numpy.random.default_rng(7)
    dim = 6
    spread = rng.standard_normal((dim, dim)) * 0.6 ** numpy.arange(dim)
    learned_from = (rng.standard_normal((30, dim)) @ spread.T + 0.5).round(3)
    rows = (rng.standard_normal((9, dim)) @ spread.T + 0.5).round(3)

    values, vectors = numpy.linalg.eigh(learned_from.T @ learned_from / len(learned_from))
    order = numpy.argsort(-values)
    values = numpy.maximum(values[order], 1e-5 * values.max())
    whitened = (rows - learned_from.mean(0)) @ vectors[:, order] / numpy.sqrt(values)
    fixture = {
        "dim": dim,
        "learned_from": learned_from.ravel().tolist(),
        "rows": rows.ravel().tolist(),
        "whitened": whitened.ravel().tolist(),
    }
    OUT.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
