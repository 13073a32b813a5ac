#!/usr/bin/env python3
"""Writes tests/fixtures/datasets/: labels of tiny sets in the files in which the real sets have them.

The readers in native/src/data/{mat,labelled} are held against these files, and against what scipy and Python read from
them: `values.json` has scipy's values of `values*.mat`, `inaturalist/expected.json` the classes as the loader numbers
them that iBOT's transfer experiments use. Images are made by the tests.

The committed files were made with scipy 1.17.1 and numpy 2.4.6. Nothing is downloaded. Usage:

    pip install numpy scipy
    python scripts/make_dataset_fixtures.py
"""

import json
import pickle
import struct
from pathlib import Path

import numpy as np
import scipy.sparse
from scipy.io import loadmat, savemat

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "datasets"


def folder(name):
    path = OUT / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def as_json(value):
    """What scipy reads, in the order of the file: by columns."""
    if scipy.sparse.issparse(value):
        return {"other": None}
    if value.dtype.names:
        elements = value.flatten(order="F")
        values = [as_json(element[name]) for element in elements for name in value.dtype.names]
        return {"struct": {"names": list(value.dtype.names), "values": values}}
    if value.dtype == object:
        return {"cells": [as_json(cell) for cell in value.flatten(order="F")]}
    if value.dtype.kind == "U":
        return {"text": str(value[0]) if value.size else ""} if value.size < 2 else {"other": None}
    if value.dtype.kind == "c":
        return {"other": None}
    return {"numbers": value.flatten(order="F").astype(float).tolist()}


def structs(names, *elements):
    """A row of structs."""
    array = np.empty((1, len(elements)), dtype=[(name, object) for name in names])
    for place, element in enumerate(elements):
        array[0, place] = element
    return array


def cells(*values):
    """A row of cells."""
    array = np.empty((1, len(values)), dtype=object)
    array[0, :] = values
    return array


def write_values():
    """Every kind of value of a MAT file, plain and compressed."""
    numbers = np.array([[1, 2, 3], [100, 50, 7]])
    kinds = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
    values = {kind: (-numbers if kind[0] in "if" else numbers).astype(kind) for kind in kinds}
    values |= {
        "large": np.array([[2**40, 3]], dtype="int64"),
        "fractions": np.array([[0.5, -1e300, 1 / 3]]),
        "single": np.array([[1.5, 1 / 3]], dtype="float32"),
        "logical": np.array([[True, False, True]]),
        "scalar": np.array([[5]], dtype="uint8"),
        "empty": np.zeros((0, 0)),
        "cube": np.arange(24).reshape(2, 3, 4),
        "text": "car_ims/000001.jpg",
        "accents": "Citro\u00ebn \u2603",
        "short": "ab",
        "no_text": "",
        "rows_of_text": np.array(["ab", "cd"]),
        "complex": np.array([[1 + 2j]]),
        "sparse": scipy.sparse.csc_array(np.eye(3)),
        "cells": cells("one", np.array([[2.0, 3.0]]), cells("inner")),
        "structs": structs(["name", "a_longer_field", "inside"], ("x", 1, structs(["y"], (cells(3),))), ("z", [4, 5], "w")),
        "one_struct": {"first": 1, "second": "two"},
    }
    for name, compressed in [("values.mat", False), ("values-compressed.mat", True)]:
        savemat(OUT / name, values, do_compression=compressed)
    read = loadmat(OUT / "values.mat")
    again = loadmat(OUT / "values-compressed.mat")
    expected = {name: as_json(read[name]) for name in values}
    assert expected == {name: as_json(again[name]) for name in values}
    (OUT / "values.json").write_text(json.dumps(expected, indent=1) + "\n")


def write_flowers():
    """Eight images of four classes, of which the last has images to test only."""
    out = folder("flowers")
    labels = np.array([[3, 1, 2, 3, 1, 4, 2, 1]], dtype="uint8")
    savemat(out / "imagelabels.mat", {"labels": labels}, do_compression=True)
    ids = {"trnid": [[7, 2]], "valid": [[4]], "tstid": [[8, 1, 3, 5, 6]]}
    savemat(out / "setid.mat", {name: np.array(of, dtype="uint16") for name, of in ids.items()})


def write_cars():
    """Six images of three classes. The lower side of a box is never the class."""
    out = folder("cars")
    fields = ["relative_im_path", "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "test"]
    images = [(2, 0), (1, 1), (3, 0), (2, 1), (3, 1), (1, 0)]
    elements = []
    for place, (label, test) in enumerate(images, 1):
        box = np.array([place, 7, 853, 598 + place], dtype="uint16")
        elements.append((f"car_ims/{place:06}.jpg", *box, np.uint8(label), np.uint8(test)))
    names = cells("AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Citro\u00ebn 2CV 1970")
    annotations = {"annotations": structs(fields, *elements), "class_names": names}
    savemat(out / "cars_annos.mat", annotations)


def picture(number):
    """Pixels that tell image, channel, row and column apart: all red ones, then green, then blue."""
    channel, row, column = np.mgrid[0:3, 0:32, 0:32]
    return ((number * 31 + channel * 85 + row * 7 + column * 3) % 256).astype("uint8").flatten()


def python2(value):
    """The pickle of protocol 2 that Python 2 would write, in which texts and bytes are one type."""
    if isinstance(value, dict):
        return b"}(" + b"".join(python2(key) + python2(of) for key, of in value.items()) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(python2, value)) + b"e"
    if isinstance(value, int):
        return b"K" + struct.pack("<B", value) if value < 256 else b"M" + struct.pack("<H", value)
    if isinstance(value, str):
        return b"U" + struct.pack("<B", len(value)) + value.encode()
    shape = b"".join(map(python2, value.shape)) + b"\x86"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    data = value.tobytes()
    return empty + b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<I", len(data)) + data + b"tb"


def dump2(path, value):
    path.write_bytes(b"\x80\x02" + python2(value) + b".")
    with path.open("rb") as file:
        read = pickle.load(file, encoding="latin1")
    for key, of in value.items():
        assert np.array_equal(read[key], of), key


def write_cifar():
    """CIFAR-10 as Python 2 pickled it, one image a batch; CIFAR-100 as Python 3 would."""
    out = folder("cifar-10-batches-py")
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    dump2(out / "batches.meta", {"num_cases_per_batch": 1, "label_names": names, "num_vis": 3072})
    for number in range(6):
        name = f"data_batch_{number + 1}" if number < 5 else "test_batch"
        batch = {"batch_label": name, "labels": [9 - number], "data": picture(number)[None], "filenames": ["x.png"]}
        dump2(out / name, batch)

    out = folder("cifar-100-python")
    fine = [f"fine {number}" for number in range(100)]
    meta = {"fine_label_names": fine, "coarse_label_names": [f"coarse {number}" for number in range(20)]}
    (out / "meta").write_bytes(pickle.dumps(meta))
    for name, numbers in [("train", [0, 1]), ("test", [5])]:
        batch = {
            "filenames": ["x.png" for _ in numbers],
            "batch_label": name,
            "fine_labels": [99 - number for number in numbers],
            "coarse_labels": [number % 20 for number in numbers],
            "data": np.stack([picture(number) for number in numbers]),
        }
        (out / name).write_bytes(pickle.dumps(batch, protocol=2 if name == "train" else 5))


def official_classes(categories, train, listing, field):
    """The classes of a listing, numbered as the official loader numbers them."""
    numbers = {}
    for annotation in train["annotations"]:
        name = categories[int(annotation["category_id"])][field]
        numbers.setdefault(name, len(numbers))
    of_path = [categories[int(image["file_name"].split("/")[2])][field] for image in listing["images"]]
    return {"names": list(numbers), "classes": [numbers[name] for name in of_path]}


def write_inaturalist():
    """Five species of three families."""
    out = folder("inaturalist")
    species = [("Parus major", "Paridae"), ("Vulpes vulpes", "Canidae"), ("Canis lupus", "Canidae")]
    species += [("Parus ater", "Paridae"), ("Quercus robur", "Fagaceae")]
    supers = ["Aves", "Mammalia", "Mammalia", "Aves", "Plantae"]
    categories = [
        {"id": number, "name": name, "family": family, "supercategory": supers[number]}
        for number, (name, family) in enumerate(species)
    ]
    listings = {}
    for part, of_images in [("train", [3, 1, 3, 4, 0, 2, 1]), ("val", [0, 1, 2, 4])]:
        images = []
        for place, category in enumerate(of_images):
            file = f"train_val2018/{supers[category]}/{category}/{part}{place}.jpg"
            images.append({"id": 100 + 7 * place, "file_name": file, "width": 8, "height": 8})
        annotations = [
            {"id": place, "image_id": image["id"], "category_id": category}
            for place, (image, category) in enumerate(zip(images, of_images))
        ]
        # Files do not have to list images and annotations in one order.
        listings[part] = {"images": images[::-1] if part == "val" else images, "annotations": annotations}
        (out / f"{part}2018.json").write_text(json.dumps(listings[part], indent=1) + "\n")
    (out / "categories.json").write_text(json.dumps(categories, indent=1) + "\n")
    expected = {
        f"{part}/{field}": official_classes(categories, listings["train"], listings[part], field)
        for part in listings
        for field in ["name", "family", "supercategory"]
    }
    (out / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    write_values()
    write_flowers()
    write_cars()
    write_cifar()
    write_inaturalist()


if __name__ == "__main__":
    main()
