"""Reads a Parquet file of `ibot embed` with pyarrow and compares it with the .npy of the same features.

    ibot embed ... --out a.npy; ibot embed ... --out a.parquet
    python check_parquet.py a.parquet a.npy          exit status 1 where they differ
"""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def main(parquet, npy):
    table, array = pq.read_table(parquet), np.load(npy)
    names = [line.split("\t") for line in open(npy + ".txt", encoding="utf-8").read().splitlines()]
    dim, patches = array.shape[-1], array.ndim == 4
    embedding = table["embedding"]
    assert embedding.type == pa.list_(pa.field("element", pa.float32(), nullable=False)), embedding.type

    rows = np.stack(embedding.combine_chunks().to_numpy(zero_copy_only=False))
    assert rows.shape == (table.num_rows, dim), rows.shape
    assert np.array_equal(rows, array.reshape(-1, dim)), "the embeddings differ"
    each = array.shape[1] * array.shape[2] if patches else 1
    assert table["file"].to_pylist() == [name[0] for name in names for _ in range(each)]
    if len(names[0]) > 1:
        assert table["label"].to_pylist() == [name[1] for name in names for _ in range(each)]
    if patches:
        row, col = np.indices(array.shape[1:3]).reshape(2, -1)
        assert table["row"].to_pylist() == list(np.tile(row, len(names)))
        assert table["col"].to_pylist() == list(np.tile(col, len(names)))
    print(f"{table.num_rows} rows of {dim} numbers, columns {', '.join(table.column_names)}: equal")


if __name__ == "__main__":
    main(*sys.argv[1:3])
