"""Files as other people's Keras writes them, of networks as the published tutorials build them."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from models.backend import keras

L = keras.layers


def cnn6(outputs: int = 2, last: str = "softmax", side: int = 300, width: int = 64, middle: str = "relu") -> keras.Model:
    """System 4 as a tutorial writes it: Sequential, RGB, softmax; its weights are such that answers differ."""
    keras.utils.set_random_seed(outputs)  # the same each time
    network = keras.Sequential([keras.Input((side, side, 3))])
    for filters in (2, 4, 8, 16, 32, width):
        network.add(L.Conv2D(filters, (3, 3), padding="same", activation=middle))
        network.add(L.BatchNormalization())
        network.add(L.MaxPooling2D((2, 2)))
    network.add(L.Flatten())
    network.add(L.Dropout(0.5))
    network.add(L.Dense(outputs, activation=last))
    return lively(network)


def pyimage() -> keras.Model:
    """System 3: VGG16 from an input tensor, its layers and the new head in one functional network."""
    keras.utils.set_random_seed(1)  # the same each time
    base = keras.applications.VGG16(include_top=False, weights=None, input_tensor=L.Input(shape=(224, 224, 3)))
    x = L.Flatten(name="flatten")(L.AveragePooling2D(pool_size=(4, 4))(base.output))
    x = L.Dropout(0.5)(L.Dense(64, activation="relu")(x))
    network = keras.Model(base.input, L.Dense(2, activation="softmax")(x))
    for layer in base.layers:
        layer.trainable = False
    return lively(network)


def flask(application: str) -> keras.Model:
    """System 1: a base, its layers and the new head in one functional network."""
    keras.utils.set_random_seed(1)
    base = getattr(keras.applications, application)(weights=None, include_top=False, input_tensor=keras.Input(shape=(224, 224, 3)))
    x = L.Dropout(0.5)(L.Flatten(name="flatten")(base.output))
    network = keras.Model(inputs=base.input, outputs=L.Dense(2, activation="softmax")(x))
    for layer in base.layers:
        layer.trainable = False
    return lively(network)


def cap() -> keras.Model:
    """System 2: a Lambda that resizes, ResNet50 as a layer of its own with its last stage trained, and dense layers."""
    keras.utils.set_random_seed(1)
    base = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(224, 224, 3))
    for layer in base.layers:
        layer.trainable = "conv5_block" in layer.name
    network = keras.Sequential([keras.Input((512, 512, 3))])
    network.add(L.Lambda(lambda pictures: keras.ops.image.resize(pictures, (224, 224)), output_shape=(224, 224, 3)))
    network.add(base)
    network.add(L.Flatten())
    network.add(L.BatchNormalization())
    for width in (256, 128, 64):
        network.add(L.Dense(width, activation="relu"))
        network.add(L.Dropout(0.5))
        network.add(L.BatchNormalization())
    network.add(L.Dense(3, activation="softmax"))
    return lively(network)


def lively(network: keras.Model) -> keras.Model:
    """Random statistics and offsets, too: else layers in the wrong order would hardly show. With an optimiser, as after training.

    The last layer is such that its answers differ between a black picture and noise: deep random networks say the same of all.
    """
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.8, 1.2, weight.shape))
        elif weight.name in ("beta", "moving_mean", "bias"):
            weight.assign(rng.normal(0, 0.05, weight.shape))
    head, side = network.layers[-1], network.input_shape[1]
    pictures = np.stack([np.zeros((side, side, 3)), np.repeat(rng.random((side, side, 1)), 3, axis=-1)])
    logits = keras.Model(network.inputs, head.input).predict(pictures, verbose=0) @ np.asarray(head.kernel)
    spread = np.ptp(logits, axis=0).max()
    head.set_weights([np.asarray(head.kernel) / spread, -logits.mean(axis=0) / spread])
    network.compile(loss="categorical_crossentropy", optimizer="adam")
    return network


def answers(network: keras.Model, pictures: Any) -> Any:
    """What it says of gray pictures (n, side, side, 1), shown to it as RGB."""
    return network.predict(np.repeat(pictures, 3, axis=-1), verbose=0)


def save_as_keras_2(network: keras.Model, path: Path, *, whole: bool = True) -> None:
    """As Keras 2 wrote `.h5`: names with `:0`, an older description. Its file format is Keras 3's legacy one in all else."""
    network.save(path.with_suffix(".new.h5"))
    with h5py.File(path.with_suffix(".new.h5")) as new, h5py.File(path, "w") as old:
        root = old.create_group("model_weights") if whole else old
        root.attrs["layer_names"] = np.array([name.encode() for name in new["model_weights"].attrs["layer_names"]])
        for name, group in new["model_weights"].items():
            mine = root.create_group(name)
            # as Keras 2 called them: the layer, then the weight, below the name of a network within the network
            called = {weight: "/".join([name, *str(weight).split("/")[-2:]][-3:]) + ":0" for weight in group.attrs["weight_names"]}
            mine.attrs["weight_names"] = np.array([each.encode() for each in called.values()] or np.zeros(0, "S1"))
            for weight, each in called.items():
                mine.create_dataset(each, data=group[weight])
        if whole:
            config = json.loads(new.attrs["model_config"])
            for layer in config["config"]["layers"]:
                if "batch_shape" in layer["config"]:
                    layer["config"]["batch_input_shape"] = layer["config"].pop("batch_shape")
            old.attrs["model_config"] = json.dumps(config).encode()
            old.attrs["keras_version"] = b"2.4.0"
    path.with_suffix(".new.h5").unlink()
