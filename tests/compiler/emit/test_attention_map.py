"""Instructions of attention maps."""

import dataclasses

import numpy as np

from sw.compiler import compile_network
from sw.network import Affine, AttentionApply, AttentionMap, Neuron
from tests.compiler.nets import STATE, conv, mean, network, pixel, refused


def test_attention_in_a_stream():
    one = Affine(factor=np.ones(1, np.int64), bias=np.zeros(1, np.int64), shift=4)
    each = Affine(factor=np.ones((1, 2), np.int64), bias=np.zeros((1, 2), np.int64), shift=4)
    neuron = Neuron(name="m", theta=1, state=STATE)
    layers = [
        pixel(state=STATE),
        *(conv(c, "p", size=1, state=STATE) for c in "qkv"),
        AttentionMap(
            name="map",
            left="q.s",
            right="k.s",
            heads=2,
            order="qk",
            similarity="and",
            affine=one,
            neuron=neuron,
        ),
        AttentionApply(
            name="apply",
            map="m",
            source="v.s",
            heads=2,
            order="qk",
            affine=each,
            neuron=dataclasses.replace(neuron, name="o"),
        ),
        conv("z", "o", size=1, state=STATE),
        mean("z.s"),
    ]
    net = network(*layers, steps=1, stream=True)
    refused(net, "attention keeps no membranes in memory; run the network image by image")
    compile_network(network(*layers, steps=1))  # in the lanes they may be
