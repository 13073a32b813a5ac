#!/usr/bin/env python3
"""Writes tests/fixtures/eval/logistic.json: minima and predictions of scikit-learn's logistic regression.

The objective is that of the official evaluation (cyanure): mean cross-entropy + lambda / 2 * |W|^2, without intercept, on
features of length 1. scikit-learn minimises sum of cross-entropies * C + |W|^2 / 2, so that C = 1 / (n lambda). With two
classes it has one vector w in place of two; W = (-w/2, w/2) has half of its squared length, so that C = 2 / (n lambda).

The committed file was made with scikit-learn 1.9.1 and NumPy 2.4.6. Usage:

    pip install scikit-learn
    python scripts/make_eval_logistic_fixtures.py
"""

import json
from pathlib import Path

import numpy
from sklearn.linear_model import LogisticRegression

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval" / "logistic.json"
LAMBDAS = [0.001, 0.01, 0.1, 1.0]


def features(rng, centers, labels, spread):
    rows = centers[labels] + spread * rng.standard_normal((len(labels), centers.shape[1]))
    # What is written is what is computed with.
    return numpy.round(rows, 3).astype(numpy.float32)


def unit(rows):
    rows = rows.astype(numpy.float64)
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def objective(weights, rows, labels, penalty):
    logits = rows @ weights.T
    largest = logits.max(axis=1, keepdims=True)
    sums = numpy.log(numpy.exp(logits - largest).sum(axis=1)) + largest[:, 0]
    return (sums - logits[numpy.arange(len(labels)), labels]).mean() + penalty / 2 * (weights**2).sum()


def case(name, seed, shares, dim, count, spread):
    rng = numpy.random.default_rng(seed)
    classes = len(shares)
    centers = rng.standard_normal((classes, dim))
    labels = numpy.concatenate([numpy.arange(classes), rng.choice(classes, count - classes, p=shares)])
    train = features(rng, centers, labels, spread)
    val = features(rng, centers, rng.choice(classes, 30), spread)

    fits = []
    for penalty in LAMBDAS:
        strength = (2 if classes == 2 else 1) / (count * penalty)
        model = LogisticRegression(C=strength, fit_intercept=False, solver="lbfgs", tol=1e-10, max_iter=100000)
        model.fit(unit(train), labels)
        weights = model.coef_
        if classes == 2:
            weights = numpy.concatenate([-weights / 2, weights / 2])
        fits.append({
            "lambda": penalty,
            "objective": float(objective(weights, unit(train), labels, penalty)),
            "predictions": model.predict(unit(val)).tolist(),
        })
    rounded = lambda rows: [[round(float(value), 3) for value in row] for row in rows]
    return {"name": name, "classes": classes, "train": rounded(train), "train_labels": labels.tolist(),
            "val": rounded(val), "fits": fits}


def main():
    cases = [
        case("three classes", 1, [1 / 3] * 3, 8, 60, 0.7),
        case("classes of different sizes", 2, [0.6, 0.2, 0.1, 0.06, 0.04], 12, 80, 1.0),
        case("two classes", 3, [0.7, 0.3], 6, 40, 1.5),
    ]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
