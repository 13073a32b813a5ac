#!/usr/bin/env python3
"""Writes tests/fixtures/eval/cluster.json: scores of random partitions by scikit-learn and SciPy.

ACC is the share of items in matched pairs of the contingency table, matched by scipy.optimize.linear_sum_assignment.
A label may be missing: an empty cluster, or a class without images.

The committed file was made with scikit-learn 1.9.1 and SciPy 1.17.1. Usage:

    pip install scikit-learn
    python scripts/make_eval_cluster_fixtures.py
"""

import json
from pathlib import Path

import numpy
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, fowlkes_mallows_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "eval" / "cluster.json"


def case(name, predicted, truth):
    counts = contingency_matrix(predicted, truth)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return {
        "name": name,
        "predicted": predicted.tolist(),
        "truth": truth.tolist(),
        "acc": float(counts[rows, columns].sum() / counts.sum()),
        "nmi": float(normalized_mutual_info_score(truth, predicted, average_method="arithmetic")),
        "ari": float(adjusted_rand_score(truth, predicted)),
        "fmi": float(fowlkes_mallows_score(truth, predicted)),
    }


def related(rng, truth, clusters, noise):
    """Clusters that follow the classes, except for a share `noise` of the items."""
    predicted = (truth * 7 + 3) % clusters
    wrong = rng.random(len(truth)) < noise
    predicted[wrong] = rng.integers(0, clusters, wrong.sum())
    return predicted


def main():
    rng = numpy.random.default_rng(5)
    ten = rng.integers(0, 10, 300)
    skewed = rng.choice(6, 200, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
    hollow = related(rng, ten, 10, 0.4)
    hollow[hollow == 4] = 5
    cases = [
        case("as many clusters as classes", related(rng, ten, 10, 0.5), ten),
        case("an empty cluster", hollow, ten),
        case("more clusters than classes", related(rng, skewed, 40, 0.6), skewed),
        case("fewer clusters than classes", related(rng, ten, 3, 0.3), ten),
        case("one cluster", numpy.zeros(200, int), skewed),
        case("a cluster for each item", numpy.arange(200), skewed),
        case("chance", rng.integers(0, 10, 300), ten),
        case("equal", (skewed + 1) % 6, skewed),
    ]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
